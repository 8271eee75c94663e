/**
 * Brings attested deposits onto the sidechain: one zero-fee `importDeposits` by whichever relayer's turn it is.
 *
 * Owns building, recording and repeating the transaction. Invariants: the raw transaction is durable before it is
 * handed over; done only when the own chain shows importedCount, whoever imported; a stale transaction of ours can
 * only revert, because the gateway takes deposits contiguously. Source: RULES 31, 32.
 */
import { bytesToHex, encodeFunctionData, getAddress, hexToBytes, keccak256, type LocalAccount } from 'viem';
import { PEG_GATEWAY } from '#bridge/addresses.ts';
import { pegGatewayAbi } from '#bridge/contracts/artifacts/contracts.ts';
import { packRelayerSet, type RelayerSet } from '#bridge/encoding/relayerSet.ts';
import type { Clock, Logger } from '#bridge/l1/ports.ts';
import type { L1Watcher } from '#bridge/l1/watcher.ts';
import type { AttestationPool, Attested } from '#bridge/relayer/attestations.ts';
import type { Halt } from '#bridge/relayer/halt.ts';
import {
  importGasCap,
  importGasLimit,
  importReach,
  maxDepositsPerImport,
} from '#bridge/relayer/importBatch.ts';
import type { OwnChain } from '#bridge/relayer/ports.ts';
import type { RelayerLog } from '#bridge/relayer/records.ts';
import { gatewayAtHead } from '#bridge/relayer/sidechainView.ts';
import { createTurns } from '#bridge/relayer/turns.ts';
import { parseAddress, parseHash } from '#consensus/primitives.ts';

export type ImportSubmitterOptions = {
  readonly chainId: bigint;
  readonly importGas: bigint;
  readonly relayers: RelayerSet;
  readonly turnMs: number;
  /** Hand the same transaction over again when it is not in a block after this long. */
  readonly resubmitMs: number;
};

export type ImportSubmitterModules = {
  readonly chain: OwnChain;
  readonly l1: Pick<L1Watcher, 'depositHashAt' | 'dataLeafFrom' | 'readDeposits'>;
  readonly pool: AttestationPool;
  readonly log: RelayerLog;
  readonly account: LocalAccount;
  readonly halt: Halt;
  readonly clock: Clock;
  readonly logger: Logger;
};

export interface ImportSubmitter {
  /** @returns milliseconds after which another run is worth while, or null */
  run(): Promise<number | null>;
}

export const createImportSubmitter = (
  options: ImportSubmitterOptions,
  { chain, l1, pool, log, account, halt, clock, logger }: ImportSubmitterModules,
): ImportSubmitter => {
  const self = parseAddress(account.address);
  const turns = createTurns(
    options.relayers.addresses.indexOf(self),
    options.relayers.addresses.length,
    options.turnMs,
    clock,
  );
  const batch = maxDepositsPerImport(options.importGas, options.relayers.addresses.length);
  let handedOverMs: number | null = null;
  let useCap = false;

  /** The largest attested count that the next import can reach. */
  const candidate = (importedCount: bigint): Attested | null =>
    pool
      .all()
      .filter(
        (attested) =>
          attested.key > importedCount &&
          attested.key <= importReach(importedCount, batch, l1.dataLeafFrom(importedCount)) &&
          attested.value === l1.depositHashAt(attested.key) &&
          pool.isQuorate(attested),
      )
      .at(-1) ?? null;

  const build = async (first: bigint, attested: Attested, nonce: bigint) => {
    const deposits = await l1.readDeposits(first, attested.key - first);
    const { bitmap, signatures } = pool.collect(attested);
    const data = encodeFunctionData({
      abi: pegGatewayAbi,
      functionName: 'importDeposits',
      args: [
        first,
        deposits.map(({ leaf: { nonce: _, ...deposit } }) => deposit),
        {
          relayers: bytesToHex(packRelayerSet(options.relayers)),
          bitmap,
          signatures,
          data: deposits.flatMap(({ data }) => data ?? []),
        },
      ],
    });
    const raw = await account.signTransaction({
      type: 'eip1559',
      chainId: Number(options.chainId),
      to: getAddress(PEG_GATEWAY),
      nonce: Number(nonce),
      value: 0n,
      maxFeePerGas: 0n,
      maxPriorityFeePerGas: 0n,
      gas: useCap
        ? importGasCap(options.importGas)
        : importGasLimit(attested.key - first, options.importGas, options.relayers.addresses.length),
      data,
    });
    return { raw, hash: parseHash(keccak256(raw)) };
  };

  const handOver = async (): Promise<void> => {
    const intent = log.memory.importIntent;
    if (intent === null) return;
    handedOverMs = clock.nowMs();
    const outcome = await chain.submit(hexToBytes(intent.raw));
    if (outcome.admitted || outcome.code === 'ALREADY_KNOWN')
      logger.info({ first: intent.first, n: intent.n, hash: intent.hash }, 'import handed to the sidechain');
    else
      logger.warn(
        { first: intent.first, n: intent.n, hash: intent.hash, code: outcome.code, reason: outcome.message },
        'import not admitted yet; it is tried again',
      );
  };

  return {
    run: async () => {
      if (halt.reason() !== null) return null;
      const { importedCount } = await gatewayAtHead(chain);
      const chosen = candidate(importedCount);
      if (chosen === null) {
        turns.idle();
        return null;
      }
      const waitMs = turns.waitMs(importedCount);
      if (waitMs > 0) return waitMs;

      const nonce = (await chain.account(self, chain.head().height))?.nonce ?? 0n;
      const intent = log.memory.importIntent;
      if (intent !== null && intent.first === importedCount && intent.nonce === nonce) {
        const ageMs = handedOverMs === null ? null : clock.nowMs() - handedOverMs;
        if (ageMs === null || ageMs >= options.resubmitMs) await handOver();
        return options.resubmitMs;
      }
      if (intent !== null && intent.first === importedCount) {
        // Its nonce is used and the count did not move: it was mined and reverted.
        const receipt = await chain.receipt(intent.hash);
        if (receipt?.status === 0) {
          useCap = true;
          logger.warn(
            { hash: intent.hash, height: receipt.height },
            'an import reverted; it is built again with all the gas allowed',
          );
        }
      } else useCap = false;
      const { raw, hash } = await build(importedCount, chosen, nonce);
      await log.record({
        t: 'importIntent',
        first: String(importedCount),
        n: String(chosen.key),
        nonce: String(nonce),
        hash,
        raw,
      });
      await handOver();
      return options.resubmitMs;
    },
  };
};
