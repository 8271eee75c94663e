import { GenesisError } from '#genesis/errors.ts';
import { parseSpec, parseSpecText, specToJson } from '#genesis/specFile.ts';
import { specToHash } from '#genesis/specHash.ts';
import { EXAMPLE_CODE, EXAMPLE_SPEC_JSON } from '#test/unit/genesis/exampleSpec.ts';

const changed = (change: object) => ({ ...structuredClone(EXAMPLE_SPEC_JSON), ...change });
const codeOf = (json: unknown, options = {}): string => {
  try {
    parseSpec(json, options);
    return 'none';
  } catch (error) {
    return error instanceof GenesisError ? error.code : `threw ${String(error)}`;
  }
};
const { validators, relayers, governors, balances } = EXAMPLE_SPEC_JSON;

describe('refuses', () => {
  test('unknown keys, at any depth', () => {
    expect(codeOf(changed({ extra: 'x' }))).toBe('BAD_SHAPE');
    expect(codeOf(changed({ feePolicy: { mode: 'fixed', baseFeeWei: '1', tip: '1' } }))).toBe('BAD_SHAPE');
    expect(codeOf(changed({ validators: [{ ...validators[0], url: 'x' }, ...validators.slice(1)] }))).toBe(
      'BAD_SHAPE',
    );
  });

  test('numbers that are not decimal strings', () => {
    for (const chainId of [42424, '0x1', '1e3', '-1', '01', '', '1.0', null])
      expect(codeOf(changed({ chainId }))).toBe('BAD_SHAPE');
  });

  test('another version, an unknown fee mode, a missing part, what is not an object', () => {
    expect(codeOf(changed({ version: '2' }))).toBe('BAD_SHAPE');
    expect(codeOf(changed({ feePolicy: { mode: 'free', baseFeeWei: '0' } }))).toBe('BAD_SHAPE');
    for (const json of [null, [], 'x', 1, {}]) expect(codeOf(json)).toBe('BAD_SHAPE');
    expect(() => parseSpecText('{')).toThrow(expect.objectContaining({ code: 'BAD_JSON' }));
  });

  test('fewer than four validators, unless that is said', () => {
    const three = changed({ validators: validators.slice(0, 3) });
    expect(codeOf(three)).toBe('TOO_FEW_VALIDATORS');
    expect(codeOf(three, { allowFewValidators: true })).toBe('none');
    expect(codeOf(changed({ validators: [] }), { allowFewValidators: true })).toBe('TOO_FEW_VALIDATORS');
  });

  test('lists that are not strictly ascending, compared as bytes and not as text', () => {
    expect(codeOf(changed({ validators: [...validators].reverse() }))).toBe('NOT_ASCENDING');
    expect(codeOf(changed({ relayers: [relayers[0], relayers[0], relayers[2]] }))).toBe('NOT_ASCENDING');
    expect(codeOf(changed({ balances: [balances[1], balances[0]] }))).toBe('NOT_ASCENDING');
    expect(codeOf(changed({ governors: [governors[1], governors[0]] }))).toBe('NOT_ASCENDING');
    expect(codeOf(changed({ governors: [governors[0], governors[0]] }))).toBe('NOT_ASCENDING');
    const [first, ...rest] = relayers;
    expect(
      codeOf(
        changed({
          relayers: [...rest, { ...first, address: '0xAbcdefabcdefabcdefabcdefabcdefabcdefabcd' }],
        }),
      ),
    ).toBe('none');
  });

  test('relayer thresholds below two, above n, or not more than half', () => {
    for (const relayerThreshold of ['0', '1', '4'])
      expect(codeOf(changed({ relayerThreshold }))).toBe('BAD_THRESHOLD');
    const peerId = '12D3KooWQYhTNQdmr3ArTeUHRYzFg94BKyTkoWBDWez9kSCVe2Xo';
    const four = [...relayers, { name: 'relayer-4', address: `0x${'a1'.repeat(20)}`, peerId }];
    expect(codeOf(changed({ relayers: four, relayerThreshold: '2' }))).toBe('BAD_THRESHOLD');
    expect(codeOf(changed({ relayers: [], relayerThreshold: '2' }))).toBe('BAD_THRESHOLD');
  });

  test('powers of zero and totals above 1,000 a validator', () => {
    const withPower = (power: string) =>
      changed({ validators: [{ ...validators[0], power }, ...validators.slice(1)] });
    expect(codeOf(withPower('0'))).toBe('BAD_POWER');
    expect(codeOf(withPower('3997'))).toBe('none');
    expect(codeOf(withPower('3998'))).toBe('BAD_POWER');
    expect(codeOf(withPower(String(1n << 64n)))).toBe('BAD_POWER');
  });

  test('PeerIds that do not parse or are not of an ed25519 key', () => {
    for (const peerId of ['', '12D3KooW', 'QmYyQSo1c1Ym7orWxLYvCrM2EmxFTANf8wXmmE7DWjhx5N'])
      expect(codeOf(changed({ relayers: [{ ...relayers[0], peerId }, ...relayers.slice(1)] }))).toBe(
        'BAD_PEER_ID',
      );
  });

  test('nobody, or far too many, to decide on the validators', () => {
    expect(codeOf(changed({ governors: [] }))).toBe('BAD_GOVERNORS');
    const many = Array.from({ length: 65 }, (_, index) => ({
      name: `organisation-${index}`,
      address: `0xa${String(index).padStart(39, '0')}`,
    }));
    expect(codeOf(changed({ governors: many }))).toBe('BAD_GOVERNORS');
    expect(codeOf(changed({ governors: many.slice(1) }))).toBe('none');
  });

  test('one key in two roles', () => {
    expect(codeOf(changed({ governors: [{ ...governors[0], address: validators[0]!.address }] }))).toBe(
      'SHARED_KEY',
    );
    expect(codeOf(changed({ governors: [{ ...governors[0], name: relayers[0]!.name }] }))).toBe('SHARED_KEY');
    expect(codeOf(changed({ deployer: validators[0]!.address }))).toBe('SHARED_KEY');
    expect(
      codeOf(
        changed({ relayers: [{ ...relayers[0], address: validators[3]!.address }, ...relayers.slice(1)] }),
      ),
    ).toBe('SHARED_KEY');
    expect(
      codeOf(
        changed({ relayers: [{ ...relayers[0], peerId: validators[3]!.peerId }, ...relayers.slice(1)] }),
      ),
    ).toBe('SHARED_KEY');
    expect(
      codeOf(changed({ relayers: [{ ...relayers[0], name: validators[0]!.name }, ...relayers.slice(1)] })),
    ).toBe('SHARED_KEY');
  });

  test('balances of the system: precompiles, predeploys, the peg’s L1 addresses; empty or too large ones', () => {
    const of = (address: string, amountWei = '1') => codeOf(changed({ balances: [{ address, amountWei }] }));
    expect(of(`0x${'00'.repeat(19)}01`)).toBe('BAD_BALANCE');
    expect(of('0x0000000000000000000000000000000000001001')).toBe('BAD_BALANCE');
    expect(of('0x4e59b44847b379578588920cA78FbF26c0B4956C')).toBe('BAD_BALANCE');
    expect(of(balances[0]!.address, '0')).toBe('BAD_BALANCE');
    expect(of(balances[0]!.address, String(1n << 128n))).toBe('BAD_BALANCE');
    expect(of(balances[0]!.address, String((1n << 128n) - 1n))).toBe('none');
  });

  test('chain ids and limits that no chain can have', () => {
    expect(codeOf(changed({ chainId: '31337' }))).toBe('BAD_CHAIN_ID');
    expect(codeOf(changed({ chainId: '0' }))).toBe('BAD_CHAIN_ID');
    expect(codeOf(changed({ epochLength: '0' }))).toBe('BAD_LIMIT');
    expect(codeOf(changed({ blockGasLimit: '21000' }))).toBe('BAD_LIMIT');
    expect(codeOf(changed({ importGas: String((1n << 24n) + 1n) }))).toBe('BAD_LIMIT');
    // no import could ever succeed with it
    expect(codeOf(changed({ importGas: '499999' }))).toBe('BAD_LIMIT');
    expect(codeOf(changed({ importGas: '500000' }))).toBe('none');
    expect(codeOf(changed({ timestamp: '0' }))).toBe('BAD_LIMIT');
  });
});

