/**
 * `npm run worst-case`: gas a second on one core of every operation that could be the slowest, as real transactions
 * through our executor, and what a block full of the slowest takes (RULES 4).
 *
 *     npm run worst-case                       all, as a table
 *     npm run worst-case -- SSTORE 0x09        those whose name has one of these
 *     npm run worst-case -- --write            replaces worstCase.json and worstCase.md
 *     --gas 4000000   gas of each transaction      --runs 5   medians of so many, after one that warms up
 *
 * Processor time of this process, so others on the machine disturb little. Exit code 1 when something is below 6 Mgas/s.
 */
import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { parseArgs } from 'node:util';
import type { Hex } from '#consensus/primitives.ts';
import { openWorstCaseChain } from './worstCaseChain.ts';
import { OPERATIONS } from './worstCaseOperations.ts';
import { BLOCK_GAS, FLOOR_MGAS, toMarkdown, type WorstCase, type WorstCaseRow } from './worstCaseTable.ts';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    gas: { type: 'string', default: '4000000' },
    runs: { type: 'string', default: '5' },
    json: { type: 'boolean', default: false },
    write: { type: 'boolean', default: false },
  },
});

const median = (numbers: number[]): number => numbers.toSorted((a, b) => a - b)[numbers.length >> 1]!;
const rounded = (value: number): number => Number(value.toPrecision(3));
const chosen = OPERATIONS.filter(
  ({ name }) => positionals.length === 0 || positionals.some((part) => name.includes(part)),
);
if (chosen.length === 0) {
  process.stderr.write(`worst-case: expected the name of an operation, found ${positionals.join(', ')}\n`);
  process.exit(2);
}

const chain = await openWorstCaseChain();
const rows: WorstCaseRow[] = [];
let blockMs = 0;
try {
  for (const { name, group, data = '', ...operation } of chosen) {
    const to = await chain.deploy({ name, group, data, ...operation });
    const call = { to, data: `0x${data}` as Hex, gas: BigInt(values.gas) };
    await chain.measure(call);
    const speeds: number[] = [];
    for (let run = 0; run < Number(values.runs); run++) {
      const { gasUsed, cpuMs } = await chain.measure(call);
      speeds.push(Number(gasUsed) / 1_000 / cpuMs);
    }
    rows.push({ name, group, mgasPerSecond: rounded(median(speeds)) });
    process.stderr.write(`${rows.at(-1)!.mgasPerSecond.toFixed(1).padStart(9)}  ${name}\n`);
  }
  rows.sort((a, b) => a.mgasPerSecond - b.mgasPerSecond);
  const slowest = chosen.find(({ name }) => name === rows[0]!.name)!;
  const to = await chain.deploy(slowest);
  const call = { to, data: `0x${slowest.data ?? ''}` as Hex, gas: BLOCK_GAS / 2n, count: 2 };
  const times: number[] = [];
  for (let run = 0; run < 3; run++) times.push((await chain.measure(call)).cpuMs);
  blockMs = Math.round(median(times));
} finally {
  await chain.close();
}

const result: WorstCase = {
  date: new Date().toISOString().slice(0, 10),
  revision: execFileSync('git', ['rev-parse', '--short', 'HEAD'], { encoding: 'utf8' }).trim(),
  machine: `${cpus().length} × ${cpus()[0]?.model}, Node ${process.version}`,
  transactionGas: Number(values.gas),
  runs: Number(values.runs),
  slowestBlockMs: blockMs,
  rows,
};
if (values.json) console.log(JSON.stringify(result));
else console.log(toMarkdown(result));
if (values.write) {
  const fileOf = (ending: string): URL => new URL(`./worstCase.${ending}`, import.meta.url);
  writeFileSync(fileOf('json'), `${JSON.stringify(result, null, 2)}\n`);
  writeFileSync(fileOf('md'), toMarkdown(result));
}
process.exit(rows[0]!.mgasPerSecond < FLOOR_MGAS ? 1 : 0);
