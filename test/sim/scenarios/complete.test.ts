/**
 * Holds the books: each of the 44 scenarios has a numbered test, and each rule of sections A to C a test that cites it.
 *
 * A scenario's test begins with its number and a middle dot (`27 · …`), a rule's test says `RULES n`, both in the name
 * of a test or of its `describe`. Numbers in tables of rows are something else (the paper's lines in roundMachine.test.ts).
 */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('../../../', import.meta.url));
const SCENARIOS = 44;

/** What a name is written as: the first argument of `test`, of `describe`, or of what `.each` returns. */
const NAME = /(?:\b(?:test|describe)\(|\)\()\s*(?:'((?:[^'\\\n]|\\.)+)'|"((?:[^"\\\n]|\\.)+)"|`([^`]+)`)/g;

const namesIn = (source: string): readonly string[] =>
  [...source.matchAll(NAME)].map(([, single, double, template]) => single ?? double ?? template ?? '');

const names = readdirSync(join(ROOT, 'test'), { recursive: true, encoding: 'utf8' })
  // Not the samples below.
  .filter((file) => file.endsWith('.test.ts') && !file.endsWith('complete.test.ts'))
  .flatMap((file) => namesIn(readFileSync(join(ROOT, 'test', file), 'utf8')));

const scenarioOf = (name: string): number => Number(/^(\d+) · /.exec(name)?.[1] ?? Number.NaN);

/** `RULES 4`, `RULES 20, 21`, `RULES 20 to 22`, each meant as written. */
const rulesIn = (name: string): readonly number[] =>
  [...name.matchAll(/RULES (\d+(?:(?:, | and | to )\d+)*)/g)].flatMap(([, list]) =>
    list!.split(/, | and /).flatMap((part) => {
      const [from, to = from] = part.split(' to ').map(Number) as [number, number?];
      return Array.from({ length: to - from + 1 }, (_, index) => from + index);
    }),
  );

/** The numbered rules between two headings of RULES.md. */
const rulesOfSections = (first: string, after: string): readonly number[] => {
  const text = readFileSync(join(ROOT, 'RULES.md'), 'utf8');
  const sections = text.slice(text.indexOf(`\n## ${first}. `), text.indexOf(`\n## ${after}. `));
  return [...sections.matchAll(/^(\d+)\. /gm)].map(([, rule]) => Number(rule));
};

test('names are read from tests, tables and groups, and from nothing else', () => {
  const source = [
    "test('1 · one', () => {});",
    "test.each([[7, 'x']] as const)(\n  '2 · %s (RULES 3)', () => {});",
    "describe('3 · three', () => {});",
    "  ['4 · a row', at(2)],",
    "expect(names).toEqual(['5 · five']);",
  ].join('\n');
  expect(namesIn(source)).toEqual(['1 · one', '2 · %s (RULES 3)', '3 · three']);
  expect(rulesIn('does so (RULES 3, 4 and 20 to 22)')).toEqual([3, 4, 20, 21, 22]);
});

test(`each of the ${SCENARIOS} scenarios has a test with its number`, () => {
  const found = new Set(names.map(scenarioOf));
  const all = Array.from({ length: SCENARIOS }, (_, index) => index + 1);
  expect(all.filter((scenario) => !found.has(scenario))).toEqual([]);
  expect([...found].filter((scenario) => scenario > SCENARIOS || scenario === 0)).toEqual([]);
});

test('each rule of RULES A to C is cited by the name of a test', () => {
  const rules = rulesOfSections('A', 'D');
  expect(rules).toEqual(Array.from({ length: 22 }, (_, index) => index + 1));
  const cited = new Set(names.flatMap(rulesIn));
  expect(rules.filter((rule) => !cited.has(rule))).toEqual([]);
});
