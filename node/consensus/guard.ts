/**
 * The sign guard: what this key last signed, durable before a signature is released (RULES 13).
 *
 * Owns (height, round, step, valueId, digest, signature) of the newest signature, enough to repeat a vote whose log is
 * lost, and the height's last non-nil precommit, which is the lock. It is not the WAL: the WAL replays, the guard refuses. Invariants: (height, round, step) never goes
 * back; one (height, round, step) has one digest; a prevote for another value than the lock's needs a polka for that
 * value from a round ≥ the lock's (line 29); no state means refuse, never zero.
 *
 * Format: two slots in one file, 4,096 bytes apart, written in turn in place and synced; the newest whole one counts.
 * A slot torn by a crash belongs to a signature that was never released.
 */
import {
  type Address,
  bytesToHex,
  concatBytes,
  type Hash,
  hexToBytes,
  type Signature,
  toBigEndian,
  ZERO_HASH,
} from '#consensus/primitives.ts';
import { NIL, type SignedVote } from '#consensus/types.ts';
import { crc32 } from '#node/consensus/crc32.ts';
import type { Disk, DiskFile } from '#node/consensus/disk.ts';

export const GUARD_FILE = 'guard';

/** In the order in which one round signs them. */
export const GUARD_STEPS = ['proposal', 'prevote', 'precommit'] as const;
export type GuardStep = (typeof GUARD_STEPS)[number];

export type GuardLock = { readonly round: number; readonly valueId: Hash };

export type GuardState = {
  readonly height: bigint;
  readonly round: number;
  readonly step: GuardStep;
  /** The value voted for, `NIL` for nil; null for a proposal. */
  readonly valueId: Hash | null;
  readonly digest: Hash;
  /** Null in the state that initialisation writes, and in one that an operator closed (guardChange.ts). */
  readonly signature: Signature | null;
  /** The last non-nil precommit of this height. */
  readonly lock: GuardLock | null;
  /** What else was signed in this height is not known here, so nothing more is: peers or an operator told (RULES 14). */
  readonly learned?: true;
};

export type GuardRequest = {
  readonly height: bigint;
  readonly round: number;
  readonly step: GuardStep;
  readonly digest: Hash;
  /** The value voted for; null for nil and for proposals. */
  readonly valueId: Hash | null;
  /** Newest round with a known polka for that value; null when none is known. */
  readonly polkaRound: number | null;
};

export type GuardErrorCode =
  | 'GUARD_BACKWARD'
  | 'GUARD_CONFLICT'
  | 'GUARD_LOCKED'
  | 'GUARD_CORRUPT'
  | 'GUARD_FOREIGN'
  | 'GUARD_EXISTS'
  | 'GUARD_TOO_FAR'
  | 'GUARD_IO';

