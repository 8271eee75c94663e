import { type CanonicalValue, toCanonicalJson } from '#genesis/canonicalJson.ts';

test('refuses what the format leaves out: numbers, null, booleans, undefined, lone surrogates', () => {
  for (const value of [
    1,
    null,
    true,
    undefined,
    { a: 1 },
    [undefined],
    new Map(),
    '\ud800',
    { '\udc00': 'x' },
  ])
    expect(() => toCanonicalJson(value as CanonicalValue)).toThrow(
      expect.objectContaining({ code: 'NOT_CANONICAL' }),
    );
});

test('sorts members by UTF-16 code units, as RFC 8785 section 3.2.3 shows', () => {
  const unsorted = {
    '\u20ac': 'Euro Sign',
    '\r': 'Carriage Return',
    '\ufb33': 'Hebrew Letter Dalet With Dagesh',
    '1': 'One',
    '\ud83d\ude00': 'Emoji: Grinning Face',
    '\u0080': 'Control',
    '\u00f6': 'Latin Small Letter O With Diaeresis',
  };
  const order = [...toCanonicalJson(unsorted).matchAll(/":"([^"]*)"/g)].map(([, value]) => value);
  expect(order).toEqual([
    'Carriage Return',
    'One',
    'Control',
    'Latin Small Letter O With Diaeresis',
    'Euro Sign',
    'Emoji: Grinning Face',
    'Hebrew Letter Dalet With Dagesh',
  ]);
});

test('escapes strings as the RFC does and keeps the order of arrays', () => {
  expect(toCanonicalJson(['\u20ac$\u000f\nA\'B"\\\\"/', 'b', 'a', []])).toBe(
    '["€$\\u000f\\nA\'B\\"\\\\\\\\\\"/","b","a",[]]',
  );
});

test('does not depend on the order in which members were written', () => {
  expect(toCanonicalJson({ b: { d: 'x', c: 'y' }, a: [] })).toBe(
    toCanonicalJson({ a: [], b: { c: 'y', d: 'x' } }),
  );
});
