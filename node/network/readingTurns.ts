/**
 * Who may be read from, and for how long: bytes and processor time per peer, by back-pressure.
 *
 * Owns when the socket of a connection is read. Everything that a chunk causes before the event loop moves on
 * (decryption, frames, decoding, signature recoveries) is measured as the processor time of its sender. A sender
 * whose budget is used up is not read again until the budget has recovered: what it sends waits in its own buffers,
 * and costs us nothing. One that took more than a slice lets the others go first.
 *
 * Two budgets of processor time: what reading a peer may cost at all, and, much smaller, what reading it may cost for
 * nothing. Whoever finds something of use in what was read (a vote that counts, a transaction that is new, an answer
 * that was asked for) says so, and the second is refilled. So a peer that says nothing wrong and nothing useful at
 * the highest rate is read for a fortieth of a second in each, and one that carries the load for as long as that takes.
 *
 * Invariants: budgets belong to one sender and are never shared; until the handshake a connection has a small fixed
 * allowance, and ends when it is used up; at most the chunk in hand goes beyond a budget.
 */
import type { MultiaddrConnection } from '@libp2p/interface';
import { type Budget, createTokenBucket, type TokenBucket } from '#node/network/tokenBucket.ts';

export type ReadingBudgets = {
  readonly bytes: Budget;
  readonly cpuMs: Budget;
  readonly uselessCpuMs: Budget;
};

/** Shared by the connections of one peer, and by nobody else. */
export type ReadingAccount = {
  readonly bytes: TokenBucket;
  readonly cpuMs: TokenBucket;
  /** What reading may cost for nothing: refilled by whatever turned out to be of use. */
  readonly uselessCpuMs: TokenBucket;
  /** How often the peer had to wait for its own budget. */
  pauses: number;
};

export type ReadingTurns = {
  createAccount(budgets: ReadingBudgets): ReadingAccount;
  /** From here on this connection's reading is bounded. */
  watch(connection: MultiaddrConnection): void;
  /** The handshake is done: the peer's own account replaces the allowance. The key is the connection's timeline. */
  assign(timeline: object, account: ReadingAccount): void;
};

/** What @libp2p/utils' message streams have beyond their interface; checked at run time. */
type SocketConnection = MultiaddrConnection & {
  readonly readStatus: string;
  onData(data: Uint8Array): void;
  sendPause(): void;
  sendResume(): void;
};

export type ReadingOptions = {
  readonly beforeHandshakeBytes: number;
  /** Processor time after which the others go first. */
  readonly sliceMs: number;
  readonly nowMs: () => number;
  /** Processor time of this thread, in milliseconds. */
  readonly cpuNowMs: () => number;
  readonly onPaused?: (waitMs: number) => void;
};

export const threadCpuMs = (): number => {
  const { user, system } = process.threadCpuUsage();
  return (user + system) / 1_000;
};

const MAX_PAUSE_MS = 10_000;

export const createReadingTurns = (options: ReadingOptions): ReadingTurns => {
  const { beforeHandshakeBytes, sliceMs, nowMs, cpuNowMs, onPaused } = options;
  const accounts = new WeakMap<object, ReadingAccount>();

  /** Resumes only for the reason it paused for: the library pauses and resumes as well. */
  const createBrake = (connection: SocketConnection) => {
    const resume = connection.sendResume.bind(connection);
    let held = false;
    connection.sendResume = () => {
      if (!held) resume();
    };
    const release = (): void => {
      held = false;
      if (connection.status === 'open' && connection.readStatus === 'readable') resume();
    };
    return (waitMs: number): void => {
      if (held) return;
      held = true;
      connection.sendPause();
      if (waitMs === 0) setImmediate(release);
      else setTimeout(release, Math.min(waitMs, MAX_PAUSE_MS)).unref();
    };
  };

  return {
    createAccount: ({ bytes, cpuMs, uselessCpuMs }) => ({
      bytes: createTokenBucket(bytes, nowMs),
      cpuMs: createTokenBucket(cpuMs, nowMs),
      uselessCpuMs: createTokenBucket(uselessCpuMs, nowMs),
      pauses: 0,
    }),

    watch(raw) {
      const connection = requireSocketConnection(raw);
      const deliver = connection.onData.bind(connection);
      const brake = createBrake(connection);
      let allowance = beforeHandshakeBytes;

      const settle = (sizeBytes: number, spentMs: number): void => {
        if (connection.status !== 'open') return;
        const account = accounts.get(connection.timeline);
        if (account === undefined) {
          allowance -= sizeBytes;
          if (allowance < 0) connection.abort(new Error('too many bytes before the handshake'));
          return;
        }
        const waitMs = Math.max(
          account.bytes.spend(sizeBytes),
          account.cpuMs.spend(spentMs),
          account.uselessCpuMs.spend(spentMs),
        );
        if (waitMs > 0) {
          account.pauses++;
          onPaused?.(waitMs);
        }
        if (waitMs > 0 || spentMs > sliceMs) brake(waitMs);
      };

      connection.onData = (data) => {
        const startedMs = cpuNowMs();
        // The tick that a microtask asks for runs when no microtask is left: all that this chunk set off is over then.
        queueMicrotask(() => process.nextTick(() => settle(data.byteLength, cpuNowMs() - startedMs)));
        deliver(data);
      };
    },

    assign(timeline, account) {
      accounts.set(timeline, account);
    },
  };
};

const requireSocketConnection = (connection: MultiaddrConnection): SocketConnection => {
  const candidate = connection as SocketConnection;
  if (
    typeof candidate.onData !== 'function' ||
    typeof candidate.sendPause !== 'function' ||
    typeof candidate.sendResume !== 'function'
  )
    throw new Error(
      'expected a TCP connection of @libp2p/tcp 11 with onData, sendPause and sendResume, found another: reading would be unbounded',
    );
  return candidate;
};
