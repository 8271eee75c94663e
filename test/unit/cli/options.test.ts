import { Command } from 'commander';
import { createIo, formatEth, formatTable, toJson, wantsColour } from '#cli/io.ts';
import {
  attributeOf,
  defaultedOption,
  parseAmountWei,
  parsePort,
  parseUrl,
  requiredOption,
  toCommanderOption,
} from '#cli/options.ts';

const parseWith = (argv: string[], ...options: Parameters<typeof toCommanderOption>[0][]) => {
  const command = new Command().exitOverride().configureOutput({ writeErr: () => {} });
  for (const option of options) command.addOption(toCommanderOption(option));
  return command.parse(argv, { from: 'user' }).opts();
};

test('amounts that are not exact are refused', () => {
  for (const text of ['', '-1', '1e18', '0x10', '1.', '.5', '1,5', '1.0000000000000000001', '1 ETH', 'wei'])
    expect(() => parseAmountWei(text)).toThrow('Expected ETH');
});

test('amounts are ETH with up to 18 decimals, or wei', () => {
  expect(parseAmountWei('1')).toBe(10n ** 18n);
  expect(parseAmountWei('0.5')).toBe(5n * 10n ** 17n);
  expect(parseAmountWei('1.000000000000000001')).toBe(10n ** 18n + 1n);
  expect(parseAmountWei('1000wei')).toBe(1_000n);
});

test('ports and URLs that are none are refused', () => {
  for (const text of ['-1', '65536', '80a', '', '1.5'])
    expect(() => parsePort(text)).toThrow('Expected a port');
  for (const text of ['', 'localhost:8545', 'ftp://x', '//x'])
    expect(() => parseUrl(text)).toThrow('Expected an http or https URL');
});

test('one definition gives flag, default, environment variable and type', () => {
  const port = defaultedOption('--rpc-port <port>', 'help', parsePort, 8545, 'CAUSEWAY_TEST_PORT');
  expect(attributeOf(port)).toBe('rpcPort');
  expect(parseWith([], port)).toEqual({ rpcPort: 8545 });
  process.env.CAUSEWAY_TEST_PORT = '9000';
  try {
    expect(parseWith([], port)).toEqual({ rpcPort: 9000 });
    expect(parseWith(['--rpc-port', '1'], port)).toEqual({ rpcPort: 1 });
  } finally {
    delete process.env.CAUSEWAY_TEST_PORT;
  }
  expect(() => parseWith([], requiredOption('--out <file>', 'help', String))).toThrow('--out');
});

test('NO_COLOR wins, and colour needs a terminal', () => {
  const streams = (isTTY: boolean, env: Record<string, string>) => ({
    stdout: { write: () => true },
    stderr: { write: () => true, isTTY },
    env,
  });
  expect(wantsColour(streams(true, {}))).toBe(true);
  expect(wantsColour(streams(false, {}))).toBe(false);
  expect(wantsColour(streams(true, { NO_COLOR: '1' }))).toBe(false);
  expect(wantsColour(streams(true, { NO_COLOR: '1', FORCE_COLOR: '1' }))).toBe(false);
  expect(wantsColour(streams(true, { TERM: 'dumb' }))).toBe(false);
  const io = createIo(streams(false, {}), false, new AbortController().signal);
  expect(io.style('red', 'x')).toBe('x');
});

test('wei are shown exactly, JSON carries bigints as strings, tables align', () => {
  expect([0n, 1n, 10n ** 18n, 15n * 10n ** 17n, -1n].map(formatEth)).toEqual([
    '0 ETH',
    '0.000000000000000001 ETH',
    '1 ETH',
    '1.5 ETH',
    '-0.000000000000000001 ETH',
  ]);
  expect(toJson({ wei: 2n ** 70n })).toBe('{"wei":"1180591620717411303424"}');
  expect(
    formatTable([
      ['a', 'b'],
      ['long', 'c'],
    ]),
  ).toBe('a     b\nlong  c');
});
