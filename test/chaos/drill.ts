/**
 * One drill on real processes: trouble after trouble while users go on sending, then everything heals, and what must
 * hold is checked.
 *
 * Time is what happens here (how long a node is down, how soon the next blow falls), drawn from the seed; nothing
 * waits for a time where it could wait for a fact.
 */

import { checkEvidence, checkOneChain, checkSigned, checkTransfers } from '#test/chaos/checks.ts';
import type { Links } from '#test/chaos/links.ts';
import { Load } from '#test/chaos/load.ts';
import { ChaosNetwork } from '#test/chaos/network.ts';
import { planDrill, type Step, type Trouble } from '#test/chaos/plan.ts';
import { type Devnet, eventually, heightOf } from '#test/e2e/support/devnet.ts';
import type { FaultName } from '#test/faults/fault.ts';
import { seededRandom } from '#test/sim/cluster/virtualClock.ts';

export type DrillOptions = {
  readonly seed: number;
  readonly kills: number;
  readonly faults: readonly FaultName[];
  /** How soon after the last healing all heights must grow again. */
  readonly recoveryMs: number;
  readonly say: (line: string) => void;
};

export type DrillReport = {
  readonly seed: number;
  readonly links: Links['kind'];
  readonly kills: number;
  readonly freezes: number;
  readonly partitions: number;
  readonly wipes: number;
  readonly faults: readonly FaultName[];
  readonly heights: number;
  readonly transfers: number;
  readonly evidence: number;
  readonly signatures: number;
  /** From the last healing to a higher block on every validator. */
  readonly recoveredMs: number;
  readonly findings: readonly string[];
};

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

const describe = (trouble: Trouble): string => {
  const name = (index: number): string => `validator-${index + 1}`;
  switch (trouble.type) {
    case 'kill':
      return `kill -9 ${trouble.victims.map(name).join(', ')}, down for ${trouble.downMs} ms`;
    case 'freeze':
      return `SIGSTOP ${name(trouble.victim)} for ${trouble.forMs} ms`;
    case 'partition':
      return `partition ${trouble.groups.map((group) => group.map(name).join(' ')).join(' | ')} for ${trouble.forMs} ms`;
    case 'wipe':
      return `wipe ${name(trouble.victim)}`;
    case 'byzantine':
      return `validator-4 as ${trouble.fault} for ${trouble.forMs} ms, meanwhile kill -9 ${name(trouble.victim)}`;
  }
};

const inflict = async (network: ChaosNetwork, trouble: Trouble, seed: number): Promise<void> => {
  const restart = async (index: number): Promise<void> => {
    await network.kill(index);
    network.start(index);
  };
  switch (trouble.type) {
    case 'kill':
      await Promise.all(trouble.victims.map((index) => network.kill(index)));
      await pause(trouble.downMs);
      for (const index of trouble.victims) network.start(index);
      break;
    case 'freeze':
      network.signal(trouble.victim, 'SIGSTOP');
      await pause(trouble.forMs);
      network.signal(trouble.victim, 'SIGCONT');
      break;
    case 'partition':
      await network.links.partition(trouble.groups);
      await pause(trouble.forMs);
      await network.links.heal();
      break;
    case 'wipe':
      await network.kill(trouble.victim);
      network.wipe(trouble.victim);
      network.start(trouble.victim);
      break;
    case 'byzantine': {
      const player = network.members.length - 1;
      await network.kill(player);
      network.startByzantine(player, trouble.fault, seed);
      await eventually('the Byzantine process answering', () =>
        heightOf(network.urls()[player]!).then(() => true),
      );
      await pause(trouble.forMs / 2);
      await restart(trouble.victim);
      await pause(trouble.forMs / 2);
      await restart(player);
      break;
    }
  }
};

/** All validators answer, and each has a block above what any of them had when it was asked. */
const untilGrowing = async (network: ChaosNetwork, boundMs: number): Promise<number> => {
  const started = performance.now();
  const heads = (): Promise<number[]> => Promise.all(network.urls().map(heightOf));
  const from = Math.max(...(await eventually('all validators answering', heads, boundMs)));
  const left = (): number => Math.max(1_000, boundMs - (performance.now() - started));
  await eventually(
    `all validators above ${from}`,
    async () => (await heads()).every((height) => height > from),
    left(),
  );
  return Math.round(performance.now() - started);
};

const count = (steps: readonly Step[], type: Trouble['type']): number =>
  steps.filter(({ trouble }) => trouble.type === type).length;

export const runDrill = async (devnet: Devnet, links: Links, options: DrillOptions): Promise<DrillReport> => {
  const { seed, kills, faults, recoveryMs, say } = options;
  const random = seededRandom(seed);
  const network = await ChaosNetwork.takeOver(devnet, links);
  const { findings, signed } = network;
  const steps = planDrill({ validators: network.members.length, kills, faults }, random);
  const up = (): readonly string[] => network.urls().filter((_, index) => network.isUp(index));
  const load = new Load(up, random);
  const byzantine = faults.length === 0 ? null : network.members.at(-1)!.address;
  const begin = async (): Promise<void> => {
    for (const { index } of network.members) network.start(index);
    try {
      await untilGrowing(network, 120_000);
    } catch (error) {
      throw new Error([(error as Error).message, ...findings].join('\n'), { cause: error });
    }
    await load.start();
  };
  try {
    await begin();
    for (const [index, { trouble, pauseMs }] of steps.entries()) {
      say(`${index + 1}/${steps.length} ${describe(trouble)}`);
      await inflict(network, trouble, seed + index).catch((error: Error) => findings.unshift(error.message));
      if (findings.length > 0) break;
      await pause(pauseMs);
    }
    let recoveredMs = 0;
    try {
      recoveredMs = await untilGrowing(network, recoveryMs);
    } catch (error) {
      findings.push(
        `no progress within ${recoveryMs} ms after the last healing: ${(error as Error).message}`,
      );
    }
    await load.stop();
    await load.settle(network.urls(), 120_000).catch((error: Error) => findings.push(error.message));
    const { heights, counts } = await checkOneChain(network.urls(), findings);
    checkTransfers(load.sent, counts, findings);
    const evidence = await checkEvidence(network.urls(), byzantine, findings);
    await network.stopAll();
    checkSigned(signed, byzantine, findings);
    return {
      seed,
      links: links.kind,
      kills: steps.reduce(
        (sum, { trouble }) => sum + (trouble.type === 'kill' ? trouble.victims.length : 0),
        0,
      ),
      freezes: count(steps, 'freeze'),
      partitions: count(steps, 'partition'),
      wipes: count(steps, 'wipe'),
      faults,
      heights,
      transfers: load.sent.length,
      evidence,
      signatures: signed.size,
      recoveredMs,
      findings,
    };
  } finally {
    await load.stop();
    await network.stopAll();
  }
};
