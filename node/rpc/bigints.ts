/** Comparing heights and amounts; Math.min and Math.max take no bigint. */
export const smallerOf = (a: bigint, b: bigint): bigint => {
  if (a < b) return a;
  return b;
};

export const largerOf = (a: bigint, b: bigint): bigint => {
  if (a > b) return a;
  return b;
};
