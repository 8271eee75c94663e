/** The worst-case table, as it is kept and shown. Pure. */
export type WorstCaseRow = {
  readonly name: string;
  readonly group: 'opcode' | 'precompile';
  readonly mgasPerSecond: number;
};

export type WorstCase = {
  readonly date: string;
  readonly revision: string;
  readonly machine: string;
  readonly transactionGas: number;
  readonly runs: number;
  /** E of RULES 4: deriving a block of BLOCK_GAS full of the slowest operation. */
  readonly slowestBlockMs: number;
  /** Slowest first. */
  readonly rows: readonly WorstCaseRow[];
};

export const TARGET_MGAS = 10;
/** Below this is a step back: what the slowest row was when the table was first kept, less what a busy machine costs. */
export const FLOOR_MGAS = 6;
export const BLOCK_GAS = 30_000_000n;

/** Columns as wide as their widest cell, as the formatter wants them. */
const toTable = (rows: WorstCase['rows']): string => {
  const cells = rows.map(
    ({ name, mgasPerSecond }) => [name.replaceAll('|', '\\|'), String(mgasPerSecond)] as const,
  );
  const [left, right] = [0, 1].map((column) =>
    Math.max(['operation'.length, 'Mgas/s'.length][column]!, ...cells.map((cell) => cell[column]!.length)),
  ) as [number, number];
  const line = (name: string, figure: string): string =>
    `| ${name.padEnd(left)} | ${figure.padStart(right)} |`;
  return [
    line('operation', 'Mgas/s'),
    `| ${'-'.repeat(left)} | ${'-'.repeat(right - 1)}: |`,
    ...cells.map(([name, figure]) => line(name, figure)),
  ].join('\n');
};

export const toMarkdown = ({ rows, ...run }: WorstCase): string =>
  `# Worst case of each operation

\`npm run worst-case -- --write\` made this page: gas a second on one core, through our executor, as transactions of
${run.transactionGas.toLocaleString('en')} gas; medians of ${run.runs}, processor time, after a first run that warms up.
${run.date}, revision ${run.revision}, ${run.machine}.

Target: at least ${TARGET_MGAS} Mgas/s. A block of ${BLOCK_GAS.toLocaleString('en')} gas full of the slowest took
${run.slowestBlockMs.toLocaleString('en')} ms: E of RULES 4. ${rows.filter(({ mgasPerSecond }) => mgasPerSecond < TARGET_MGAS).length} of ${rows.length} rows are below the target. A loop's own
opcodes (a jump in some thousand bytes, what pushes operands) are in each figure.

${toTable(rows)}
`;