export class GuardError extends Error {
  override readonly name = 'GuardError';
  readonly code: GuardErrorCode;
  constructor(code: GuardErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

export interface SignGuard {
  state(): GuardState;
  /**
   * Checks, lets `sign` make the signature, makes both durable, and only then returns it. The digest that was signed
   * last gets its old signature again. @throws GuardError
   */
  release(request: GuardRequest, sign: () => Promise<Signature>): Promise<Signature>;
  /** Takes over a newer signature of ours that was found elsewhere (RULES 14); an older one changes nothing. */
  raise(found: GuardState): Promise<void>;
  /** For an operator: whatever `change` makes of the state, if it is not lower. @throws GuardError GUARD_BACKWARD */
  amend(change: (state: GuardState) => GuardState): Promise<void>;
  close(): Promise<void>;
}

export type GuardOwner = { readonly validator: Address; readonly genesisHash: Hash };

const MAGIC = new TextEncoder().encode('CWGUARD\x01');
const SLOT_OFFSETS = [0, 4_096] as const;
const SLOT_BYTES = 252;

/** Of a key that has never signed. */
export const UNSIGNED: GuardState = {
  height: 0n,
  round: 0,
  step: 'proposal',
  valueId: null,
  digest: ZERO_HASH,
  signature: null,
  lock: null,
};

const uintBytes = (value: bigint | number, sizeBytes: number): Uint8Array =>
  toBigEndian(BigInt(value), sizeBytes);

/** 0 nothing signed yet, 1 signed here, 2 learned of a signature, 3 closed by the operator without one */
const flagOf = ({ signature, learned }: GuardState): number =>
  signature === null ? (learned ? 3 : 0) : learned ? 2 : 1;

const encodeSlot = (sequence: bigint, state: GuardState, owner: GuardOwner): Uint8Array => {
  const fields = concatBytes(
    MAGIC,
    uintBytes(sequence, 8),
    hexToBytes(owner.genesisHash),
    hexToBytes(owner.validator),
    uintBytes(state.height, 8),
    uintBytes(state.round, 4),
    uintBytes(GUARD_STEPS.indexOf(state.step), 1),
    hexToBytes(state.digest),
    uintBytes(flagOf(state), 1),
    state.signature === null ? new Uint8Array(65) : hexToBytes(state.signature),
    uintBytes(state.lock === null ? 0 : 1, 1),
    uintBytes(state.lock?.round ?? 0, 4),
    hexToBytes(state.lock?.valueId ?? ZERO_HASH),
    hexToBytes(state.valueId ?? ZERO_HASH),
  );
  return concatBytes(fields, uintBytes(crc32(fields), 4));
};

type Slot = { readonly sequence: bigint; readonly owner: GuardOwner; readonly state: GuardState };

const decodeSlot = (bytes: Uint8Array): Slot | null => {
  if (bytes.length < SLOT_BYTES) return null;
  const view = new DataView(bytes.buffer, bytes.byteOffset, SLOT_BYTES);
  const slice = (from: number, length: number): Uint8Array => bytes.subarray(from, from + length);
  if (crc32(slice(0, SLOT_BYTES - 4)) !== view.getUint32(SLOT_BYTES - 4)) return null;
  if (bytesToHex(slice(0, 8)) !== bytesToHex(MAGIC)) return null;
  const step = GUARD_STEPS[view.getUint8(80)];
  const flag = view.getUint8(113);
  if (step === undefined || flag > 3) return null;
  const lock =
    view.getUint8(179) === 1
      ? { round: view.getUint32(180), valueId: bytesToHex(slice(184, 32)) as Hash }
      : null;
  return {
    sequence: view.getBigUint64(8),
    owner: {
      genesisHash: bytesToHex(slice(16, 32)) as Hash,
      validator: bytesToHex(slice(48, 20)) as Address,
    },
    state: {
      height: view.getBigUint64(68),
      round: view.getUint32(76),
      step,
      valueId: step === 'proposal' ? null : (bytesToHex(slice(216, 32)) as Hash),
      digest: bytesToHex(slice(81, 32)) as Hash,
      signature: flag === 0 || flag === 3 ? null : (bytesToHex(slice(114, 65)) as Signature),
      lock,
      ...(flag >= 2 ? { learned: true as const } : {}),
    },
  };
};

/** Negative if `a` comes before `b` in signing order. */
export const compareSigningOrder = (
  a: Pick<GuardState, 'height' | 'round' | 'step'>,
  b: Pick<GuardState, 'height' | 'round' | 'step'>,
): number => {
  if (a.height !== b.height) return a.height < b.height ? -1 : 1;
  if (a.round !== b.round) return a.round - b.round;
  return GUARD_STEPS.indexOf(a.step) - GUARD_STEPS.indexOf(b.step);
};

const describe = ({ height, round, step }: Pick<GuardState, 'height' | 'round' | 'step'>): string =>
  `${step} of height ${height} round ${round}`;

/** Pure: may this be signed after that? The stored signature if it was already. @throws GuardError */
export const checkGuard = (state: GuardState, request: GuardRequest): Signature | null => {
  const order = compareSigningOrder(request, state);
  if (order < 0)
    throw new GuardError(
      'GUARD_BACKWARD',
      `expected something after the ${describe(state)}, found the ${describe(request)}: already past it, not signed`,
    );
  if (order === 0) {
    if (state.signature !== null && state.digest === request.digest) return state.signature;
    throw new GuardError(
      'GUARD_CONFLICT',
      `expected the ${describe(request)} with digest ${state.digest}, found ${request.digest}: signing both would be equivocation`,
    );
  }
  if (state.learned && state.height === request.height)
    throw new GuardError(
      'GUARD_BACKWARD',
      `expected something above height ${state.height}, in which peers knew a newer vote of ours than this guard, found the ${describe(request)}: not signed`,
    );
  checkLock(state, request);
  return null;
};

const checkLock = (state: GuardState, { height, round, step, valueId, polkaRound }: GuardRequest): void => {
  if (valueId === null) return;
  if (step === 'precommit' && polkaRound !== round)
    throw new GuardError(
      'GUARD_LOCKED',
      `expected a polka for ${valueId} in round ${round} before its precommit, found ${polkaRound === null ? 'none' : `one in round ${polkaRound}`}`,
    );
  const lock = state.height === height ? state.lock : null;
  if (lock === null || lock.valueId === valueId) return;
  if (polkaRound === null || polkaRound < lock.round)
    throw new GuardError(
      'GUARD_LOCKED',
      `expected a polka for ${valueId} from round ${lock.round} or later, because ${lock.valueId} was precommitted in round ${lock.round}; found ${polkaRound === null ? 'none' : `one in round ${polkaRound}`}`,
    );
};

const nextState = (state: GuardState, request: GuardRequest, signature: Signature): GuardState => {
  const { height, round, step, digest, valueId } = request;
  const kept = state.height === height ? state.lock : null;
  const lock = step === 'precommit' && valueId !== null ? { round, valueId } : kept;
  const voted = step === 'proposal' ? null : (valueId ?? NIL);
  return { height, round, step, valueId: voted, digest, signature, lock };
};

/** The newest signature as a vote of ours, to be repeated when the log that held it is lost; null if it is none. */
export const guardToVote = (
  { height, round, step, valueId, signature }: GuardState,
  validator: Address,
): SignedVote | null =>
  step === 'proposal' || valueId === null || signature === null
    ? null
    : { type: step, height, round, valueId, validator, signature, payloadHash: null };

const newestSlot = (bytes: Uint8Array): Slot | null => {
  const slots = SLOT_OFFSETS.map((offset) => decodeSlot(bytes.subarray(offset, offset + SLOT_BYTES)));
  return slots.reduce(
    (best, slot) => (slot !== null && (best === null || slot.sequence > best.sequence) ? slot : best),
    null,
  );
};

const guardOf = (file: DiskFile, owner: GuardOwner, initial: Slot): SignGuard => {
  let { state, sequence } = initial;
  let broken: GuardError | null = null;
  let tail: Promise<unknown> = Promise.resolve();

  const persist = async (next: GuardState): Promise<void> => {
    try {
      await file.write(SLOT_OFFSETS[Number((sequence + 1n) % 2n)]!, encodeSlot(sequence + 1n, next, owner));
      await file.sync();
    } catch (error) {
      broken = new GuardError(
        'GUARD_IO',
        `expected the sign guard to be written and synced, found ${error instanceof Error ? error.message : String(error)}: nothing is signed any more; check the disk and restart`,
        { cause: error },
      );
      throw broken;
    }
    sequence += 1n;
    state = next;
  };

  const serially = <T>(action: () => Promise<T>): Promise<T> => {
    const run = tail.then(() => {
      if (broken !== null) throw broken;
      return action();
    });
    tail = run.catch(() => undefined);
    return run;
  };

  return {
    state: () => state,
    release: (request, sign) =>
      serially(async () => {
        const known = checkGuard(state, request);
        if (known !== null) return known;
        const signature = await sign();
        await persist(nextState(state, request, signature));
        return signature;
      }),
    raise: (found) =>
      serially(async () => {
        if (compareSigningOrder(found, state) <= 0) return;
        const kept = found.height === state.height ? state.lock : null;
        const lock = found.lock !== null && found.lock.round >= (kept?.round ?? -1) ? found.lock : kept;
        await persist({ ...found, lock });
      }),
    amend: (change) =>
      serially(async () => {
        const next = change(state);
        if (next === state) return;
        if (compareSigningOrder(next, state) < 0)
          throw new GuardError(
            'GUARD_BACKWARD',
            `expected something not before the ${describe(state)}, found the ${describe(next)}: the guard never goes back`,
          );
        await persist(next);
      }),
    close: async () => {
      await tail;
      await file.close();
    },
  };
};

/** Pure: what the bytes of a guard file hold; null when neither slot is whole. For looking, not for signing. */
export const parseGuard = (
  bytes: Uint8Array,
): { readonly owner: GuardOwner; readonly state: GuardState; readonly wholeSlots: number } | null => {
  const slot = newestSlot(bytes);
  if (slot === null) return null;
  const { owner, state } = slot;
  const wholeSlots = SLOT_OFFSETS.filter(
    (at) => decodeSlot(bytes.subarray(at, at + SLOT_BYTES)) !== null,
  ).length;
  return { owner, state, wholeSlots };
};

/** A crash while the file was made: nothing was ever signed with it, or its second slot would be there as well. */
const isUnfinished = (bytes: Uint8Array): boolean => bytes.length <= SLOT_BYTES && newestSlot(bytes) === null;

/** Null when there is no guard: the caller observes (past genesis) or initialises explicitly. @throws GuardError GUARD_CORRUPT, GUARD_FOREIGN */
export const openGuard = async (disk: Disk, owner: GuardOwner): Promise<SignGuard | null> => {
  const file = await disk.open(GUARD_FILE, { create: false });
  if (file === null) return null;
  const bytes = await file.read();
  const slot = newestSlot(bytes);
  if (isUnfinished(bytes)) {
    await file.close();
    return null;
  }
  const fault = slot === null ? corruptGuard() : foreignGuard(slot, owner);
  if (slot === null || fault !== null) {
    await file.close();
    throw fault;
  }
  return guardOf(file, owner, slot);
};

const corruptGuard = (): GuardError =>
  new GuardError(
    'GUARD_CORRUPT',
    'expected one whole slot in the sign guard, found none: this node does not sign. Restore the file, or empty the whole data folder; the node then syncs and asks its peers for its newest vote before it signs',
  );

const foreignGuard = ({ owner: found }: Slot, owner: GuardOwner): GuardError | null =>
  found.genesisHash === owner.genesisHash && found.validator === owner.validator
    ? null
    : new GuardError(
        'GUARD_FOREIGN',
        `expected the sign guard of ${owner.validator} on chain ${owner.genesisHash}, found that of ${found.validator} on ${found.genesisHash}: use this validator's own data folder`,
      );

/**
 * For a validator that has never signed: only at genesis, only when asked for. An operator who moves a key begins with
 * the state that it had. @throws GuardError GUARD_EXISTS
 */
export const initialiseGuard = async (
  disk: Disk,
  owner: GuardOwner,
  state: GuardState = UNSIGNED,
): Promise<SignGuard> => {
  const file = (await disk.open(GUARD_FILE, { create: true }))!;
  if (!isUnfinished(await file.read())) {
    await file.close();
    throw new GuardError('GUARD_EXISTS', 'expected no sign guard, found one: it is never overwritten');
  }
  const first: Slot = { sequence: 0n, owner, state };
  await file.write(SLOT_OFFSETS[0], encodeSlot(0n, state, owner));
  await file.sync();
  return guardOf(file, owner, first);
};
