import { readFileSync } from 'node:fs';
import { PEG_GATEWAY } from '#bridge/addresses.ts';
import {
  GATEWAY_SLOTS,
  gatewayGenesisStorage,
  readGatewayRelayers,
  readGatewayState,
} from '#bridge/encoding/gatewaySlots.ts';
import { EMPTY_OUTBOX_ROOT } from '#bridge/encoding/outboxTree.ts';
import { uintToWord } from '#bridge/encoding/storageWords.ts';
import { type Hash, ZERO_HASH } from '#consensus/primitives.ts';
import { pegVectors } from '#test/fixtures/pegVectors.ts';

type Layout = readonly { label: string; slot: number; offset: number; type: string }[];
const artifact = JSON.parse(
  readFileSync(new URL('../../../../bridge/contracts/artifacts/PegGateway.json', import.meta.url), 'utf8'),
) as { storageLayout: Layout; immutableReferences: unknown[] };

const read = (entries: readonly (readonly [Hash, Hash])[]) => async (slot: Hash) =>
  new Map(entries).get(slot) ?? ZERO_HASH;

test('the compiler puts every variable where the node reads it', () => {
  const found = artifact.storageLayout.map(({ label, slot, offset }) => [
    label.replace('_', ''),
    slot,
    offset,
  ]);
  expect(found).toEqual([
    ['importedCount', 0, 0],
    ['outboxCount', 0, 8],
    ['relayerEpoch', 0, 16],
    ['relayerThreshold', 0, 24],
    ['importedHash', Number(GATEWAY_SLOTS.importedHash), 0],
    ['outboxRoot', Number(GATEWAY_SLOTS.outboxRoot), 0],
    ['mintedWei', Number(GATEWAY_SLOTS.mintedWei), 0],
    ['burnedWei', Number(GATEWAY_SLOTS.burnedWei), 0],
    ['l1ChainId', Number(GATEWAY_SLOTS.l1ChainId), 0],
    ['vault', Number(GATEWAY_SLOTS.vault), 0],
    ['specHash', Number(GATEWAY_SLOTS.specHash), 0],
    ['relayersHash', Number(GATEWAY_SLOTS.relayersHash), 0],
    ['relayers', Number(GATEWAY_SLOTS.relayers), 0],
    ['refused', Number(GATEWAY_SLOTS.refusedRecipient), 0],
    ['parked', Number(GATEWAY_SLOTS.parked), 0],
    ['branch', Number(GATEWAY_SLOTS.branch), 0],
    ['exitRecipient', Number(GATEWAY_SLOTS.exitRecipient), 0],
    ['wrappedOf', Number(GATEWAY_SLOTS.wrapped), 0],
  ]);
});

test('the gateway has no immutables, so that its compiled code is its code in the genesis', () => {
  expect(artifact.immutableReferences).toEqual([]);
});

test('the genesis storage reads back as it was meant, without a zero word or a duplicate', async () => {
  const { relayerSet, depositContext, leafTypehash } = pegVectors;
  const relayers = { threshold: relayerSet.threshold, addresses: relayerSet.addresses };
  const entries = gatewayGenesisStorage({
    l1ChainId: 31337n,
    vault: depositContext.srcBridge,
    specHash: leafTypehash,
    relayers,
    refusedRecipients: [depositContext.srcBridge, PEG_GATEWAY],
    backedWei: 5n,
  });
  expect(new Set(entries.map(([slot]) => slot)).size).toBe(entries.length);
  expect(entries.every(([, value]) => value !== ZERO_HASH)).toBe(true);
  expect(await readGatewayState(read(entries))).toEqual({
    importedCount: 0n,
    importedHash: ZERO_HASH,
    outboxRoot: EMPTY_OUTBOX_ROOT,
    outboxCount: 0n,
    relayerEpoch: 1n,
    mintedWei: 5n,
    burnedWei: 0n,
  });
  expect(await readGatewayRelayers(read(entries))).toEqual(relayers);
});

test('the three counters share a word and do not touch each other', async () => {
  const word = uintToWord(7n | ((2n ** 64n - 1n) << 64n) | (3n << 128n) | (2n << 192n));
  const state = await readGatewayState(read([[uintToWord(0n), word]]));
  expect(state).toMatchObject({ importedCount: 7n, outboxCount: 2n ** 64n - 1n, relayerEpoch: 3n });
});
