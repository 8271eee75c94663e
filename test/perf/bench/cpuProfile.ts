/**
 * Processor profiles of validators by stage: whose code the samples of each thread fell into.
 *
 * Owns which file belongs to which stage. A sample belongs to the nearest caller that belongs to one, so native code and
 * libraries count for whoever called them. Pure but for `readProfiles`.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

export type CpuProfile = {
  readonly nodes: readonly {
    readonly id: number;
    readonly callFrame: { readonly functionName: string; readonly url: string; readonly lineNumber: number };
    readonly children?: readonly number[];
  }[];
  /** Microseconds, the clock of `process.hrtime`. */
  readonly startTime: number;
  readonly samples: readonly number[];
  readonly timeDeltas: readonly number[];
};

/** The first that matches wins. */
const RULES: readonly (readonly [RegExp, string])[] = [
  [/node\/execution\/(trieUpdate|stateTrie|trieNodes|trieNodeCodec|orderedTrie)\.ts/, 'trie'],
  [/node\/storage\/|classic-level|abstract-level/, 'commit'],
  [/node\/execution\/(publicKeys)\.ts|node\/consensus\/(payload|proposing|judg|withholding)/, 'payload'],
  [
    /node\/execution\/(blockExecutor|deriveBlock|machine|overlayState|systemWrites|plainTransfer|receipts)/,
    'execution',
  ],
  [/@ethereumjs\/(vm|evm|statemanager)\//, 'execution'],
  [/node\/mempool\/gossip\.ts|node\/network\/(spreading|transactionBatch)\.ts/, 'gossip'],
  [/node\/mempool\//, 'admission'],
  [/node\/rpc\/|fastify|\/ws\/|light-my-request|find-my-way|avvio/, 'rpc'],
  [/node\/network\/|libp2p|chainsafe|multiformats|yamux|uint8array|it-/, 'network'],
  [/node\/consensus\/(wal|heightLog)/, 'wal'],
  [/node\/consensus\/|\/consensus\//, 'consensus'],
  [/node\/execution\/(openChain|workerProtocol|executionWorker)/, 'publication'],
  [/\/bridge\//, 'l1'],
];

const SPECIAL: Readonly<Record<string, string>> = {
  '(idle)': 'idle',
  '(garbage collector)': 'garbage collection',
  '(program)': 'native and kernel',
};

const stageOfUrl = (url: string): string | null => RULES.find(([pattern]) => pattern.test(url))?.[1] ?? null;

export type ThreadProfile = {
  readonly totalMs: number;
  readonly stages: Readonly<Record<string, number>>;
  readonly functions: readonly { readonly name: string; readonly selfMs: number }[];
};

const MAX_FUNCTIONS = 25;

/** Only samples between these two moments count; microseconds. */
export const profileByStage = (profile: CpuProfile, fromUs: number, toUs: number): ThreadProfile => {
  const byId = new Map(profile.nodes.map((node) => [node.id, node]));
  const parents = new Map(
    profile.nodes.flatMap(({ id, children = [] }) => children.map((child) => [child, id])),
  );
  const stages = new Map<number, string>();
  const stageOf = (id: number): string => {
    const known = stages.get(id);
    if (known !== undefined) return known;
    const { functionName, url } = byId.get(id)!.callFrame;
    const parent = parents.get(id);
    const found =
      SPECIAL[functionName] ?? stageOfUrl(url) ?? (parent === undefined ? 'other' : stageOf(parent));
    stages.set(id, found);
    return found;
  };
  const stageMs: Record<string, number> = {};
  const selfMs = new Map<string, number>();
  let atUs = profile.startTime;
  let totalMs = 0;
  for (const [index, id] of profile.samples.entries()) {
    const deltaUs = profile.timeDeltas[index]!;
    atUs += deltaUs;
    if (atUs < fromUs || atUs > toUs) continue;
    const ms = deltaUs / 1_000;
    totalMs += ms;
    const stage = stageOf(id);
    stageMs[stage] = (stageMs[stage] ?? 0) + ms;
    const { functionName, url, lineNumber } = byId.get(id)!.callFrame;
    const file = url.replace(/^.*\/(?=(?:node_modules|node|consensus|cli|bridge)\/)/, '');
    const name = `${functionName || '(anonymous)'} ${file}${url === '' ? '' : `:${lineNumber + 1}`}`.trim();
    selfMs.set(name, (selfMs.get(name) ?? 0) + ms);
  }
  const functions = [...selfMs]
    .map(([name, ms]) => ({ name, selfMs: ms }))
    .sort((a, b) => b.selfMs - a.selfMs)
    .slice(0, MAX_FUNCTIONS);
  return { totalMs, stages: stageMs, functions };
};

/** Of one process: its main thread is the file of thread 0; threads that did nothing in the window are left out. */
export const readProfiles = (
  folder: string,
  fromUs: number,
  toUs: number,
): Readonly<Record<string, ThreadProfile>> => {
  const threads: Record<string, ThreadProfile> = {};
  for (const file of readdirSync(folder)
    .filter((name) => name.endsWith('.cpuprofile'))
    .sort()) {
    // CPU.<date>.<time>.<pid>.<thread>.<sequence>.cpuprofile
    const thread = Number(file.split('.').at(-3));
    const profile = JSON.parse(readFileSync(join(folder, file), 'utf8')) as CpuProfile;
    const found = profileByStage(profile, fromUs, toUs);
    if (found.totalMs > 0) threads[thread === 0 ? 'main' : `worker ${thread}`] = found;
  }
  return threads;
};
