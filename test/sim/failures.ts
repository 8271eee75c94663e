/** Plans that failed once, made small, kept as files: what is replayed as a regression for ever after. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Plan } from './plan.ts';
import { type RunResult, runPlan } from './run.ts';

const DEFAULT_FOLDER = fileURLToPath(new URL('./failures', import.meta.url));
/** The end of a trace says what happened; the whole of it comes back with `--trace`. */
const KEPT_LINES = 60;

/** `{found, plan, trace}`: what the run did when it was found, and how to run it again. */
export type KeptFailure = {
  readonly found: Pick<RunResult, 'violation' | 'hash'>;
  readonly plan: Plan;
  readonly trace: readonly string[];
};

/** @returns the file's path, relative to the working folder */
export const keepFailure = async (plan: Plan, folder: string | null): Promise<string> => {
  const lines: string[] = [];
  const { violation, hash } = await runPlan(plan, (line) => {
    lines.push(line);
    if (lines.length > 2 * KEPT_LINES) lines.splice(0, KEPT_LINES);
  });
  const kept: KeptFailure = { found: { violation, hash }, plan, trace: lines.slice(-KEPT_LINES) };
  const at = folder ?? DEFAULT_FOLDER;
  mkdirSync(at, { recursive: true });
  const name = `${(violation?.code ?? 'none').toLowerCase().replaceAll('_', '-')}-${plan.seed}.json`;
  writeFileSync(join(at, name), `${JSON.stringify(kept, null, 2)}\n`);
  return relative(process.cwd(), join(at, name));
};
