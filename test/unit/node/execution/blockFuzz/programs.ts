/** Random EVM programs that do something: state, calls, creations, logs and failures, with operands that mostly fit. */
import { concatBytes, hexToBytes, toBigEndian } from '#consensus/primitives.ts';
import { between } from '#test/sim/streams.ts';

export type Random = () => number;
export const pick = <T>(random: Random, list: readonly T[]): T => list[Math.floor(random() * list.length)]!;

const op = (...codes: number[]): Uint8Array => Uint8Array.from(codes);
export const push = (value: bigint | number): Uint8Array => {
  const hex = BigInt(value).toString(16);
  const bytes = hexToBytes(`0x${hex.length % 2 === 0 ? hex : `0${hex}`}`);
  return concatBytes(op(0x5f + bytes.length), bytes);
};
const pushAddress = (address: Uint8Array): Uint8Array => concatBytes(op(0x73), address);

const OP = {
  sstore: 0x55,
  sload: 0x54,
  mstore: 0x52,
  tload: 0x5c,
  tstore: 0x5d,
  pop: 0x50,
  gas: 0x5a,
} as const;
/** With one address on the stack: BALANCE, EXTCODESIZE, EXTCODEHASH. */
const LOOKS = [0x31, 0x3b, 0x3f];
/** Without operands: ADDRESS, ORIGIN, CALLER, CALLVALUE, CALLDATASIZE, CODESIZE, GASPRICE, RETURNDATASIZE … GAS. */
const FACTS = [
  0x30, 0x32, 0x33, 0x34, 0x36, 0x38, 0x3a, 0x3d, 0x41, 0x42, 0x43, 0x44, 0x45, 0x46, 0x47, 0x48, 0x5a,
];
/** With two operands: ADD … SIGNEXTEND, LT … EQ, AND … SAR. */
const SUMS = [
  1, 2, 3, 4, 5, 6, 7, 0x0a, 0x0b, 0x10, 0x11, 0x12, 0x13, 0x14, 0x16, 0x17, 0x18, 0x1a, 0x1b, 0x1c, 0x1d,
];
const CALL = 0xf1;
const CALLCODE = 0xf2;
const DELEGATECALL = 0xf4;
const STATICCALL = 0xfa;

/** Few, so that programs meet in them. */
const slotOf = (random: Random): number => between(random, 0, 2);
const wordOf = (random: Random): bigint =>
  pick(random, [0n, 0n, 1n, BigInt(between(random, 2, 1e6)), (1n << 256n) - 1n, 1n << 255n]);

const call = (random: Random, targets: readonly Uint8Array[]): Uint8Array => {
  const kind = pick(random, [CALL, CALL, CALL, CALLCODE, DELEGATECALL, STATICCALL]);
  const hasValue = kind === CALL || kind === CALLCODE;
  const gas = random() < 0.6 ? op(OP.gas) : push(between(random, 0, 60_000));
  return concatBytes(
    push(between(random, 0, 64)),
    push(between(random, 0, 64)),
    push(between(random, 0, 64)),
    push(between(random, 0, 64)),
    ...(hasValue ? [push(random() < 0.6 ? 0 : between(random, 1, 1_000))] : []),
    pushAddress(pick(random, targets)),
    gas,
    op(kind),
    random() < 0.5 ? op(OP.pop) : concatBytes(push(slotOf(random)), op(OP.sstore)),
  );
};

const create = (random: Random, targets: readonly Uint8Array[], depth: number): Uint8Array => {
  const code = initCode(random, targets, depth + 1).subarray(0, 400);
  const chunks: Uint8Array[] = [];
  for (let at = 0; at < code.length; at += 32) {
    const word = new Uint8Array(32);
    word.set(code.subarray(at, at + 32));
    chunks.push(op(0x7f), word, push(at), op(OP.mstore));
  }
  const isSalted = random() < 0.5;
  return concatBytes(
    ...chunks,
    ...(isSalted ? [push(between(random, 0, 2))] : []),
    push(code.length),
    push(0),
    push(random() < 0.7 ? 0 : between(random, 1, 50)),
    op(isSalted ? 0xf5 : 0xf0),
    ...(random() < 0.5
      ? [op(OP.pop)]
      : // CALL what was created, with all gas
        [op(0x5f, 0x5f, 0x5f, 0x5f, 0x5f), op(0x85, OP.gas, CALL, OP.pop, OP.pop)]),
  );
};

