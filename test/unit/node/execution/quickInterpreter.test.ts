import { randomInt } from 'node:crypto';
import { createBlock } from '@ethereumjs/block';
import { createEVM, type EVM, EVMError, type EVMResult } from '@ethereumjs/evm';
import { Account, Address, bigIntToBytes, bytesToBigInt, setLengthLeft } from '@ethereumjs/util';
import { bytesToHex, hexToBytes, parseHash } from '#consensus/primitives.ts';
import { type ChainCommon, createChainCommon } from '#node/execution/chainCommon.ts';
import { type CryptoLibraries, loadCryptoLibraries } from '#node/execution/cryptoLibraries.ts';
import { analysesMade, jumpDestinations } from '#node/execution/jumpAnalysis.ts';
import { createMachine, type Machine } from '#node/execution/machine.ts';
import { OverlayState } from '#node/execution/overlayState.ts';
import { EMPTY_STATE } from '#node/execution/stateReader.ts';
import { readBytes, readWord, wordToBytes, writeWord } from '#node/execution/words.ts';

const SEED = Number(process.env.CAUSEWAY_SEED ?? randomInt(2 ** 31));
const PROGRAMS = 600;
const replay = `(seed ${SEED}; replay: CAUSEWAY_SEED=${SEED} npm test -- quickInterpreter)`;

let libraries: CryptoLibraries;
let common: ChainCommon;
let ours: Machine;
let theirs: { readonly evm: EVM; readonly state: OverlayState };

const address = (fill: number): Address => new Address(new Uint8Array(20).fill(fill));
const CALLER = address(0xaa);
const MAIN = address(0x11);
const OTHER = address(0x22);

beforeAll(async () => {
  libraries = await loadCryptoLibraries();
  common = createChainCommon(42_424n, libraries.kzg);
  const hash = parseHash(`0x${'ab'.repeat(32)}`);
  ours = await createMachine(common, libraries, () => hash);
  const state = new OverlayState(EMPTY_STATE);
  const blockchain = {
    getBlock: async () => ({ hash: () => hexToBytes(hash) }),
    putBlock: async () => {},
    shallowCopy: () => blockchain,
  };
  theirs = { evm: await createEVM({ common, stateManager: state, blockchain }), state };
});

let context: ReturnType<typeof createBlock> | null = null;
const block = (): ReturnType<typeof createBlock> => {
  context ??= createBlock(
    {
      header: {
        coinbase: address(0xc0),
        number: 1_000n,
        timestamp: 1_700_000_000n,
        gasLimit: 30_000_000n,
        baseFeePerGas: 7n,
        excessBlobGas: 0n,
        mixHash: new Uint8Array(32).fill(0x5a),
      },
    },
    { common },
  );
  return context;
};

/** A linear congruential generator: the same programs from the same seed. */
const createRandom = (seed: number): ((below: number) => number) => {
  let state = BigInt(seed) + 1n;
  return (below) => {
    state = (state * 6_364_136_223_846_793_005n + 1_442_695_040_888_963_407n) & ((1n << 64n) - 1n);
    return Number((state >> 33n) % BigInt(below));
  };
};

type Random = ReturnType<typeof createRandom>;
const pick = <T>(random: Random, values: readonly T[]): T => values[random(values.length)]!;

const CONSTANTS = [
  0n,
  1n,
  2n,
  3n,
  4n,
  5n,
  7n,
  8n,
  16n,
  30n,
  31n,
  32n,
  33n,
  64n,
  95n,
  96n,
  97n,
  127n,
  128n,
  160n,
  224n,
  255n,
  256n,
  257n,
  1_000n,
  24_000n,
  65_535n,
  100_000n,
  2n ** 32n - 1n,
  2n ** 32n,
  2n ** 53n,
  2n ** 63n,
  2n ** 64n - 1n,
  2n ** 64n,
  2n ** 128n - 1n,
  2n ** 160n - 1n,
  2n ** 255n - 1n,
  2n ** 255n,
  2n ** 256n - 2n,
  2n ** 256n - 1n,
];

