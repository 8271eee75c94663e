/**
 * Random numbers by name: each part of a run draws from a stream of its own, so that taking one fault out of a plan
 * changes nothing of what the others draw.
 */
import { seededRandom } from './cluster/virtualClock.ts';

/** FNV-1a over the name, mixed with the seed. @returns a generator of [0, 1) */
export const streamOf = (seed: number, name: string): (() => number) => {
  let hash = 0x811c9dc5 ^ seed;
  for (let i = 0; i < name.length; i++) hash = Math.imul(hash ^ name.charCodeAt(i), 0x01000193);
  return seededRandom(hash ^ Math.imul(seed, 0x9e3779b1));
};

/** Whole numbers from `min` to `max`, both included. */
export const between = (random: () => number, min: number, max: number): number =>
  min + Math.floor(random() * (max - min + 1));
