/**
 * Anchors the sidechain on the L1: submits checkpoints that the threshold of relayers has attested.
 *
 * Owns which checkpoint goes next and when. Each epoch's last block goes, in order (RULES 29); between them the
 * newest one with new burns, after a short time in which more burns may join it. Invariants: only what the own chain
 * holds; done only when the verifier shows it at finality, whoever submitted; a reorganisation of unfinal blocks
 * merely makes it go again.
 */
import { bytesToHex, encodeFunctionData, getAddress, type LocalAccount, type PublicClient } from 'viem';
import type { L1Addresses } from '#bridge/addresses.ts';
import { pegVerifierAbi } from '#bridge/contracts/artifacts/contracts.ts';
import { packRelayerSet, type RelayerSet } from '#bridge/encoding/relayerSet.ts';
import { packSignatures } from '#bridge/encoding/signatureBitmap.ts';
import { type Clock, describeFault, type Logger } from '#bridge/l1/ports.ts';
import type { L1Watcher } from '#bridge/l1/watcher.ts';
import type { AttestationPool, Attested } from '#bridge/relayer/attestations.ts';
import type { Halt } from '#bridge/relayer/halt.ts';
import type { L1Sender } from '#bridge/relayer/l1Sender.ts';
import type { OwnBlock, OwnChain } from '#bridge/relayer/ports.ts';
import { createTurns } from '#bridge/relayer/turns.ts';
import { parseAddress } from '#consensus/primitives.ts';
import { packValidators } from '#consensus/validatorSet.ts';

export type CheckpointSubmitterOptions = {
  readonly addresses: L1Addresses;
  readonly epochLength: bigint;
  readonly relayers: RelayerSet;
  readonly turnMs: number;
  /** How long the first burn waits for others to share its checkpoint. */
  readonly batchMs: number;
  readonly bumpAfterMs: number;
  /** Below this the operator is warned: an unfunded relayer submits nothing. */
  readonly lowBalanceWei: bigint;
};

export type CheckpointSubmitterModules = {
  readonly chain: OwnChain;
  readonly l1: Pick<L1Watcher, 'status'>;
  readonly client: PublicClient;
  readonly account: LocalAccount;
  readonly sender: L1Sender;
  readonly pool: AttestationPool;
  readonly halt: Halt;
  readonly clock: Clock;
  readonly logger: Logger;
};

export type VerifierState = {
  readonly latestHeight: bigint;
  readonly outboxCount: bigint;
  readonly relayerEpoch: bigint;
  readonly balanceWei: bigint;
};

export interface CheckpointSubmitter {
  /** @returns milliseconds after which another run is worth while, or null */
  run(): Promise<number | null>;
  /** The verifier at the L1's latest block, as last seen; null before. */
  verifier(): VerifierState | null;
}

/**
 * The next one to submit above the verifier's height: the epoch's last block if it is attested, since it covers all
 * below; else the newest in the epoch that has new burns or begins a half day.
 */
export const chooseCheckpoint = (
  quorate: readonly Attested[],
  latestHeight: bigint,
  epochLength: bigint,
): Attested | null => {
  const boundary = (latestHeight / epochLength + 1n) * epochLength;
  return quorate.filter(({ key }) => key > latestHeight && key <= boundary).at(-1) ?? null;
};

const GAS_MARGIN_PERCENT = 125n;

