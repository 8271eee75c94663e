/**
 * This node's L1 view, wired: the watcher of bridge/, the check of the deployed contracts, its memory in the data folder.
 *
 * The contracts must be right at every configured endpoint: one that lies alone is not believed (RULES 31, 33).
 */
import { join } from 'node:path';
import { createPublicClient, http } from 'viem';
import { createManifest } from '#bridge/deployment/manifest.ts';
import { type DeploymentVerdict, verifyDeployment } from '#bridge/deployment/verifyDeployment.ts';
import type { Logger } from '#bridge/l1/ports.ts';
import { systemClock } from '#bridge/l1/ports.ts';
import { createFileL1Store } from '#bridge/l1/store.ts';
import { createL1Watcher, type L1Watcher } from '#bridge/l1/watcher.ts';
import { genesisToPegInputs } from '#genesis/pegInputs.ts';
import type { Genesis } from '#genesis/spec.ts';

const ENDPOINT_TIMEOUT_MS = 10_000;

export type NodeL1Options = {
  readonly genesis: Genesis;
  readonly urls: readonly string[];
  readonly pollMs: number;
  readonly dataDir: string;
  readonly logger: Logger;
  /** At height 0 the contracts' storage is checked as well; a node that joins later checks code (RULES 33). */
  readonly isAtGenesis: () => boolean;
};

export const createNodeL1 = ({
  genesis,
  urls,
  pollMs,
  dataDir,
  logger,
  isAtGenesis,
}: NodeL1Options): L1Watcher => {
  const manifest = createManifest(genesisToPegInputs(genesis));
  const clients = urls.map((url) =>
    createPublicClient({ transport: http(url, { retryCount: 0, timeout: ENDPOINT_TIMEOUT_MS }) }),
  );
  const verify = async ({ number }: { readonly number: bigint }): Promise<DeploymentVerdict> => {
    const mode = isAtGenesis() ? 'fresh' : 'joining';
    const verdicts: DeploymentVerdict[] = [];
    for (const publicClient of clients)
      verdicts.push(await verifyDeployment({ publicClient, manifest, mode, atBlock: number }));
    return verdicts.find((verdict) => !verdict.ok) ?? verdicts[0]!;
  };
  return createL1Watcher({
    urls,
    chainId: genesis.spec.l1ChainId,
    sidechainId: genesis.spec.chainId,
    addresses: genesis.l1,
    verify,
    pollMs,
    clock: systemClock,
    logger,
    store: createFileL1Store(join(dataDir, 'l1-view.json')),
  });
};

/**
 * RULES 42: the state of the older of the two newest accepted checkpoints, and of every height above it, since the next
 * accepted one may be any of them. With fewer than two, all from block 0 on. Null while there is no view.
 */
export const stateNeededFrom = (view: Pick<L1Watcher, 'finalized' | 'acceptedAbove'>): bigint | null =>
  view.finalized() === null ? null : (view.acceptedAbove(-1n).at(-2)?.height ?? 0n);
