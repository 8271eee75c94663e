import { createBlockHeaderFromRLP } from '@ethereumjs/block';
import { Common, Hardfork, Mainnet } from '@ethereumjs/common';
import { createMPT } from '@ethereumjs/mpt';
import { getContractAddress, keccak256, recoverAddress, serializeTransaction } from 'viem';
import { GATEWAY_SLOTS, readGatewayRelayers, readGatewayState } from '#bridge/encoding/gatewaySlots.ts';
import { EMPTY_OUTBOX_ROOT } from '#bridge/encoding/outboxTree.ts';
import { addressToWord, mappingSlot, wordToUint } from '#bridge/encoding/storageWords.ts';
import { checkpointToValueId } from '#consensus/digests.ts';
import { bytesToHex, type Hash, ZERO_ADDRESS, ZERO_HASH } from '#consensus/primitives.ts';
import { buildGenesis } from '#genesis/genesis.ts';
import { GATEWAY_PREFUND_WEI, PREDEPLOYS } from '#genesis/predeploys.ts';
import type { Genesis, GenesisAccount } from '#genesis/spec.ts';
import { parseSpec } from '#genesis/specFile.ts';
import { computeStateRoot } from '#genesis/stateRoot.ts';
import { BEACON_ROOTS_CODE, DETERMINISTIC_DEPLOYER_CODE, HISTORY_STORAGE_CODE } from '#genesis/systemCode.ts';
import { readValidatorSet } from '#genesis/validatorSetSlots.ts';
import { EXAMPLE_CODE, EXAMPLE_SPEC_JSON } from '#test/unit/genesis/exampleSpec.ts';

const spec = parseSpec(EXAMPLE_SPEC_JSON);
let genesis: Genesis;
beforeAll(async () => {
  genesis = await buildGenesis(spec, EXAMPLE_CODE);
});

const account = (address: string): GenesisAccount | undefined =>
  genesis.accounts.find((candidate) => candidate.address === address);
const reader = (address: string) => {
  const storage = new Map<string, Hash>(account(address)!.storage);
  return async (slot: Hash): Promise<Hash> => storage.get(slot) ?? ZERO_HASH;
};

test('the same inputs give the same hashes on any machine', () => {
  expect({
    specHash: genesis.specHash,
    stateRoot: genesis.stateRoot,
    genesisHash: genesis.genesisHash,
    valueId: genesis.valueId,
  }).toEqual({
    genesisHash: '0xc4022b78eb595fe4ae0876f537c50f8735667cce92435399e7f0eb29abf7a363',
    specHash: '0x0533e20e26d04d9a2f7223961b73d46d5fa89c19f4b5f521610c1ba6803cae67',
    stateRoot: '0xd88a2210fd0189bcf5e1a334bacfbf4a5f841410502e386ae587cdaf9dce1983',
    valueId: '0xd0c0fad4d698744c771a07405c6eba8b6521737136d00bd53b6a1e90ac00777e',
  });
});

test('block 0 is a standard Osaka header with the fields of RULES 6', () => {
  const common = new Common({
    chain: { ...Mainnet, chainId: 42424 },
    hardfork: Hardfork.Osaka,
  });
  const header = createBlockHeaderFromRLP(genesis.header, {
    common,
    setHardfork: false,
  });
  expect(bytesToHex(header.hash())).toBe(genesis.genesisHash);
  expect(header.number).toBe(0n);
  expect(header.difficulty).toBe(0n);
  expect(header.timestamp).toBe(spec.timestamp);
  expect(header.gasLimit).toBe(spec.blockGasLimit + spec.importGas);
  expect(header.baseFeePerGas).toBe(1_000_000_000n);
  expect(header.blobGasUsed).toBe(0n);
  expect(header.excessBlobGas).toBe(0n);
  expect(header.coinbase.toString()).toBe(ZERO_ADDRESS);
  expect(bytesToHex(header.mixHash)).toBe(ZERO_HASH);
  expect(bytesToHex(header.parentBeaconBlockRoot!)).toBe(ZERO_HASH);
  expect(bytesToHex(header.extraData)).toBe(genesis.validators.hash);
  expect(bytesToHex(header.stateRoot)).toBe(genesis.stateRoot);
  expect(bytesToHex(header.requestsHash!)).toBe(
    '0xe3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855',
  );
});

