/** What happens in a drill, drawn from its seed: kills in plenty, with a freeze, a partition or a wiped disk among them. */
import type { FaultName } from '#test/faults/fault.ts';

export type Trouble =
  /** These validators, at once; each comes back after `downMs`. */
  | { readonly type: 'kill'; readonly victims: readonly number[]; readonly downMs: number }
  | { readonly type: 'freeze'; readonly victim: number; readonly forMs: number }
  | { readonly type: 'partition'; readonly groups: readonly (readonly number[])[]; readonly forMs: number }
  | { readonly type: 'wipe'; readonly victim: number }
  /** Plays the fault in the place of the last validator, while another one is killed. */
  | {
      readonly type: 'byzantine';
      readonly fault: FaultName;
      readonly forMs: number;
      readonly victim: number;
    };

export type Step = { readonly trouble: Trouble; readonly pauseMs: number };

export type PlanOptions = {
  readonly validators: number;
  readonly kills: number;
  readonly faults: readonly FaultName[];
};

export const BYZANTINE_MS = 6_000;
const FREEZE_MS = 3_000;

/** @param random seeded, [0, 1) */
export const planDrill = (
  { validators, kills, faults }: PlanOptions,
  random: () => number,
): readonly Step[] => {
  const below = (limit: number): number => Math.floor(random() * limit);
  const shuffled = (): number[] => {
    const order = Array.from({ length: validators }, (_, index) => index);
    for (let i = order.length - 1; i > 0; i--) {
      const j = below(i + 1);
      [order[i], order[j]] = [order[j]!, order[i]!];
    }
    return order;
  };
  const kill = (most: number): Trouble => {
    const victims = random() < 0.8 ? 1 : 1 + below(validators);
    return { type: 'kill', victims: shuffled().slice(0, Math.min(most, victims)), downMs: below(2_000) };
  };
  const partition = (): Trouble => {
    const order = shuffled();
    const at = random() < 0.5 ? 1 : Math.floor(validators / 2);
    return { type: 'partition', groups: [order.slice(0, at), order.slice(at)], forMs: 2_000 + below(4_000) };
  };
  const others = Math.max(1, Math.round(kills / 20));
  const troubles: Trouble[] = [];
  for (let left = kills; left > 0; ) {
    const trouble = kill(left);
    left -= trouble.type === 'kill' ? trouble.victims.length : 0;
    troubles.push(trouble);
  }
  const extra = Array.from({ length: others }, (): Trouble[] => [
    { type: 'freeze', victim: below(validators), forMs: FREEZE_MS },
    partition(),
  ]).flat();
  for (const trouble of [...extra, { type: 'wipe', victim: below(validators) } as const])
    troubles.splice(below(troubles.length + 1), 0, trouble);
  // Last, because whoever has been Byzantine is not asked to have been honest afterwards.
  for (const fault of faults)
    troubles.push({ type: 'byzantine', fault, forMs: BYZANTINE_MS, victim: below(validators - 1) });
  return troubles.map((trouble) => ({ trouble, pauseMs: below(1_500) }));
};
