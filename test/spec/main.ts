/**
 * `npm run test:spec -- FOLDER…`: Ethereum's state tests through our executor and state.
 *
 * usage: main.ts FOLDER… [--json]: prints each case that fails, why cases were skipped, and a closing count; with
 * `--json` one object on stdout. Exits with 1 when a case fails or none passed, with 2 when it cannot begin.
 */
import { existsSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { type CaseResult, runFolder } from '#test/spec/runFolder.ts';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { json: { type: 'boolean', default: false } },
});

const missing = positionals.find((folder) => !existsSync(folder));
if (positionals.length === 0 || missing !== undefined) {
  process.stderr.write(
    missing === undefined
      ? 'test:spec: expected a folder of state tests, found none: npm run test:spec -- ../shared/data/state-tests\n'
      : `test:spec: expected ${missing} to exist: name a folder or file of state tests\n`,
  );
  process.exit(2);
}

const counts = { passed: 0, failed: 0, skipped: 0 };
const failures: Pick<CaseResult, 'name' | 'reason'>[] = [];
const skips = new Map<string, number>();

const started = Date.now();
for (const folder of positionals)
  await runFolder(folder, ({ name, status, reason = '' }) => {
    counts[status]++;
    if (status === 'skipped') skips.set(reason, (skips.get(reason) ?? 0) + 1);
    if (status !== 'failed') return;
    failures.push({ name, reason });
    if (!values.json) console.log(`✗ ${name}\n    ${reason}`);
  });
const seconds = Number(((Date.now() - started) / 1000).toFixed(1));

if (values.json)
  console.log(JSON.stringify({ ...counts, seconds, failures, skips: Object.fromEntries(skips) }));
else {
  for (const [reason, count] of skips) console.log(`${count} skipped: ${reason}`);
  console.log(`${counts.passed} passed, ${counts.failed} failed, ${counts.skipped} skipped (${seconds} s)`);
}
process.exit(counts.failed === 0 && counts.passed > 0 ? 0 : 1);