test('reads back what it writes', () => {
  const spec = parseSpec(EXAMPLE_SPEC_JSON);
  expect(specToJson(spec)).toEqual(EXAMPLE_SPEC_JSON);
  expect(parseSpec(specToJson(spec))).toEqual(spec);
});

test('every input, and the predeploys’ code, moves specHash (RULES 49)', () => {
  const base = specToHash(parseSpec(EXAMPLE_SPEC_JSON), EXAMPLE_CODE);
  const variants = [
    changed({ chainId: '42425' }),
    changed({ l1ChainId: '1' }),
    changed({ timestamp: '1700000001' }),
    changed({ epochLength: '101' }),
    changed({ blockGasLimit: '30000001' }),
    changed({ importGas: '12000001' }),
    changed({ feePolicy: { mode: 'fixed', baseFeeWei: '2' } }),
    changed({ validators: [{ ...validators[0], power: '2' }, ...validators.slice(1)] }),
    changed({ relayerThreshold: '3' }),
    changed({ governors: governors.slice(1) }),
    changed({ balances: balances.slice(1) }),
    changed({ deployer: `0x${'de'.repeat(20)}` }),
  ].map((json) => specToHash(parseSpec(json), EXAMPLE_CODE));
  const otherCode = EXAMPLE_CODE.map((predeploy, index) =>
    index === 1 ? { ...predeploy, code: Uint8Array.of(0x60, 0x02) } : predeploy,
  );
  variants.push(specToHash(parseSpec(EXAMPLE_SPEC_JSON), otherCode));
  expect(new Set([base, ...variants]).size).toBe(variants.length + 1);
});