export const createCheckpointSubmitter = (
  options: CheckpointSubmitterOptions,
  { chain, l1, client, account, sender, pool, halt, clock, logger }: CheckpointSubmitterModules,
): CheckpointSubmitter => {
  const { relayers, epochLength } = options;
  const verifier = { address: getAddress(options.addresses.verifier), abi: pegVerifierAbi } as const;
  const turns = createTurns(
    relayers.addresses.indexOf(parseAddress(account.address)),
    relayers.addresses.length,
    options.turnMs,
    clock,
  );
  let seen: VerifierState | null = null;
  let batching: { latestHeight: bigint; sinceMs: number } | null = null;
  let warnedOfBalance = false;
  let refusal: string | null = null;

  const look = async (): Promise<VerifierState> => {
    const [latestHeight, outboxCount, relayerEpoch, balanceWei] = await Promise.all([
      client.readContract({ ...verifier, functionName: 'latestHeight' }),
      client.readContract({ ...verifier, functionName: 'latestOutboxCount' }),
      client.readContract({ ...verifier, functionName: 'relayerEpoch' }),
      client.getBalance({ address: account.address }),
    ]);
    if (balanceWei < options.lowBalanceWei && !warnedOfBalance)
      logger.error(
        { address: account.address, balanceWei: String(balanceWei) },
        'the relayer is running out of ether on the L1: fund its address, or its checkpoints will stop',
      );
    warnedOfBalance = balanceWei < options.lowBalanceWei;
    return { latestHeight, outboxCount, relayerEpoch, balanceWei };
  };

  const encode = async (block: OwnBlock, attested: Attested): Promise<`0x${string}`> => {
    const validators = await chain.validatorsAt(block.height);
    if (validators === null || block.certificate === null)
      throw new Error(`expected a certificate and a validator set for height ${block.height}, found none`);
    const { checkpoint, certificate } = block;
    const seal = packSignatures(
      validators.validators.map(({ address }) => address),
      new Map(certificate.signatures.map(({ validator, signature }) => [validator, signature])),
    );
    const attestations = pool.collect(attested);
    return encodeFunctionData({
      abi: pegVerifierAbi,
      functionName: 'submitCheckpoint',
      args: [
        checkpoint,
        certificate.round,
        bytesToHex(packValidators(validators.validators)),
        seal.bitmap,
        seal.signatures,
        bytesToHex(packRelayerSet(relayers)),
        attestations.bitmap,
        attestations.signatures,
      ],
    });
  };

  /** The first burn waits a little for company; an epoch's last block does not wait. */
  const batchWaitMs = (chosen: Attested, latestHeight: bigint): number => {
    if (chosen.key % epochLength === 0n) return 0;
    if (batching?.latestHeight !== latestHeight) batching = { latestHeight, sinceMs: clock.nowMs() };
    return Math.max(0, batching.sinceMs + options.batchMs - clock.nowMs());
  };

  const submit = async (chosen: Attested): Promise<void> => {
    const block = await chain.blockAt(chosen.key);
    if (block === null || block.valueId !== chosen.value)
      return halt.halt(`height ${chosen.key} is attested as ${chosen.value}, not what the own chain holds`);
    const data = await encode(block, chosen);
    let gas: bigint;
    try {
      gas = await client.estimateGas({ account: account.address, to: verifier.address, data });
    } catch (fault) {
      const reason = describeFault(fault);
      if (reason !== refusal)
        logger.error(
          { height: chosen.key, reason },
          'the L1 would refuse this checkpoint; it is tried again',
        );
      refusal = reason;
      return;
    }
    refusal = null;
    await sender.send(chosen.key, { to: verifier.address, data, gas: (gas * GAS_MARGIN_PERCENT) / 100n });
  };

  return {
    verifier: () => seen,
    run: async () => {
      if (halt.reason() !== null || l1.status().state !== 'ready') return null;
      seen = await look();
      const { latestHeight } = seen;
      const unmined = await sender.refresh();
      const quorate = pool.all().filter((attested) => pool.isQuorate(attested));
      const chosen = chooseCheckpoint(quorate, latestHeight, epochLength);
      if (unmined !== null && unmined.height !== null && unmined.height > latestHeight) {
        await sender.nudge();
        return options.bumpAfterMs;
      }
      if (chosen === null) {
        turns.idle();
        batching = null;
        if (unmined !== null) await sender.withdraw();
        return unmined === null ? null : options.bumpAfterMs;
      }
      const waitMs = Math.max(batchWaitMs(chosen, latestHeight), turns.waitMs(latestHeight));
      if (waitMs > 0) return waitMs;
      await submit(chosen);
      return options.bumpAfterMs;
    },
  };
};
