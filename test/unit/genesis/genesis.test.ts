import { readFileSync } from 'node:fs';
import { createBlockHeaderFromRLP } from '@ethereumjs/block';
import { Common, Hardfork, Mainnet } from '@ethereumjs/common';
import { createMPT } from '@ethereumjs/mpt';
import { getContractAddress, keccak256, recoverAddress, serializeTransaction } from 'viem';
import { GATEWAY_SLOTS, readGatewayRelayers, readGatewayState } from '#bridge/encoding/gatewaySlots.ts';
import { EMPTY_OUTBOX_ROOT } from '#bridge/encoding/outboxTree.ts';
import {
  addressToWord,
  arrayElementSlot,
  mappingSlot,
  uintToWord,
  wordToAddress,
  wordToUint,
} from '#bridge/encoding/storageWords.ts';
import { checkpointToValueId } from '#consensus/digests.ts';
import { bytesToHex, type Hash, ZERO_ADDRESS, ZERO_HASH } from '#consensus/primitives.ts';
import { buildGenesis } from '#genesis/genesis.ts';
import { GATEWAY_PREFUND_WEI, PREDEPLOYS } from '#genesis/predeploys.ts';
import type { Genesis, GenesisAccount } from '#genesis/spec.ts';
import { parseSpec } from '#genesis/specFile.ts';
import { computeStateRoot } from '#genesis/stateRoot.ts';
import { BEACON_ROOTS_CODE, DETERMINISTIC_DEPLOYER_CODE, HISTORY_STORAGE_CODE } from '#genesis/systemCode.ts';
import { readUpgradePlan, rulesVersionAt } from '#genesis/upgradePlanSlot.ts';
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
    genesisHash: '0xda1dd77efc76c80f6db5cbc90ca51a6e0ffba43da5a03413c077a9e1c8966de0',
    specHash: '0x609c801d985ca02be111796d059432cae288b0e350be085334dd1b4be253200e',
    stateRoot: '0x283ee19527bc6f01114de4b1645d5f4fc991aa3e14c1361e0b72b91aa77cd5b0',
    valueId: '0x46e2d61fed7a8c0afdda449b28651dff2c4684a4374a831e411a8dd9f655db29',
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

test('governance holds the organisations, and the upgrade plan the first rules', async () => {
  const governance = reader(PREDEPLOYS.governance);
  expect(wordToUint(await governance(uintToWord(0n)))).toBe(4n);
  for (const [index, governor] of spec.governors.entries())
    expect(wordToAddress(await governance(arrayElementSlot(0n, BigInt(index))))).toBe(governor.address);
  expect(await readUpgradePlan(reader(PREDEPLOYS.upgradePlan))).toEqual({ version: 1n, next: null });
});

test('the compiler puts governors and plan where the genesis writes them', () => {
  const layoutOf = (name: string) =>
    (
      JSON.parse(
        readFileSync(new URL(`../../../genesis/contracts/artifacts/${name}.json`, import.meta.url), 'utf8'),
      ) as { storageLayout: { label: string; slot: number; offset: number; type: string }[] }
    ).storageLayout.map(({ label, slot, offset, type }) => [label, slot, offset, type]);
  expect(layoutOf('Governance')[0]).toEqual(['_governors', 0, 0, 'address[]']);
  expect(layoutOf('UpgradePlan')).toEqual([
    ['_version', 0, 0, 'uint64'],
    ['_nextHeight', 0, 8, 'uint64'],
    ['_nextVersion', 0, 16, 'uint64'],
  ]);
});

test('the rules of a height follow from the plan', async () => {
  const planOf = (word: bigint) => readUpgradePlan(async () => uintToWord(word));
  const plan = await planOf((3n << 128n) | (50n << 64n) | 2n);
  expect(plan).toEqual({ version: 2n, next: { height: 50n, version: 3n } });
  expect([49n, 50n, 51n].map((height) => rulesVersionAt(plan, height))).toEqual([2n, 3n, 3n]);
  expect(rulesVersionAt(await planOf(0n), 10n ** 9n)).toBe(0n);
});

test('addresses of later system contracts hold nothing', () => {
  for (const name of ['permissions', 'feePolicy', 'treasury'] as const)
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
