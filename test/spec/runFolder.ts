/**
 * Every case of every state test below a folder, one after another, each passed, failed or skipped with a reason.
 *
 * What throws is a failure of its case and never ends the run.
 */

import { listTestFiles, readTestFile, type StateTest } from '#test/spec/format.ts';
import { buildPreState, FORKS, runCase } from '#test/spec/runCase.ts';

export type CaseResult = {
  /** `FILE › TEST › FORK data/gas/value`, or the file alone. */
  readonly name: string;
  readonly status: 'passed' | 'failed' | 'skipped';
  /** What differs, or why it was skipped. */
  readonly reason?: string;
};

/** @param onCase called as each case is done */
export const runFolder = async (folder: string, onCase: (result: CaseResult) => void): Promise<void> => {
  for (const { path, shown } of listTestFiles(folder)) {
    let tests: ReadonlyMap<string, StateTest> | null;
    try {
      tests = readTestFile(path);
    } catch (error) {
      onCase({ name: shown, status: 'failed', reason: messageOf(error) });
      continue;
    }
    if (tests === null) {
      onCase({ name: shown, status: 'skipped', reason: 'not a file of state tests' });
      continue;
    }
    for (const [name, test] of tests) await runTest(`${shown} › ${name}`, test, onCase);
  }
};

const runTest = async (
  name: string,
  test: StateTest,
  onCase: (result: CaseResult) => void,
): Promise<void> => {
  const preState = await buildPreState(test.pre);
  for (const [forkName, cases] of Object.entries(test.post)) {
    const fork = FORKS[forkName];
    for (const post of cases) {
      const { data, gas, value } = post.indexes;
      const shown = `${name} › ${forkName} ${data}/${gas}/${value}`;
      if (fork === undefined) {
        const reason = `rules ${forkName} are not among those we run: ${Object.keys(FORKS).join(', ')}`;
        onCase({ name: shown, status: 'skipped', reason });
        continue;
      }
      const fault = await runCase(test, fork, post, preState).catch((error) => `threw: ${messageOf(error)}`);
      onCase({
        name: shown,
        ...(fault === null ? { status: 'passed' } : { status: 'failed', reason: fault }),
      });
    }
  }
};

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));
