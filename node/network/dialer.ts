/**
 * Keeps trying to reach every configured peer, for as long as the node runs.
 *
 * Owns when to dial next. Invariants: a peer that is away is tried again within `REDIAL_MS`'s last entry, forever; a
 * peer that refuses us, or that we refuse, waits longer, bounded too; no jitter, so a run can be repeated. The side
 * with the smaller PeerId goes first, so that two nodes rarely dial each other at the same time.
 */
export const REDIAL_MS = [100, 250, 500, 1_000, 2_000];
export const REFUSED_REDIAL_MS = [5_000, 15_000, 60_000];
/** How long the side with the larger PeerId leaves the other one the first try. */
const SECOND_AFTER_MS = 400;

export type DialResult = 'connected' | 'unreachable' | 'refused';

export type DialerOptions = {
  readonly localPeerId: string;
  readonly peerIds: readonly string[];
  /** Resolves when the connection is usable, or why it is not; never rejects. */
  readonly dial: (peerId: string) => Promise<DialResult>;
  /** A connection exists or is about to, whoever dialled it. */
  readonly isLinked: (peerId: string) => boolean;
  readonly banLeftMs: (peerId: string) => number;
};

export type Dialer = {
  start(): void;
  /** The peer has just gone: dial soon. */
  lost(peerId: string): void;
  /** The peer refused us or was refused, on a connection that it had dialled. */
  refused(peerId: string): void;
  stop(): void;
};

type Target = { failures: number; refusals: number; timer: NodeJS.Timeout | null; dialling: boolean };

const at = (delays: readonly number[], attempt: number): number =>
  delays[Math.min(attempt, delays.length - 1)]!;

export const createDialer = (options: DialerOptions): Dialer => {
  const { localPeerId, peerIds, dial, isLinked, banLeftMs } = options;
  const targets = new Map<string, Target>();
  for (const peerId of peerIds)
    targets.set(peerId, { failures: 0, refusals: 0, timer: null, dialling: false });
  let running = false;

  const schedule = (peerId: string, target: Target, delayMs: number): void => {
    if (target.timer !== null) clearTimeout(target.timer);
    target.timer = null;
    if (!running) return;
    target.timer = setTimeout(() => {
      target.timer = null;
      void attempt(peerId, target);
    }, delayMs);
  };

  const attempt = async (peerId: string, target: Target): Promise<void> => {
    if (!running || target.dialling) return;
    const banMs = banLeftMs(peerId);
    if (banMs > 0) return schedule(peerId, target, banMs);
    if (isLinked(peerId)) return schedule(peerId, target, at(REDIAL_MS, Number.POSITIVE_INFINITY));
    target.dialling = true;
    const result = await dial(peerId);
    target.dialling = false;
    if (result === 'connected') {
      target.failures = 0;
      target.refusals = 0;
    }
    const delayMs =
      result === 'unreachable'
        ? at(REDIAL_MS, target.failures++)
        : result === 'refused'
          ? at(REFUSED_REDIAL_MS, target.refusals++)
          : at(REDIAL_MS, Number.POSITIVE_INFINITY);
    schedule(peerId, target, delayMs);
  };

  const firstDelayMs = (peerId: string): number => (localPeerId < peerId ? 0 : SECOND_AFTER_MS);

  return {
    start() {
      running = true;
      for (const [peerId, target] of targets) schedule(peerId, target, firstDelayMs(peerId));
    },
    lost(peerId) {
      const target = targets.get(peerId);
      if (target === undefined || target.dialling) return;
      target.failures = 0;
      schedule(peerId, target, at(REDIAL_MS, 0) + firstDelayMs(peerId));
    },
    refused(peerId) {
      const target = targets.get(peerId);
      if (target === undefined || target.dialling) return;
      schedule(peerId, target, at(REFUSED_REDIAL_MS, target.refusals++));
    },
    stop() {
      running = false;
      for (const target of targets.values()) if (target.timer !== null) clearTimeout(target.timer);
    },
  };
};