const pushOf = (random: Random, value: bigint): number[] => {
  const digits = value.toString(16);
  const bytes = [...Buffer.from(digits.length % 2 ? `0${digits}` : digits, 'hex')];
  if (value === 0n && random(2) === 0) return [0x5f];
  while (random(4) === 0 && bytes.length < 32) bytes.unshift(0);
  return [0x5f + bytes.length, ...bytes];
};

const constant = (random: Random): bigint =>
  random(6) === 0
    ? BigInt(`0x${Array.from({ length: 32 }, () => random(256).toString(16).padStart(2, '0')).join('')}`)
    : pick(random, CONSTANTS);

const CALLS = [0xf1, 0xf2, 0xf4, 0xfa];

/** Mostly sensible code: operands are pushed before most opcodes, jumps mostly go to where a JUMPDEST is. */
const randomCode = (random: Random): Uint8Array => {
  const code: number[] = [];
  const destinations: number[] = [];
  const length = 5 + random(pick(random, [12, 40, 120]));
  for (let i = 0; i < length; i++) {
    const kind = random(20);
    if (kind < 3) {
      destinations.push(code.length);
      code.push(0x5b);
    } else if (kind === 3 && destinations.length > 0) {
      const to = random(30) === 0 ? random(code.length + 40) : pick(random, destinations);
      if (random(3) === 0) code.push(0x61, to >> 8, to & 255, 0x56);
      else code.push(...pushOf(random, BigInt(random(2))), 0x61, to >> 8, to & 255, 0x57);
    } else if (kind === 4) {
      const target = pick(random, [
        1n,
        2n,
        4n,
        9n,
        0x100n,
        bytesToBigInt(OTHER.bytes),
        bytesToBigInt(MAIN.bytes),
        0xdeadn,
      ]);
      const call = pick(random, CALLS);
      for (let n = 0; n < 4; n++) code.push(...pushOf(random, pick(random, [0n, 0n, 1n, 32n, 64n])));
      if (call === 0xf1 || call === 0xf2)
        code.push(...pushOf(random, pick(random, [0n, 0n, 0n, 1n, 2n ** 100n])));
      code.push(
        ...pushOf(random, target),
        ...pushOf(random, pick(random, [0n, 2_300n, 40_000n, 2n ** 255n])),
        call,
      );
    } else if (kind < 8) code.push(...pushOf(random, constant(random)));
    else if (kind < 17) {
      for (let n = 0; n < 3; n++)
        code.push(...pushOf(random, random(5) > 0 ? BigInt(random(130)) : constant(random)));
      const opcode = pick(random, [
        ...Array.from({ length: 0x0c }, (_, n) => n),
        ...Array.from({ length: 0x0f }, (_, n) => 0x10 + n),
        0x20,
        ...Array.from({ length: 0x1b }, (_, n) => 0x30 + n),
        ...Array.from({ length: 0x0f }, (_, n) => 0x50 + n),
      ]);
      if (opcode !== 0 || random(8) === 0) code.push(opcode);
    } else if (kind === 17) code.push(random(6) === 0 ? 0x80 + random(32) : 0x80 + random(3));
    else if (kind === 18) code.push(0x80 + random(4), 0x90 + random(4));
    else if (random(3) === 0) code.push(random(8) === 0 ? random(256) : 0xa0 + random(5));
  }
  if (random(3) > 0)
    code.push(
      ...pushOf(random, BigInt(random(200))),
      ...pushOf(random, BigInt(random(100))),
      pick(random, [0xf3, 0xf3, 0xfd]),
    );
  else if (random(2) === 0) code.push(0x7f, 1, 2);
  return Uint8Array.from(code);
};

type Program = {
  readonly code: Uint8Array;
  readonly other: Uint8Array;
  readonly data: Uint8Array;
  readonly gas: bigint;
  /** What slots 0, 1, … of both contracts hold before. */
  readonly slots?: readonly bigint[];
};

