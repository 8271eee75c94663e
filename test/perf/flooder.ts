/**
 * One flood in a process of its own, on one thread, until it is told to end: `flooder.ts <JSON>`. Says "flooding" when
 * it is under way, and at the end as JSON what it sent and what of a core it used since.
 */
import { type Hash, hexToBytes } from '#consensus/primitives.ts';
import { FLOODS, type FloodName, type FloodTarget } from './floods.ts';

export type FlooderArguments = {
  readonly flood: FloodName;
  readonly chainId: string;
  readonly genesisHash: Hash;
  readonly targets: readonly FloodTarget[];
  readonly nodeSeed: `0x${string}` | null;
  readonly consensusKey: `0x${string}` | null;
  readonly rpcUrl: string;
};

const given = JSON.parse(process.argv[2]!) as FlooderArguments;
export type FlooderReport = {
  readonly sent: Readonly<Record<string, number>>;
  /** Of one core, in percent. */
  readonly cpuPercent: number;
};

const sent = new Map<string, number>();
let height = 0n;
let total = 0;
/** So many sends, and it is under way. */
const UNDER_WAY = 10;

const follow = async (): Promise<void> => {
  try {
    const response = await fetch(given.rpcUrl, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'eth_blockNumber', params: [] }),
      signal: AbortSignal.timeout(2_000),
    });
    height = BigInt(((await response.json()) as { result: string }).result);
  } catch {
    // the flood may have been too much for it; the last height will do
  }
  setTimeout(follow, 250);
};

// what the library throws when it is thrown out must not end the flood
process.on('uncaughtException', () => undefined);
process.on('unhandledRejection', () => undefined);
process.on('SIGTERM', () => {
  const { user, system } = process.cpuUsage();
  const report: FlooderReport = {
    sent: Object.fromEntries(sent),
    cpuPercent: Math.round((user + system) / 10_000 / process.uptime()),
  };
  process.stdout.write(`${JSON.stringify(report)}\n`, () => process.exit(0));
});

void follow();
await FLOODS[given.flood]({
  domain: { chainId: BigInt(given.chainId), genesisHash: given.genesisHash },
  targets: given.targets,
  nodeSeed: given.nodeSeed === null ? null : hexToBytes(given.nodeSeed),
  consensusKey: given.consensusKey === null ? null : hexToBytes(given.consensusKey),
  height: () => height,
  sent(what, count) {
    sent.set(what, (sent.get(what) ?? 0) + count);
    if (total < UNDER_WAY && total + count >= UNDER_WAY) process.stdout.write('flooding\n');
    total += count;
  },
});
