/**
 * Who together could do harm: how few organisations hold both locks of the peg, can halt the chain, or can decide.
 *
 * Exact, by dynamic programming over the organisations: for each number of organisations and of relayers, the most
 * voting power that they can have.
 */
import type { Plan } from '#genesis/ceremony/plan.ts';

export type Locks = {
  /** The fewest organisations with more than 2/3 of the voting power and enough relayers to sign. */
  readonly fewestWithBothLocks: number;
  /** The fewest that, silent, stop the chain: 1/3 of the voting power. */
  readonly fewestToHalt: number;
  /** The fewest that stop withdrawals: so many relayers that the others do not reach the threshold. */
  readonly fewestToStopRelaying: number;
  /** How many decide on validators, relayers and upgrades: two thirds of the organisations. */
  readonly decidingOrganisations: number;
  readonly organisations: number;
};

/** Least k with some k of them having the power and the relayers. */
const fewest = (
  members: readonly { readonly power: bigint; readonly relayers: number }[],
  hasEnoughPower: (power: bigint) => boolean,
  relayersNeeded: number,
): number => {
  // most[k][r]: the most power of k members that have r relayers together, r capped at what is needed
  const most: (bigint | undefined)[][] = Array.from({ length: members.length + 1 }, () => []);
  most[0]![0] = 0n;
  for (const { power, relayers } of members)
    for (let k = members.length - 1; k >= 0; k--)
      for (let r = relayersNeeded; r >= 0; r--) {
        const known = most[k]![r];
        if (known === undefined) continue;
        const reached = Math.min(relayersNeeded, r + relayers);
        const candidate = known + power;
        const best = most[k + 1]![reached];
        if (best === undefined || best < candidate) most[k + 1]![reached] = candidate;
      }
  const index = most.findIndex((row) => {
    const power = row[relayersNeeded];
    return power !== undefined && hasEnoughPower(power);
  });
  return index;
};

export const planToLocks = ({ organisations, relayerThreshold }: Plan): Locks => {
  const members = organisations.map(({ validators, relayers }) => ({
    power: validators.reduce((sum, { power }) => sum + BigInt(power), 0n),
    relayers: relayers.length,
  }));
  const total = members.reduce((sum, { power }) => sum + power, 0n);
  const relayers = members.reduce((sum, member) => sum + member.relayers, 0);
  const threshold = Number(relayerThreshold);
  return {
    fewestWithBothLocks: fewest(members, (power) => 3n * power > 2n * total, threshold),
    fewestToHalt: fewest(members, (power) => 3n * power >= total, 0),
    fewestToStopRelaying: fewest(members, () => true, relayers - threshold + 1),
    decidingOrganisations: Math.ceil((2 * organisations.length) / 3),
    organisations: organisations.length,
  };
};
