/** What got slower since an older result: medians of the same figure, beyond a tolerance. Pure. */

export type Figure = { readonly name: string; readonly value: number; readonly better: 'higher' | 'lower' };
export type Change = {
  readonly name: string;
  readonly before: number;
  readonly after: number;
  /** Above 1: better by that factor; below 1: worse. */
  readonly factor: number;
  readonly verdict: 'slower' | 'faster' | 'same';
};

/** Two runs of one revision differ by this much on a machine that others use too. */
export const TOLERANCE = 0.1;

/** Figures that only one of the two has are left out; so are those that are not numbers. */
export const compareFigures = (
  before: readonly Figure[],
  after: readonly Figure[],
  tolerance = TOLERANCE,
): readonly Change[] => {
  const old = new Map(before.map((figure) => [figure.name, figure.value]));
  return after.flatMap(({ name, value, better }) => {
    const was = old.get(name);
    if (was === undefined || !(was > 0) || !(value > 0)) return [];
    const factor = better === 'higher' ? value / was : was / value;
    const verdict = factor < 1 - tolerance ? 'slower' : factor > 1 + tolerance ? 'faster' : 'same';
    return [{ name, before: was, after: value, factor, verdict }];
  });
};
