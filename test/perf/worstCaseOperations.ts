/**
 * What can be slow for its gas: every opcode class and every precompile, as the body of a loop.
 *
 * A body leaves the stack as it found it, under it one counter that `counting` bodies step. The data of a case is the
 * call data, and lies in memory from 0 on. Sources of bad inputs: the vectors of go-ethereum (test/fixtures).
 */
import { readFileSync } from 'node:fs';

export type Operation = {
  readonly name: string;
  readonly group: 'opcode' | 'precompile';
  /** Bytecode in hex without a prefix. */
  readonly body: string;
  readonly setup?: string;
  /** Runtime code of a contract that is deployed first; `CALLEE` in the body is its address. */
  readonly callee?: string;
  /** Call data in hex without a prefix. */
  readonly data?: string;
  /** Copies of the body in one turn of the loop; by default as many as fit. */
  readonly copies?: number;
};

const word = (value: bigint | number): string => value.toString(16).padStart(64, '0');
export const push = (value: bigint | number): string => {
  if (BigInt(value) === 0n) return '5f';
  const digits = value.toString(16);
  const bytes = digits.length % 2 === 0 ? digits : `0${digits}`;
  return (0x5f + bytes.length / 2).toString(16) + bytes;
};

const ONES = word((1n << 256n) - 1n);
const ODD = `${'f'.repeat(63)}d`;
const PUSH32 = (hex: string): string => `7f${hex}`;

const COPY_DATA = '365f5f37';
/** STATICCALL(gas, address, 0, sizeof data, 0, 0); POP */
const callWithData = (address: string): string => `5f5f365f${push(BigInt(`0x${address}`))}5afa50`;
/** The same without data: CALL of an address on top of the counter would need it below. */
const step = '600101';

/** Takes `a` operands already on the stack as copies of what `setup` left: DUP1 that often, op, POP. */
const ofTop = (opcode: string, operands: number): string => `${'80'.repeat(operands)}${opcode}50`;

