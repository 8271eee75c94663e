/**
 * Signs (n, hash) of the deposit chain, as the own finalised L1 view has it.
 *
 * Owns which counts are signed: the newest that one import can reach, and any count that another relayer has signed
 * and this node's own fold confirms, so that relayers whose views differ in age still meet. Invariants: only a hash
 * that the own view folded to; never two hashes for one count; durable before it leaves.
 */
import type { L1Watcher } from '#bridge/l1/watcher.ts';
import {
  type AttestationDomains,
  type AttestationPool,
  depositMessage,
} from '#bridge/relayer/attestations.ts';
import type { Halt } from '#bridge/relayer/halt.ts';
import { importReach, maxDepositsPerImport } from '#bridge/relayer/importBatch.ts';
import type { OwnChain } from '#bridge/relayer/ports.ts';
import type { RelayerLog } from '#bridge/relayer/records.ts';
import { gatewayAtHead } from '#bridge/relayer/sidechainView.ts';
import type { Signer } from '#consensus/signer.ts';

export type DepositAttesterModules = {
  readonly chain: OwnChain;
  readonly l1: Pick<L1Watcher, 'status' | 'finalized' | 'depositHashAt' | 'dataLeafFrom'>;
  readonly pool: AttestationPool;
  readonly log: RelayerLog;
  readonly signer: Signer;
  readonly halt: Halt;
};

export type DepositAttesterOptions = {
  readonly domains: AttestationDomains;
  readonly importGas: bigint;
  /** How many there are. */
  readonly relayers: number;
};

export const createDepositAttester = (
  { domains, importGas, relayers }: DepositAttesterOptions,
  { chain, l1, pool, log, signer, halt }: DepositAttesterModules,
): { run(): Promise<void> } => {
  const batch = maxDepositsPerImport(importGas, relayers);

  const signOnce = async (n: bigint, relayerEpoch: bigint): Promise<void> => {
    const hash = l1.depositHashAt(n);
    if (hash === null) return;
    const known = log.memory.deposits.get(n);
    if (known !== undefined && known.hash !== hash)
      return halt.halt(
        `signed ${known.hash} for ${n} deposits before; the L1 view now folds to ${hash}: the L1 or the journal was replaced`,
      );
    if (known?.relayerEpoch === relayerEpoch) {
      pool.open(n, hash, relayerEpoch);
      pool.add(n, known.signature);
      return;
    }
    const signature = await signer.sign({
      kind: 'depositAttestation',
      domain: domains.gateway,
      attestation: depositMessage(domains, n, hash, relayerEpoch),
    });
    await log.record({
      t: 'depositSigned',
      n: String(n),
      hash,
      relayerEpoch: String(relayerEpoch),
      signature,
    });
    pool.open(n, hash, relayerEpoch);
    pool.add(n, signature);
  };

  return {
    run: async () => {
      if (halt.reason() !== null || l1.status().state !== 'ready') return;
      const { importedCount, relayerEpoch } = await gatewayAtHead(chain);
      pool.forgetThrough(importedCount);
      if (importedCount > log.memory.imported) await log.record({ t: 'imported', n: String(importedCount) });
      const covered = l1.finalized()?.depositCount ?? 0n;
      if (covered <= importedCount) return;
      const reach = importReach(importedCount, batch, l1.dataLeafFrom(importedCount));
      await signOnce(covered < reach ? covered : reach, relayerEpoch);
      for (const { key, value, signatures } of pool.all())
        if (!signatures.has(signer.address) && key <= reach && l1.depositHashAt(key) === value)
          await signOnce(key, relayerEpoch);
    },
  };
};
