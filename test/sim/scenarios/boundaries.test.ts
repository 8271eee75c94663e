/**
 * Scenario 27 on the simulator: all four die at one effect boundary of one height, at each of them in turn.
 *
 * A boundary is the moment before or after a disk operation, a signature, a message or a commit of one validator; the
 * other three die in whatever they are in the middle of. The checker watches each run from outside.
 */
import type { Keep, Plan, ValidatorPlan } from '#test/sim/plan.ts';
import type { SimNode } from '#test/sim/simNode.ts';
import { World } from '#test/sim/world.ts';
import { quietPlan } from './quietPlan.ts';

const HEIGHT = 2n;
/** Virtual time from the moment of the deaths until all four have the height after it. */
const RESUMES_WITHIN_MS = 5_000;
const DOWN_MS = 100;

type Boundary = { readonly validator: number; readonly effect: number };

/** Disks and signers take their time, so that the others are in the middle of something too. */
const BUSY: Partial<ValidatorPlan> = { syncMs: [0, 40], signerMs: [0, 40] };

const planOf = (boundary: Boundary | null, keep: Keep): Plan =>
  quietPlan(
    {
      seed: 27,
      network: { delayMs: [1, 5], loss: 0, duplicate: 0 },
      faults: boundary === null ? [] : [{ type: 'crash', ...boundary, keep, downMs: DOWN_MS }],
    },
    [BUSY, BUSY, BUSY, BUSY],
  );

/** Whoever is to die takes the others along. */
class Together extends World {
  override crash(node: SimNode, keep: Keep, downMs: number): void {
    this.diedAtMs = this.clock.nowMs();
    for (const each of this.nodes) super.crash(each, keep, downMs);
    expect(node.process).toBeNull();
  }
  diedAtMs: number | null = null;
}

const begin = (boundary: Boundary | null, keep: Keep): Together => {
  const world = new Together(planOf(boundary, keep), null);
  world.begin();
  return world;
};

const areAt = (world: World, height: bigint): boolean => world.nodes.every((node) => node.height() >= height);

/** Every effect of every validator from its commit of the height before to its commit of this one. */
const boundariesOf = async (): Promise<readonly Boundary[]> => {
  const world = begin(null, 'none');
  const first = new Map<SimNode, number>();
  const last = new Map<SimNode, number>();
  const end = world.clock.nowMs() + 60_000;
  await world.clock.drive(end, () => {
    for (const node of world.nodes) {
      if (node.height() === HEIGHT - 1n && !first.has(node)) first.set(node, node.effects.count);
      if (node.height() === HEIGHT && !last.has(node)) last.set(node, node.effects.count);
    }
    return areAt(world, HEIGHT);
  });
  for (const node of world.nodes) node.kill();
  return world.nodes.flatMap((node) => {
    const from = first.get(node)!;
    const count = last.get(node)! - from;
    return Array.from({ length: count }, (_, index) => ({
      validator: node.index,
      effect: from + index + 1,
    }));
  });
};

const describeRun = (world: World): string =>
  world.nodes
    .map((node) => {
      const status = node.isUp ? node.host?.status() : undefined;
      return `${node.name} ${node.height()} ${status?.halted?.message ?? status?.observing ?? status?.waitingFor ?? ''}`;
    })
    .join('; ');

test.each([
  ['kill -9', 'all'],
  ['a power cut', 'torn'],
] as const)(
  '27 · %s of all four at each effect boundary of a height: it resumes in bounded time',
  async (_death, keep) => {
    const boundaries = await boundariesOf();
    expect(boundaries.length).toBeGreaterThan(100);
    const failures: string[] = [];
    for (const boundary of boundaries) {
      const world = begin(boundary, keep);
      const { checker, clock } = world;
      await clock.drive(clock.nowMs() + 60_000, () => world.diedAtMs !== null);
      const goal = world.highest() + 2n;
      const since = clock.nowMs();
      await clock.drive(since + RESUMES_WITHIN_MS, () => checker.violation !== null || areAt(world, goal));
      for (const node of world.nodes) world.inspectGuard(node);
      await clock.drive(clock.nowMs(), () => true);
      const where = `v${boundary.validator + 1} at effect ${boundary.effect}`;
      if (checker.violation !== null)
        failures.push(`${where}: ${checker.violation.code} ${checker.violation.message}`);
      else if (world.counters.crashes !== 4 || !areAt(world, goal))
        failures.push(`${where}: ${world.counters.crashes} died; ${describeRun(world)}`);
      for (const node of world.nodes) node.kill();
    }
    expect(failures).toEqual([]);
  },
  300_000,
);