const opcodes: Operation[] = [
  { name: 'JUMPDEST', group: 'opcode', body: '5b' },
  { name: 'JUMP', group: 'opcode', body: 'JUMP', copies: 1 },
  { name: 'JUMPI not taken', group: 'opcode', body: '5f5f57' },
  { name: 'PC POP', group: 'opcode', body: '5850' },
  { name: 'GAS POP', group: 'opcode', body: '5a50' },
  { name: 'MSIZE POP', group: 'opcode', body: '5950' },
  { name: 'ADDRESS POP', group: 'opcode', body: '3050' },
  { name: 'ORIGIN POP', group: 'opcode', body: '3250' },
  { name: 'CALLER POP', group: 'opcode', body: '3350' },
  { name: 'CALLVALUE POP', group: 'opcode', body: '3450' },
  { name: 'CALLDATASIZE POP', group: 'opcode', body: '3650' },
  { name: 'CODESIZE POP', group: 'opcode', body: '3850' },
  { name: 'GASPRICE POP', group: 'opcode', body: '3a50' },
  { name: 'RETURNDATASIZE POP', group: 'opcode', body: '3d50' },
  { name: 'COINBASE POP', group: 'opcode', body: '4150' },
  { name: 'TIMESTAMP POP', group: 'opcode', body: '4250' },
  { name: 'NUMBER POP', group: 'opcode', body: '4350' },
  { name: 'PREVRANDAO POP', group: 'opcode', body: '4450' },
  { name: 'GASLIMIT POP', group: 'opcode', body: '4550' },
  { name: 'CHAINID POP', group: 'opcode', body: '4650' },
  { name: 'SELFBALANCE POP', group: 'opcode', body: '4750' },
  { name: 'BASEFEE POP', group: 'opcode', body: '4850' },
  { name: 'BLOBBASEFEE POP', group: 'opcode', body: '4a50' },
  { name: 'BLOBHASH', group: 'opcode', setup: push(7), body: '49' },
  { name: 'PUSH0 POP', group: 'opcode', body: '5f50' },
  { name: 'PUSH1 POP', group: 'opcode', body: '600150' },
  { name: 'PUSH8 POP', group: 'opcode', body: `67${'a7'.repeat(8)}50` },
  { name: 'PUSH20 POP', group: 'opcode', body: `73${'a7'.repeat(20)}50` },
  { name: 'PUSH32 POP', group: 'opcode', body: `${PUSH32(ODD)}50` },
  { name: 'DUP1 POP', group: 'opcode', body: '8050' },
  { name: 'SWAP1', group: 'opcode', setup: '5f5f', body: '90' },
  { name: 'SWAP16', group: 'opcode', setup: '5f'.repeat(17), body: '9f' },
  { name: 'ISZERO', group: 'opcode', setup: '5f', body: '15' },
  { name: 'NOT', group: 'opcode', setup: '5f', body: '19' },
  { name: 'CLZ', group: 'opcode', setup: PUSH32(ODD), body: '801e50' },
  ...(
    [
      ['ADD', '01', 2],
      ['MUL', '02', 2],
      ['SUB', '03', 2],
      ['DIV', '04', 2],
      ['SDIV', '05', 2],
      ['MOD', '06', 2],
      ['SMOD', '07', 2],
      ['ADDMOD', '08', 3],
      ['MULMOD', '09', 3],
      ['LT', '10', 2],
      ['GT', '11', 2],
      ['SLT', '12', 2],
      ['SGT', '13', 2],
      ['EQ', '14', 2],
      ['AND', '16', 2],
      ['OR', '17', 2],
      ['XOR', '18', 2],
    ] as const
  ).map(
    ([name, opcode, operands]): Operation => ({
      name,
      group: 'opcode',
      setup: PUSH32(ODD),
      body: ofTop(opcode, operands),
    }),
  ),
  // The stack holds a divisor and a dividend that make the division long.
  {
    name: 'DIV, 256 by 128 bits',
    group: 'opcode',
    setup: PUSH32(word((1n << 128n) - 159n)) + PUSH32(ONES),
    body: '81810450',
  },
  {
    name: 'MULMOD, all different',
    group: 'opcode',
    setup: PUSH32(word((1n << 255n) - 19n)) + PUSH32(ONES) + PUSH32(ODD),
    body: '8282820950',
  },
  {
    name: 'SIGNEXTEND',
    group: 'opcode',
    setup: PUSH32(ODD),
    body: '80600f0b50',
  },
  { name: 'BYTE', group: 'opcode', setup: PUSH32(ODD), body: '80600f1a50' },
  { name: 'SHL', group: 'opcode', setup: PUSH32(ODD), body: '80607f1b50' },
  { name: 'SHR', group: 'opcode', setup: PUSH32(ODD), body: '80607f1c50' },
  { name: 'SAR', group: 'opcode', setup: PUSH32(ODD), body: '80607f1d50' },
  { name: 'EXP, 32-byte exponent', group: 'opcode', setup: PUSH32(ONES) + PUSH32(ODD), body: '81810a50' },
  { name: 'EXP, 1-byte exponent', group: 'opcode', setup: PUSH32(word(255)) + PUSH32(ODD), body: '81810a50' },
  { name: 'KECCAK256 of nothing', group: 'opcode', body: '5f5f2050' },
  { name: 'KECCAK256 of 32 bytes', group: 'opcode', body: '60205f2050' },
  { name: 'KECCAK256 of 137 bytes', group: 'opcode', body: '60895f2050' },
  { name: 'KECCAK256 of 64 KiB', group: 'opcode', body: '620100005f2050' },
  { name: 'CALLDATALOAD', group: 'opcode', data: '00'.repeat(64), setup: '5f', body: '35' },
  { name: 'CALLDATACOPY of 32 bytes', group: 'opcode', data: '11'.repeat(64), body: '60205f5f37' },
  { name: 'CALLDATACOPY of 16 KiB past the end', group: 'opcode', body: '6140005f5f37' },
  { name: 'CODECOPY of 32 bytes', group: 'opcode', body: '60205f5f39' },
  { name: 'CODECOPY of 16 KiB', group: 'opcode', body: '6140005f5f39' },
  { name: 'RETURNDATACOPY of nothing', group: 'opcode', body: '5f5f5f3e' },
  { name: 'MCOPY of 32 bytes', group: 'opcode', body: '602060205f5e' },
  { name: 'MCOPY of 16 KiB', group: 'opcode', body: '614000614000' + '5f5e' },
  { name: 'MLOAD', group: 'opcode', setup: '5f', body: '51' },
  { name: 'MLOAD POP of ones', group: 'opcode', setup: `${PUSH32(ONES)}5f52`, body: '5f5150' },
  { name: 'MSTORE', group: 'opcode', setup: PUSH32(ODD), body: '805f52' },
  { name: 'MSTORE of 0', group: 'opcode', body: '5f5f52' },
  { name: 'MSTORE8', group: 'opcode', body: '5f5f53' },
  { name: 'memory growth, a word at a time', group: 'opcode', body: '5f5952' },
  { name: 'SLOAD warm', group: 'opcode', setup: '5f', body: '8054' + '50' },
  { name: 'SLOAD cold, empty', group: 'opcode', body: `805450${step}` },
  { name: 'SSTORE new slots', group: 'opcode', body: `808055${step}` },
  { name: 'SSTORE warm, unchanged', group: 'opcode', setup: '5f', body: '5f8055' },
  { name: 'SSTORE warm, dirty', group: 'opcode', body: `805f55${step}` },
  { name: 'TLOAD', group: 'opcode', setup: '5f', body: '5c' },
  { name: 'TSTORE', group: 'opcode', body: `80805d${step}` },
  { name: 'BALANCE warm', group: 'opcode', body: '303150' },
  { name: 'BALANCE cold, absent', group: 'opcode', body: `803150${step}` },
  { name: 'EXTCODESIZE warm', group: 'opcode', body: '303b50' },
  { name: 'EXTCODESIZE cold, absent', group: 'opcode', body: `803b50${step}` },
  { name: 'EXTCODEHASH warm', group: 'opcode', body: '303f50' },
  { name: 'EXTCODECOPY warm, 1 byte', group: 'opcode', body: '60015f5f303c' },
  { name: 'EXTCODECOPY cold, absent', group: 'opcode', body: `5f5f5f833c${step}` },
  { name: 'BLOCKHASH', group: 'opcode', body: '6001430340' + '50' },
  { name: 'LOG0 of nothing', group: 'opcode', body: '5f5fa0' },
  { name: 'LOG4 of 32 bytes', group: 'opcode', body: '5f5f5f5f60205fa4' },
  { name: 'LOG0 of 16 KiB', group: 'opcode', body: '6140005fa0' },
  { name: 'CALL of nothing, warm', group: 'opcode', body: '5f5f5f5f5f61fffe5af150' },
  {
    name: 'CALL of nothing, warm, 64 KiB of input',
    group: 'opcode',
    setup: '5f62010000' + '52',
    body: '5f5f620100005f5f61fffe5af150',
  },
  { name: 'CALL with value, warm', group: 'opcode', body: '5f5f5f5f600161fffe5af150' },
  { name: 'CALL cold, absent', group: 'opcode', body: `5f5f5f5f5f855af150${step}` },
  { name: 'CALL of itself until 1,024 deep', group: 'opcode', body: '5f5f5f5f5f305af150' },
  { name: 'CREATE of nothing', group: 'opcode', body: '5f5f5ff050' },
  { name: 'CREATE2 of nothing', group: 'opcode', body: `805f5f5ff550${step}` },
];

