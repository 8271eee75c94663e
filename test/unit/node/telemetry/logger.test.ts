import { createLogger } from '#node/telemetry/logger.ts';

const collect = () => {
  const lines: string[] = [];
  return { lines, stream: { write: (line: string) => void lines.push(line) } };
};

test('keys, pass phrases and seeds never reach the log, nested ones neither', () => {
  const { lines, stream } = collect();
  const logger = createLogger({ name: 'n', level: 'info' }, stream);
  logger.info({ privateKey: 'aaa', keystore: { passphrase: 'bbb', inner: { seed: 'ccc' } } }, 'opened');
  expect(lines.join()).not.toMatch(/aaa|bbb|ccc/);
  expect(lines.join()).toContain('[redacted]');
});

test('bigints are decimal strings, bytes are counted, errors keep their message', () => {
  const { lines, stream } = collect();
  const logger = createLogger({ name: 'n', level: 'info' }, stream);
  logger.info(
    { height: 2n ** 70n, nested: [{ power: 3n }], raw: new Uint8Array(5), err: new Error('why') },
    'said',
  );
  const line = JSON.parse(lines[0]!);
  expect(line).toMatchObject({
    level: 'info',
    name: 'n',
    msg: 'said',
    height: '1180591620717411303424',
    nested: [{ power: '3' }],
    raw: '5 bytes',
    err: { message: 'why' },
  });
});

test('lines below the level are not written', () => {
  const { lines, stream } = collect();
  createLogger({ name: 'n', level: 'warn' }, stream).info('quiet');
  expect(lines).toEqual([]);
});