const log = (random: Random): Uint8Array => {
  const topics = between(random, 0, 4);
  return concatBytes(
    ...Array.from({ length: topics }, () => push(wordOf(random))),
    push(between(random, 0, 70)),
    push(between(random, 0, 40)),
    op(0xa0 + topics),
  );
};

/** Counts down and stores at each turn; may run out of gas. */
const loop = (random: Random, at: number): Uint8Array => {
  const count = push(between(random, 1, 12));
  const start = at + count.length;
  const body = concatBytes(op(0x5b, 0x80), push(slotOf(random)), op(OP.sstore));
  return concatBytes(
    count,
    body,
    push(1),
    op(0x90, 0x03, 0x80),
    op(0x61),
    toBigEndian(BigInt(start), 2),
    op(0x57, OP.pop),
  );
};

const end = (random: Random, targets: readonly Uint8Array[]): Uint8Array =>
  pick(random, [
    () => op(0x00),
    () => op(0x00),
    () => concatBytes(push(between(random, 0, 64)), push(0), op(0xf3)),
    () => concatBytes(push(between(random, 0, 64)), push(0), op(0xfd)),
    () => op(0xfe),
    () => concatBytes(pushAddress(pick(random, targets)), op(0xff)),
    () => op(0x01),
    () => concatBytes(push(3), op(0x56)),
  ])();

/** @param depth of creations within creations */
export const program = (random: Random, targets: readonly Uint8Array[], depth = 0): Uint8Array => {
  let code: Uint8Array = new Uint8Array(0);
  const store = (value: Uint8Array): Uint8Array => concatBytes(value, push(slotOf(random)), op(OP.sstore));
  for (let pieces = between(random, 1, 7); pieces > 0; pieces--) {
    const piece = pick<() => Uint8Array>(random, [
      () => store(push(wordOf(random))),
      () => store(push(wordOf(random))),
      () => store(concatBytes(push(slotOf(random)), op(OP.sload))),
      () => concatBytes(push(wordOf(random)), push(slotOf(random)), op(OP.tstore)),
      () => store(concatBytes(push(slotOf(random)), op(OP.tload))),
      () => store(concatBytes(pushAddress(pick(random, targets)), op(pick(random, LOOKS)))),
      () => store(op(pick(random, FACTS))),
      () => store(concatBytes(push(wordOf(random)), push(wordOf(random)), op(pick(random, SUMS)))),
      () => store(concatBytes(push(between(random, 0, 64)), op(0x35))),
      () => concatBytes(push(wordOf(random)), push(between(random, 0, 96)), op(OP.mstore)),
      () => store(concatBytes(push(between(random, 0, 64)), push(between(random, 0, 64)), op(0x20))),
      () => log(random),
      () => loop(random, code.length),
      () => call(random, targets),
      () => call(random, targets),
      () => (depth < 2 ? create(random, targets, depth) : op()),
    ])();
    code = concatBytes(code, piece);
  }
  return concatBytes(code, end(random, targets));
};

/** Runs a program, mostly a short one, and returns another as code; or something that is no code at all. */
export const initCode = (random: Random, targets: readonly Uint8Array[], depth = 0): Uint8Array => {
  if (random() < 0.1) return program(random, targets, depth);
  const before =
    random() < 0.4 ? concatBytes(push(wordOf(random)), push(slotOf(random)), op(OP.sstore)) : op();
  const code = random() < 0.05 ? op(0xef, 1, 2) : program(random, targets, depth);
  const size = (offset: number): Uint8Array =>
    concatBytes(
      op(0x61),
      toBigEndian(BigInt(code.length), 2),
      op(0x80, 0x61),
      toBigEndian(BigInt(offset), 2),
      op(0x5f, 0x39, 0x5f, 0xf3),
    );
  return concatBytes(before, size(before.length + size(0).length), code);
};