const run = async (evm: EVM, state: OverlayState, program: Program): Promise<EVMResult> => {
  state.reset(EMPTY_STATE);
  evm.journal.cleanJournal();
  evm.transientStorage.clear();
  await state.putAccount(CALLER, new Account(1n, 10n ** 18n));
  for (const [at, code] of [
    [MAIN, program.code],
    [OTHER, program.other],
  ] as const) {
    await state.putAccount(at, new Account(1n, 1_000n));
    await state.putCode(at, code);
    for (const [slot, value] of (program.slots ?? []).entries())
      await state.putStorage(at, wordToBytes(BigInt(slot)), wordToBytes(value));
  }
  state.originalStorageCache.clear();
  for (const warm of [CALLER, MAIN]) evm.journal.addAlwaysWarmAddress(warm.toString());
  return evm.runCall({
    block: block(),
    gasPrice: 9n,
    caller: CALLER,
    origin: CALLER,
    to: MAIN,
    value: 3n,
    data: program.data,
    gasLimit: program.gas,
  });
};

/** Everything that an execution leaves; a bad jump is told by its kind, since the library adds where it was. */
const summarise = async ({ execResult }: EVMResult, state: OverlayState) => {
  const accounts = await Promise.all(
    [CALLER, MAIN, OTHER, address(0xc0)].map(async (at) => {
      const account = await state.getAccount(at);
      const slots = await Promise.all(
        CONSTANTS.map(async (slot) =>
          bytesToHex(await state.getStorage(at, setLengthLeft(bigIntToBytes(slot), 32))),
        ),
      );
      return [account?.nonce, account?.balance, slots.join()];
    }),
  );
  const error = execResult.exceptionError?.error;
  return {
    error: error?.startsWith(EVMError.errorMessages.INVALID_JUMP)
      ? EVMError.errorMessages.INVALID_JUMP
      : error,
    returned: bytesToHex(execResult.returnValue),
    gasUsed: execResult.executionGasUsed,
    refund: execResult.gasRefund,
    logs: (execResult.logs ?? []).map(([from, topics, data]) => [
      bytesToHex(from),
      topics.map(bytesToHex),
      bytesToHex(data),
    ]),
    destroyed: [...(execResult.selfdestruct ?? [])],
    created: [...(execResult.createdAddresses ?? [])],
    accounts,
  };
};

const expectSame = async (program: Program): Promise<string | undefined> => {
  const { evm } = ours.vm as unknown as { evm: EVM };
  const found = await summarise(await run(evm, ours.state, program), ours.state);
  const expected = await summarise(await run(theirs.evm, theirs.state, program), theirs.state);
  expect({ code: bytesToHex(program.code), other: bytesToHex(program.other), ...found }).toEqual({
    code: bytesToHex(program.code),
    other: bytesToHex(program.other),
    ...expected,
  });
  return found.error;
};

test(`random programs leave what the library leaves ${replay}`, async () => {
  const random = createRandom(SEED);
  const ends = new Map<string, number>();
  for (let i = 0; i < PROGRAMS; i++) {
    const end = await expectSame({
      code: randomCode(random),
      other: randomCode(random),
      data: Uint8Array.from({ length: random(100) }, () => random(256)),
      gas: BigInt(pick(random, [2_000, 30_000, 200_000])),
    });
    ends.set(end ?? 'success', (ends.get(end ?? 'success') ?? 0) + 1);
  }
  // Programs that all failed at once would show nothing.
  expect(ends.get('success')).toBeGreaterThan(PROGRAMS / 20);
  expect(ends.size).toBeGreaterThan(4);
});

