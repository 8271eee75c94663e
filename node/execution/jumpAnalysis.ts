/**
 * Where code may be jumped to, found once for each code rather than once for each call frame.
 *
 * Kept with the bytes themselves: the state's readers answer one object for one code hash as long as they cache it, so
 * the analyses are as many as the cached codes and go when these go. Code never changes in place.
 */
const JUMPDEST = 0x5b;
const PUSH1 = 0x60;
const PUSH32 = 0x7f;

const analyses = new WeakMap<Uint8Array, Uint8Array>();
let count = 0;

/** How many codes were analysed in this thread: for tests. */
export const analysesMade = (): number => count;

const analyse = (code: Uint8Array): Uint8Array => {
  const destinations = new Uint8Array(code.length);
  for (let i = 0; i < code.length; i++) {
    const opcode = code[i]!;
    if (opcode === JUMPDEST) destinations[i] = 1;
    else if (opcode >= PUSH1 && opcode <= PUSH32) i += opcode - PUSH1 + 1;
  }
  return destinations;
};

/** @returns for each byte of the code 1 where it is a JUMPDEST that is no push data, else 0 */
export const jumpDestinations = (code: Uint8Array): Uint8Array => {
  const before = analyses.get(code);
  if (before !== undefined) return before;
  count += 1;
  const destinations = analyse(code);
  analyses.set(code, destinations);
  return destinations;
};
