/** Which tests have to notice a broken line of a file. Nearest first: the first failure ends the run. */
const RULES: readonly (readonly [prefix: string, tests: readonly string[]])[] = [
  ['consensus/', ['test/unit/consensus/']],
  [
    'node/consensus/',
    ['guard.test', 'wal', 'guard', 'recovery', 'lookBack', 'host'].map(
      (name) => `test/unit/node/consensus/${name}`,
    ),
  ],
];

/** @throws Error when no test is named for it */
export const testsFor = (file: string): readonly string[] => {
  const rule = RULES.find(([prefix]) => file.startsWith(prefix));
  if (rule === undefined) throw new Error(`expected tests for ${file} in test/mutation/testsFor.ts`);
  return rule[1];
};