/** Slots 0 to 3 of both kinds written and read, by calls of either contract that end well or are reverted. */
const storageCode = (random: Random, callee: Address): Uint8Array => {
  const code: number[] = [];
  const small = (): number[] => pushOf(random, BigInt(random(4)));
  for (let i = 5 + random(20); i > 0; i--) {
    const kind = random(8);
    if (kind < 3) code.push(...small(), ...small(), 0x55);
    else if (kind === 3) code.push(...small(), ...small(), 0x5d);
    else if (kind < 6) code.push(...small(), kind === 4 ? 0x54 : 0x5c, 0x5f, 0x52, 0x60, 0x20, 0x5f, 0xa0);
    else {
      const call = pick(random, CALLS);
      code.push(0x5f, 0x5f, 0x5f, 0x5f, ...(call === 0xf1 || call === 0xf2 ? [0x5f] : []));
      code.push(
        0x73,
        ...callee.bytes,
        ...pushOf(random, pick(random, [2_000n, 30_000n, 60_000n])),
        call,
        0x50,
      );
    }
  }
  code.push(0x5a, 0x5f, 0x52, 0x60, 0x20, 0x5f, pick(random, [0xf3, 0xf3, 0xf3, 0xfd, 0xfe]));
  return Uint8Array.from(code);
};

test(`storage, refunds and reverts are what the library makes of them ${replay}`, async () => {
  const random = createRandom(SEED);
  let succeeded = 0;
  for (let i = 0; i < 300; i++) {
    const slots = Array.from({ length: 4 }, () => BigInt(random(3)));
    const end = await expectSame({
      code: storageCode(random, OTHER),
      other: storageCode(random, random(2) === 0 ? MAIN : OTHER),
      data: Uint8Array.of(),
      gas: BigInt(pick(random, [40_000, 400_000, 1_000_000])),
      slots,
    });
    if (end === undefined) succeeded += 1;
  }
  expect(succeeded).toBeGreaterThan(60);
});

test('SSTORE is refused with 2,300 gas or less, whatever it costs', async () => {
  for (let gas = 2_200n; gas < 2_320n; gas++)
    await expectSame({ code: hexToBytes('0x5f5f5500'), other: Uint8Array.of(0), data: Uint8Array.of(), gas });
});

/** Operands at the edges, two or three at a time, through every opcode that computes; the result is returned. */
test('every computing opcode agrees with the library at the edges', async () => {
  const opcodes = [
    ...Array.from({ length: 11 }, (_, n) => n + 1),
    ...Array.from({ length: 15 }, (_, n) => n + 0x10),
    0x20,
    0x35,
    0x51,
  ];
  const edges = CONSTANTS.filter((_, index) => index % 2 === 0 || index > 20);
  for (const opcode of opcodes) {
    const code: number[] = [];
    let at = 0;
    for (const a of edges)
      for (const b of opcode === 0x20 || opcode === 0x51 || opcode === 0x35 ? [32n, 1n] : edges) {
        if (opcode !== 0x20 && opcode !== 0x51 ? false : a > 30_000n) continue;
        const push = (value: bigint): number[] => [0x7f, ...setLengthLeft(bigIntToBytes(value), 32)];
        code.push(
          ...push(2n ** 256n - 189n),
          ...push(b),
          ...push(a),
          opcode,
          0x60,
          0x20,
          0x5f,
          0x20,
          0x18,
          0x5f,
          0x52,
        );
        at += 1;
        if (at % 60 === 0) {
          code.push(0x60, 0x20, 0x5f, 0xf3);
          await expectSame({
            code: Uint8Array.from(code),
            other: Uint8Array.of(0),
            data: Uint8Array.from({ length: 40 }, (_, n) => n + 1),
            gas: 5_000_000n,
          });
          code.length = 0;
        }
      }
    code.push(0x60, 0x20, 0x5f, 0xf3);
    await expectSame({
      code: Uint8Array.from(code),
      other: Uint8Array.of(0),
      data: new Uint8Array(40).fill(3),
      gas: 5_000_000n,
    });
  }
});