/** CALL of the callee with all gas but a 64th; POP. */
const CALL_CALLEE = '5f5f5f5f5f73CALLEE5af150';
/** CALL of the callee with little gas, all of which a frame that fails takes. */
const cheaply = (gas: number): string => `5f5f5f5f5f73CALLEE${push(gas)}f150`;
const LONG = 'a7'.repeat(24_000);

const frames: Operation[] = [
  { name: 'CALL of STOP', group: 'opcode', callee: '00', body: CALL_CALLEE },
  { name: 'DELEGATECALL of STOP', group: 'opcode', callee: '00', body: '5f5f5f5f73CALLEE5af450' },
  { name: 'CALLCODE of STOP', group: 'opcode', callee: '00', body: '5f5f5f5f5f73CALLEE5af250' },
  { name: 'STATICCALL of STOP', group: 'opcode', callee: '00', body: '5f5f5f5f73CALLEE5afa50' },
  {
    name: 'CALL of RETURN, 32 bytes',
    group: 'opcode',
    callee: '60205ff3',
    body: '60205f5f5f5f73CALLEE5af150',
  },
  { name: 'CALL of REVERT', group: 'opcode', callee: '5f5ffd', body: CALL_CALLEE },
  { name: 'CALL of INVALID', group: 'opcode', callee: 'fe', body: cheaply(3) },
  { name: 'CALL of a jump in 24 kB', group: 'opcode', callee: `6003565b00${LONG}`, body: CALL_CALLEE },
  { name: 'CALL of a bad jump in 24 kB', group: 'opcode', callee: `600456${LONG}`, body: cheaply(20) },
  {
    // Many calls that end well, then as many that are reverted: a journal that is copied would take the square.
    name: 'CALL of STOP and of REVERT, in turn',
    group: 'opcode',
    callee: '36600557005b5f5ffd',
    body: '5f5f5f5f5f73CALLEE5af1505f5f60015f5f73CALLEE5af150',
  },
  { name: 'CALL of LOG0', group: 'opcode', callee: '5f5fa0', body: CALL_CALLEE },
  { name: 'CALL of SELFDESTRUCT', group: 'opcode', callee: '33ff', body: CALL_CALLEE },
  // PUSH2 end JUMP, zeros, and the JUMPDEST as the last byte: analysed anew each time.
  {
    name: 'CREATE2 of 48 KiB that jump',
    group: 'opcode',
    setup: '6361bfff565f52605b61c01b53',
    body: `8061c000601c5ff550${step}`,
  },
];