test('the checkpoint of height 0 is empty but for the block and its validators', () => {
  expect(genesis.checkpoint).toEqual({
    height: 0n,
    blockHash: genesis.genesisHash,
    stateRoot: genesis.stateRoot,
    outboxRoot: EMPTY_OUTBOX_ROOT,
    outboxCount: 0n,
    importedCount: 0n,
    importedHash: ZERO_HASH,
    nextValidatorsHash: genesis.validators.hash,
  });
  expect(genesis.valueId).toBe(checkpointToValueId(genesis.checkpoint));
});

test('the gateway is pre-funded and its counters start at the backed sum (RULES 51)', async () => {
  expect(account(PREDEPLOYS.pegGateway)).toMatchObject({
    balanceWei: GATEWAY_PREFUND_WEI,
    nonce: 1n,
  });
  expect(genesis.backedWei).toBe(100_000_000_000_000_000_001n);
  expect(await readGatewayState(reader(PREDEPLOYS.pegGateway))).toMatchObject({
    importedCount: 0n,
    outboxCount: 0n,
    mintedWei: genesis.backedWei,
    burnedWei: 0n,
    outboxRoot: EMPTY_OUTBOX_ROOT,
  });
  expect(await readGatewayRelayers(reader(PREDEPLOYS.pegGateway))).toEqual({
    threshold: 2,
    addresses: spec.relayers.map(({ address }) => address),
  });
});

test('the gateway refuses withdrawals to L1 contracts that could never be paid (RULES 32)', async () => {
  const unpayable = [
    ...Object.values(genesis.l1),
    PREDEPLOYS.deterministicDeployer,
    PREDEPLOYS.historyStorage,
    PREDEPLOYS.beaconRoots,
  ];
  for (const address of unpayable)
    expect(
      wordToUint(
        await reader(PREDEPLOYS.pegGateway)(
          mappingSlot(addressToWord(address), GATEWAY_SLOTS.refusedRecipient),
        ),
      ),
    ).toBe(1n);
});

test('both validator lists hold the specification’s set', async () => {
  for (const list of ['active', 'pending'] as const)
    expect(await readValidatorSet(reader(PREDEPLOYS.validatorSet), list)).toEqual(genesis.validators);
});

test('addresses of later system contracts hold nothing', () => {
  for (const name of ['governance', 'permissions', 'feePolicy', 'upgradePlan', 'treasury'] as const)
    expect(account(PREDEPLOYS[name])).toBeUndefined();
});

test('the real predeploys give a genesis too, another one', async () => {
  const real = await buildGenesis(spec);
  expect(real.specHash).not.toBe(genesis.specHash);
  expect(real.accounts.find(({ address }) => address === PREDEPLOYS.beaconRoots)?.code).toEqual(
    BEACON_ROOTS_CODE,
  );
});

test('the state root does not depend on the order of accounts or slots', async () => {
  const shuffled = genesis.accounts
    .map((entry) => ({ ...entry, storage: [...entry.storage].reverse() }))
    .reverse();
  expect(await computeStateRoot(shuffled)).toBe(genesis.stateRoot);
  expect(await computeStateRoot([])).toBe(bytesToHex((await createMPT()).EMPTY_TRIE_ROOT));
});

test('standard system code is what mainnet has', async () => {
  expect(keccak256(BEACON_ROOTS_CODE)).toBe(
    '0xf57acd40259872606d76197ef052f3d35588dadf919ee1f0e3cb9b62d3f4b02c',
  );
  // EIP-4788 was deployed by a keyless transaction: its made-up signature fits only the exact code.
  const unsigned = serializeTransaction({
    type: 'legacy',
    nonce: 0,
    gas: 250_000n,
    gasPrice: 1_000_000_000_000n,
    data: `0x60618060095f395ff3${bytesToHex(BEACON_ROOTS_CODE).slice(2)}`,
  });
  const from = await recoverAddress({
    hash: keccak256(unsigned),
    signature: {
      r: `0x${'0539'.padStart(64, '0')}`,
      s: `0x${'1b9b6eb1f0'.padStart(64, '0')}`,
      yParity: 0,
    },
  });
  expect(getContractAddress({ from, nonce: 0n }).toLowerCase()).toBe(PREDEPLOYS.beaconRoots);
  expect(HISTORY_STORAGE_CODE.length).toBe(83);
  expect(keccak256(DETERMINISTIC_DEPLOYER_CODE)).toBe(
    '0x2fa86add0aed31f33a762c9d88e807c475bd51d0f52bd0955754b2608f7e4989',
  );
});
