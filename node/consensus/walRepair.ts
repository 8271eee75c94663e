/**
 * What to do about a damaged log, and doing it: only while the node is stopped.
 *
 * Owns the plan and its order: guard first, then the file, so that a crash in between leaves a log that is still
 * damaged, never a guard that knows too little. Nothing is ever deleted: a corrupt log is renamed. After a corruption
 * the disk cannot be trusted with the guard either, so the height is closed for this key unless the operator trusts
 * the guard and nothing in the log says otherwise.
 */
import type { Address } from '#consensus/primitives.ts';
import { NIL, type SignedVote } from '#consensus/types.ts';
import {
  compareSigningOrder,
  type GuardLock,
  type GuardState,
  type SignGuard,
} from '#node/consensus/guard.ts';
import { closeHeight } from '#node/consensus/guardChange.ts';
import type { WalEntry, WalScan } from '#node/consensus/walScan.ts';

export type WalRepair =
  | { readonly action: 'none'; readonly name: string }
  | {
      readonly action: 'truncate';
      readonly name: string;
      readonly toBytes: number;
      readonly lostBytes: number;
    }
  | {
      readonly action: 'moveAside';
      readonly name: string;
      readonly to: string;
      readonly height: bigint;
      /** The newest lock that the readable records know of. */
      readonly lock: GuardLock | null;
      readonly closesHeight: boolean;
    };

type Signed = Pick<GuardState, 'height' | 'round' | 'step'>;

const ownVotesOf = (entries: readonly WalEntry[]): readonly SignedVote[] =>
  entries.flatMap(({ record }) =>
    record?.type === 'input' && record.input.type === 'ownVote' ? [record.input.vote] : [],
  );

const signedOf = (entries: readonly WalEntry[]): readonly Signed[] =>
  entries.flatMap(({ record }): Signed[] => {
    if (record?.type !== 'input') return [];
    const { input } = record;
    if (input.type === 'ownVote') return [{ ...input.vote, step: input.vote.type }];
    return input.type === 'ownProposal' ? [{ ...input.proposal, step: 'proposal' }] : [];
  });

const newestLock = (votes: readonly SignedVote[], validator: Address | null): GuardLock | null =>
  votes.reduce<GuardLock | null>((lock, vote) => {
    const locks =
      vote.type === 'precommit' &&
      vote.valueId !== NIL &&
      (validator === null || vote.validator === validator);
    return locks && (lock === null || vote.round > lock.round)
      ? { round: vote.round, valueId: vote.valueId }
      : lock;
  }, null);

export type PlanOptions = {
  readonly name: string;
  readonly height: bigint;
  /** A free name beside it. */
  readonly asideName: string;
  readonly guard: { readonly owner: { readonly validator: Address }; readonly state: GuardState } | null;
  /** The operator says that the guard lost nothing. */
  readonly trustGuard: boolean;
};

export const planWalRepair = (scan: WalScan, options: PlanOptions): WalRepair => {
  const { name, height, guard } = options;
  if (scan.damage === null) return { action: 'none', name };
  const { at, kind } = scan.damage;
  if (kind === 'torn') return { action: 'truncate', name, toBytes: at, lostBytes: scan.sizeBytes - at };
  const readable = [...scan.entries, ...scan.behind];
  const isGuardBehind = signedOf(readable).some(
    (signed) => guard === null || compareSigningOrder(signed, guard.state) > 0,
  );
  return {
    action: 'moveAside',
    name,
    to: options.asideName,
    height,
    lock: newestLock(ownVotesOf(readable), guard?.owner.validator ?? null),
    closesHeight: guard !== null && guard.state.height <= height && (isGuardBehind || !options.trustGuard),
  };
};

/** The guard's part of moving a log aside. */
export const guardAfterRepair = (
  state: GuardState,
  { height, lock }: Pick<Extract<WalRepair, { action: 'moveAside' }>, 'height' | 'lock'>,
): GuardState => {
  const closed = closeHeight(state, height);
  if (closed.height !== height || lock === null || (closed.lock !== null && closed.lock.round >= lock.round))
    return closed;
  return { ...closed, lock };
};

export type RepairFiles = {
  truncate(name: string, sizeBytes: number): Promise<void>;
  /** Durable when it resolves; never replaces a file. */
  rename(name: string, to: string): Promise<void>;
};

export const applyWalRepair = async (
  repair: WalRepair,
  guard: SignGuard | null,
  files: RepairFiles,
): Promise<void> => {
  if (repair.action === 'truncate') await files.truncate(repair.name, repair.toBytes);
  if (repair.action !== 'moveAside') return;
  if (repair.closesHeight) await guard?.amend((state) => guardAfterRepair(state, repair));
  await files.rename(repair.name, repair.to);
};