type Vector = {
  readonly name: string;
  readonly address: string;
  readonly input: string;
  readonly expected: string | null;
};
const vectors: Vector[] = JSON.parse(
  readFileSync(new URL('../fixtures/precompileVectors.json', import.meta.url), 'utf8'),
).vectors;

const short = (address: string): string => address.replace(/^0x0+/, '').padStart(2, '0');

/** Every vector of every precompile that is valid input: the known bad ones of modexp are among them. */
const ofVectors = vectors
  .filter(({ expected, input }) => expected !== null && input.length < 2 * 60_000)
  .map(
    ({ name, address, input }): Operation => ({
      name: `0x${short(address)} ${name}`,
      group: 'precompile',
      data: input.slice(2),
      setup: COPY_DATA,
      body: callWithData(short(address)),
    }),
  );

/** As many zero bytes as make the pairs or words of a precompile many. */
const sized = (name: string, address: string, data: string): Operation => ({
  name: `0x${address} ${name}`,
  group: 'precompile',
  data,
  setup: COPY_DATA,
  body: callWithData(address),
});
const modexp = (base: string, exponent: string, modulus: string): string =>
  word(base.length / 2) + word(exponent.length / 2) + word(modulus.length / 2) + base + exponent + modulus;

const precompiles: Operation[] = [
  sized('of nothing', '02', ''),
  sized('of 8 KiB', '02', 'a7'.repeat(8_192)),
  sized('of nothing', '03', ''),
  sized('of 8 KiB', '03', 'a7'.repeat(8_192)),
  sized('of nothing', '04', ''),
  sized('of 8 KiB', '04', 'a7'.repeat(8_192)),
  sized('no signature', '01', word(1) + word(27) + ONES + ONES),
  ...[
    ['32-byte all ones', 'ff'.repeat(32), 'ff'.repeat(32), `${'ff'.repeat(31)}fd`],
    ['1-byte, 4-byte exponent', '03', 'ffffffff', 'fd'],
    ['8-byte, 256-byte exponent', 'ff'.repeat(8), 'ff'.repeat(256), `${'ff'.repeat(7)}fd`],
    ['32-byte even, 1 KiB exponent', 'ff'.repeat(32), 'ff'.repeat(1_024), `${'ff'.repeat(31)}fe`],
    ['33-byte, 34-byte exponent', 'ff'.repeat(33), 'ff'.repeat(34), `${'ff'.repeat(32)}fd`],
    ['40-byte, 64-byte exponent', 'ff'.repeat(40), 'ff'.repeat(64), `${'ff'.repeat(39)}fd`],
    ['64-byte, 32-byte exponent', 'ff'.repeat(64), 'ff'.repeat(32), `${'ff'.repeat(63)}fd`],
    ['256-byte, 256-byte exponent', 'ff'.repeat(256), 'ff'.repeat(256), `${'ff'.repeat(255)}fd`],
    ['1 KiB, 3-byte exponent', 'ff'.repeat(1_024), '010001', `${'ff'.repeat(1_023)}fd`],
    ['1 KiB base, 32-byte modulus', 'ff'.repeat(1_024), '03', `${'ff'.repeat(31)}fd`],
    ['1 KiB exponent of 1, 32-byte', '02', `${'00'.repeat(1_023)}01`, `${'ff'.repeat(31)}fd`],
  ].map(([name, base, exponent, modulus]) => sized(name!, '05', modexp(base!, exponent!, modulus!))),
  sized('100,000 rounds', '09', `${(100_000).toString(16).padStart(8, '0') + 'a7'.repeat(64 + 128 + 16)}01`),
  sized('12 rounds', '09', `${(12).toString(16).padStart(8, '0') + 'a7'.repeat(64 + 128 + 16)}01`),
  sized('0 rounds', '09', `${'00'.repeat(4) + 'a7'.repeat(64 + 128 + 16)}01`),
];