describe('copies and memory agree with the library', () => {
  const cases: [string, string][] = [
    ['code past its end', '61ffff60046000396104006000f3'],
    ['call data past its end', '60ff60026000376101006000f3'],
    ['call data from beyond any offset', `60ff7f${'ff'.repeat(32)}6000376101006000f3`],
    ['return data past its end, which is out of gas', '6001600060003e00'],
    ['memory onto itself', `7f${'0123456789abcdef'.repeat(4)}5f5260306008600a5e6101006000f3`],
    ['nothing, far away', `5f7f${'ff'.repeat(32)}7f${'ff'.repeat(32)}5e00`],
    ['memory that nobody can pay', `7f${'ff'.repeat(31)}00515f00`],
    ['memory beyond 2³² bytes', '600165010000000000535f00'],
    ['memory beyond a block', '630fffffff51'],
  ];
  test.each(cases)('%s', async (_, code) => {
    for (const gas of [100n, 100_000n, 2n ** 39n])
      await expectSame({
        code: hexToBytes(`0x${code}`),
        other: Uint8Array.of(0),
        data: Uint8Array.of(1, 2, 3),
        gas,
      });
  });
});

test('a frame with more gas than a number holds exactly is the library’s', async () => {
  await expectSame({
    code: hexToBytes('0x5a5f5260205ff3'),
    other: Uint8Array.of(0),
    data: Uint8Array.of(),
    gas: 2n ** 60n + 1n,
  });
});

test('a traced frame shows every step, and ends the same', async () => {
  const evm = (ours.vm as unknown as { evm: EVM }).evm;
  const program = {
    code: hexToBytes('0x6001600201600456005b5f5260205ff3'),
    other: Uint8Array.of(0),
    data: Uint8Array.of(),
    gas: 50_000n,
  };
  let steps = 0;
  const count = (): void => {
    steps += 1;
  };
  evm.events.on('step', count);
  const traced = await summarise(await run(evm, ours.state, program), ours.state);
  evm.events.off('step', count);
  expect(steps).toBeGreaterThan(3);
  expect(await summarise(await run(evm, ours.state, program), ours.state)).toEqual(traced);
});

describe('jump analysis', () => {
  test('is made once for one code, however often and by whomever it is called', async () => {
    const evm = (ours.vm as unknown as { evm: EVM }).evm;
    // Calls the other contract 50 times, which jumps.
    const code = hexToBytes(`0x${`5f5f5f5f5f73${'22'.repeat(20)}5af150`.repeat(50)}00`);
    const other = hexToBytes('0x6003565b00');
    const program = { code, other, data: Uint8Array.of(), gas: 1_000_000n };
    const before = analysesMade();
    for (let i = 0; i < 3; i++)
      expect((await run(evm, ours.state, program)).execResult.exceptionError).toBeUndefined();
    expect(analysesMade() - before).toBe(1);
  });

  test('knows a JUMPDEST from push data', () => {
    expect([...jumpDestinations(hexToBytes('0x5b605b5b615b5b5b7f5b'))]).toEqual([
      1, 0, 0, 1, 0, 0, 0, 1, 0, 0,
    ]);
  });
});

test(`words are read and written as the library does (seed ${SEED})`, () => {
  const random = createRandom(SEED);
  for (let i = 0; i < 500; i++) {
    const bytes = Uint8Array.from({ length: 40 }, () => pick(random, [0, 0, 255, random(256)]));
    const at = random(9);
    const view = new DataView(bytes.buffer);
    const expected = bytesToBigInt(bytes.subarray(at, at + 32));
    expect(readWord(view, at)).toBe(expected);
    expect(readBytes(bytes, at, 32)).toBe(expected);
    const written = new Uint8Array(40).fill(9);
    writeWord(new DataView(written.buffer), at, expected);
    expect(written.subarray(at, at + 32)).toEqual(setLengthLeft(bigIntToBytes(expected), 32));
    expect(written[at + 32] ?? 9).toBe(9);
  }
  expect(readBytes(Uint8Array.of(1, 2), 1, 3)).toBe(0x020000n);
});
