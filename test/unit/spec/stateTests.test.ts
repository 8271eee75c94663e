import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { type CaseResult, runFolder } from '#test/spec/runFolder.ts';

/** Beside the repository, too large for it. */
const DATA = join(import.meta.dirname, '../../../../shared/data/state-tests');
const isHere = existsSync(DATA);

(isHere ? test : test.skip)(
  `Ethereum's state tests pass through our executor and state${isHere ? '' : ' (skipped: expected ../shared/data/state-tests)'}`,
  async () => {
    const failed: CaseResult[] = [];
    let passed = 0;
    await runFolder(DATA, (result) => {
      if (result.status === 'passed') passed++;
      if (result.status === 'failed') failed.push(result);
    });
    expect(failed).toEqual([]);
    expect(passed).toBeGreaterThanOrEqual(3_010);
  },
  600_000,
);