export const OPERATIONS: readonly Operation[] = [...opcodes, ...frames, ...precompiles, ...ofVectors];

const MAX_CODE_BYTES = 24_000;
/** A loop ends when less gas than this is left. */
const LEFT_OVER = 100_000;

/**
 * Runtime code: the setup, then the body over and over, until little gas is left. The counter starts at the hash of the
 * gas left, so that no two transactions touch the same.
 */
export const runtimeOf = ({ body, setup = '', copies }: Operation): string => {
  const start = `5a5f5260205f20${push((1n << 152n) - 1n)}16`;
  const prologue = start + setup;
  const top = prologue.length / 2;
  if (body === 'JUMP') return jumpsFrom(prologue);
  const count = copies ?? Math.max(1, Math.floor((MAX_CODE_BYTES - top - 20) / (body.length / 2)));
  // JUMPDEST body… PUSH3 LEFT_OVER GAS GT PUSH2 top JUMPI STOP
  return `${prologue}5b${body.repeat(Math.min(count, 2_000))}62${LEFT_OVER.toString(16).padStart(6, '0')}5a1161${top.toString(16).padStart(4, '0')}5700`;
};

/** JUMPDEST PUSH2 next JUMP, many times, and back to the first. */
const jumpsFrom = (prologue: string): string => {
  let code = prologue;
  const first = code.length / 2;
  for (let i = 0; i < 2_000; i++) code += `5b61${(code.length / 2 + 5).toString(16).padStart(4, '0')}56`;
  return `${code}5b62${LEFT_OVER.toString(16).padStart(6, '0')}5a1161${first.toString(16).padStart(4, '0')}5700`;
};
