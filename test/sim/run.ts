/**
 * One run: a plan goes in, a hash and perhaps a violation come out.
 *
 * Owns the course: faults until enough heights or time, then their end, then progress within a bound. Deterministic:
 * nothing of the machine, its clock or its load enters.
 */

import { MAX_VALUES } from '#consensus/heightState.ts';
import { AHEAD_ROUNDS, KEPT_ROUNDS } from '#consensus/voteKeeper.ts';
import { MAX_PAYLOADS } from '#node/consensus/payloads.ts';
import type { Violation } from './checker.ts';
import { useRealSignatures } from './keyedHash.ts';
import type { Plan } from './plan.ts';
import { World } from './world.ts';

export type RunResult = {
  readonly seed: number;
  /** Over every event. */
  readonly hash: string;
  readonly violation: Violation | null;
  readonly heights: number;
  readonly events: number;
  readonly virtualMs: number;
  readonly crashes: number;
  readonly starts: number;
  readonly messages: number;
  readonly dropped: number;
  readonly maxRound: number;
  readonly evidence: number;
  readonly refusals: number;
  readonly syncs: number;
  readonly byzantine: readonly string[];
};

/** Once the faults are over, all honest validators have so many more blocks … */
const PROGRESS_HEIGHTS = 5n;
/** … within this, which covers rounds of Byzantine proposers with timeouts that have grown to their cap. */
const PROGRESS_MS = 300_000;
/** A host's status is asked for at every n-th event. */
const STATUS_EVERY = 64;
/** Lock, valid value, polka of the proposal, the round itself and the next. */
const PINNED_AND_NEXT = 5;
/** Its first, its second, and those for the five values that may have support (tally.ts). */
const VOTES_OF_EQUIVOCATOR = 7;
/** Three for each of two rounds, and one for each payload that is waited for. */
const MAX_TIMERS = 6 + MAX_PAYLOADS;
const MAX_DISK_BYTES = 4 * 1024 * 1024;
const MAX_DISK_FILES = 8;

export const runPlan = async (
  plan: Plan,
  print: ((line: string) => void) | null = null,
): Promise<RunResult> => {
  useRealSignatures(plan.signatures === 'secp256k1');
  const world = new World(plan, print);
  const { checker, clock } = world;
  const onUnhandled = (error: unknown): void =>
    checker.fail(
      'THREW',
      `unhandled rejection: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`,
    );
  process.on('unhandledRejection', onUnhandled);
  try {
    world.begin();
    const endOfFaults = clock.nowMs() + plan.faultsMs;
    const isOver = (): boolean => {
      checkHosts(world);
      return checker.violation !== null;
    };
    const enough = BigInt(plan.faultHeights);
    await clock.drive(endOfFaults, () => isOver() || world.highest() >= enough);
    if (checker.violation === null) {
      world.heal();
      const target = [BigInt(plan.heights), world.highest() + PROGRESS_HEIGHTS].reduce((a, b) =>
        a > b ? a : b,
      );
      const isThere = (): boolean => world.honest().every((node) => node.isUp && node.height() >= target);
      await clock.drive(clock.nowMs() + PROGRESS_MS, () => isOver() || isThere());
      if (checker.violation === null && !isThere()) checker.fail('STALLED', describeStall(world, target));
    }
    if (checker.violation === null) await checkEnd(world);
  } finally {
    process.off('unhandledRejection', onUnhandled);
  }
  if (checker.violation !== null)
    world.events.add('violation', `${checker.violation.code} ${checker.violation.message}`);
  const { crashes, starts, evidence, refusals, syncs } = world.counters;
  const result: RunResult = {
    seed: plan.seed,
    hash: world.events.digest(),
    violation: checker.violation,
    heights: Number(world.highest()),
    events: world.events.count,
    virtualMs: world.nowMs(),
    crashes,
    starts,
    messages: world.hub.sent,
    dropped: world.hub.dropped,
    maxRound: checker.maxRound,
    evidence,
    refusals,
    syncs,
    byzantine: plan.validators.flatMap(({ byzantine }) => byzantine ?? []),
  };
  for (const node of world.nodes) node.kill();
  return result;
};

const checked = new WeakMap<World, { events: number; turn: number }>();

/** One host after the other, so that each is looked at often and none of it costs much. */
const checkHosts = (world: World): void => {
  const at = checked.get(world) ?? { events: 0, turn: 0 };
  checked.set(world, at);
  if (world.events.count - at.events < STATUS_EVERY) return;
  at.events = world.events.count;
  const node = world.nodes[at.turn++ % world.nodes.length]!;
  if (node.isHonest && node.isUp && node.host !== null) checkHost(world, node);
};

const checkHost = ({ checker, plan }: World, node: World['nodes'][number]): void => {
  try {
    const status = node.host!.status();
    if (status.height > node.height() + 1n)
      checker.fail('HEIGHT_WENT_BACK', `${node.name} is in ${status.height}, its chain at ${node.height()}`);
  } catch (error) {
    checker.fail(
      'THREW',
      `status of ${node.name}: ${error instanceof Error ? error.message : String(error)}`,
    );
  }
  checkMemory({ checker, plan }, node);
  const sizes = node.disk.sizes();
  const bytes = sizes.reduce((sum, size) => sum + size, 0);
  if (sizes.length > MAX_DISK_FILES || bytes > MAX_DISK_BYTES)
    checker.fail('UNBOUNDED', `${node.name}: ${bytes} bytes in ${sizes.length} files`);
};

/** The bounds that the parts promise, with this many validators. */
const checkMemory = (
  { checker, plan }: Pick<World, 'checker' | 'plan'>,
  node: World['nodes'][number],
): void => {
  const memory = node.host?.memory();
  if (memory === null || memory === undefined) return;
  const count = plan.validators.length;
  const rounds = KEPT_ROUNDS + PINNED_AND_NEXT + AHEAD_ROUNDS * count;
  const bounds = {
    rounds,
    votes: rounds * 2 * count * VOTES_OF_EQUIVOCATOR,
    proposals: rounds,
    derived: MAX_VALUES + PINNED_AND_NEXT,
    payloads: MAX_PAYLOADS + PINNED_AND_NEXT + 2 * count,
    timers: MAX_TIMERS,
  };
  for (const [what, bound] of Object.entries(bounds))
    if (memory[what as keyof typeof bounds] > bound)
      checker.fail(
        'UNBOUNDED',
        `${node.name} keeps ${memory[what as keyof typeof bounds]} ${what}, expected at most ${bound}`,
      );
};

const checkEnd = async (world: World): Promise<void> => {
  for (const node of world.honest()) {
    checkHost(world, node);
    const { observing, halted } = node.host!.status();
    if (observing !== null || halted !== null)
      world.checker.fail('DOES_NOT_SIGN', `${node.name}: ${observing ?? halted?.message}`);
    world.inspectGuard(node);
  }
  await world.clock.drive(world.clock.nowMs(), () => true);
};

const describeStall = (world: World, target: bigint): string =>
  `expected height ${target} within ${PROGRESS_MS / 1_000} s after the faults; ${world
    .honest()
    .map((node) => {
      const status = node.isUp ? node.host?.status() : undefined;
      const why = status?.halted?.message ?? status?.observing ?? status?.waitingFor ?? '';
      return `${node.name} at ${node.height()}, ${status === undefined ? 'down' : `${status.round}/${status.step} ${why}`}`;
    })
    .join('; ')}`;
