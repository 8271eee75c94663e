/**
 * Where PegGateway keeps its state: the node reads these words directly, the genesis writes them (RULES 51).
 *
 * Owns the slot numbers and the meaning of each word. The contract declares its variables in this order;
 * test/unit/bridge/encoding/gatewaySlots.test.ts holds the compiler's storage layout against this table.
 *
 *  | slot  | word |
 *  |-------|------|
 *  | 0     | uint64 importedCount, uint64 outboxCount, uint64 relayerEpoch, uint8 relayerThreshold, from the low end |
 *  | 1     | importedHash |
 *  | 2     | outboxRoot |
 *  | 3     | mintedWei, starts at the backed sum |
 *  | 4     | burnedWei |
 *  | 5     | l1ChainId |
 *  | 6     | vault |
 *  | 7     | specHash |
 *  | 8     | relayersHash: keccak of the packed set |
 *  | 9     | address[] relayers: the same set, for reading |
 *  | 10    | mapping(address => bool): L1 addresses that no withdrawal may name |
 *  | 11    | mapping(token => mapping(account => amount)): parked credits, token zero is ETH |
 *  | 12–43 | bytes32[32] branch of the outbox tree |
 *  | 44    | mapping(account => L1 address): where the escape pays what a contract owns |
 *  | 45    | mapping(L1 token => clone) |
 */
import { EMPTY_OUTBOX_ROOT } from '#bridge/encoding/outboxTree.ts';
import { GENESIS_RELAYER_EPOCH, type RelayerSet, relayerSetHash } from '#bridge/encoding/relayerSet.ts';
import {
  addressToWord,
  arrayElementSlot,
  mappingSlot,
  type SlotReader,
  type StorageEntry,
  uintToWord,
  wordToAddress,
  wordToUint,
} from '#bridge/encoding/storageWords.ts';
import type { Address, Hash } from '#consensus/primitives.ts';
import { ZERO_ADDRESS } from '#consensus/primitives.ts';

export const GATEWAY_SLOTS = {
  counters: 0n,
  importedHash: 1n,
  outboxRoot: 2n,
  mintedWei: 3n,
  burnedWei: 4n,
  l1ChainId: 5n,
  vault: 6n,
  specHash: 7n,
  relayersHash: 8n,
  relayers: 9n,
  refusedRecipient: 10n,
  parked: 11n,
  branch: 12n,
  exitRecipient: 44n,
  wrapped: 45n,
} as const;

/** What a block's checkpoint and the node's own checks need of the gateway. */
export type GatewayState = {
  readonly importedCount: bigint;
  readonly importedHash: Hash;
  readonly outboxRoot: Hash;
  readonly outboxCount: bigint;
  readonly relayerEpoch: bigint;
  readonly mintedWei: bigint;
  readonly burnedWei: bigint;
};

const U64 = (1n << 64n) - 1n;

/** Five words, all from one state. */
export const readGatewayState = async (read: SlotReader): Promise<GatewayState> => {
  const [counters, importedHash, outboxRoot, minted, burned] = await Promise.all(
    (['counters', 'importedHash', 'outboxRoot', 'mintedWei', 'burnedWei'] as const).map((name) =>
      read(uintToWord(GATEWAY_SLOTS[name])),
    ),
  );
  const word = wordToUint(counters!);
  return {
    importedCount: word & U64,
    outboxCount: (word >> 64n) & U64,
    relayerEpoch: (word >> 128n) & U64,
    importedHash: importedHash!,
    outboxRoot: outboxRoot!,
    mintedWei: wordToUint(minted!),
    burnedWei: wordToUint(burned!),
  };
};

/** The set whose members may send imports (RULES 31). Bounded: the genesis and rotations admit at most 255. */
export const readGatewayRelayers = async (read: SlotReader): Promise<RelayerSet> => {
  const [counters, length] = await Promise.all([
    read(uintToWord(GATEWAY_SLOTS.counters)),
    read(uintToWord(GATEWAY_SLOTS.relayers)),
  ]);
  const count = Number(wordToUint(length) & 0xffn);
  const words = await Promise.all(
    Array.from({ length: count }, (_, index) =>
      read(arrayElementSlot(GATEWAY_SLOTS.relayers, BigInt(index))),
    ),
  );
  return {
    threshold: Number((wordToUint(counters) >> 192n) & 0xffn),
    addresses: words.map(wordToAddress),
  };
};

/** The word that holds an account's parked ETH. */
export const parkedSlot = (account: Address): Hash =>
  mappingSlot(
    addressToWord(account),
    wordToUint(mappingSlot(addressToWord(ZERO_ADDRESS), GATEWAY_SLOTS.parked)),
  );

/** The word that says where a contract's assets go if the sidechain dies. */
export const exitRecipientSlot = (account: Address): Hash =>
  mappingSlot(addressToWord(account), GATEWAY_SLOTS.exitRecipient);

/** The word that holds a listed token's clone. @param token its L1 address */
export const wrappedSlot = (token: Address): Hash => mappingSlot(addressToWord(token), GATEWAY_SLOTS.wrapped);

export type GatewayGenesis = {
  readonly l1ChainId: bigint;
  readonly vault: Address;
  readonly specHash: Hash;
  readonly relayers: RelayerSet;
  /** L1 contracts of the peg, and system contracts there: a withdrawal to one of them could never be paid (RULES 32). */
  readonly refusedRecipients: readonly Address[];
  /** Sum of the backed genesis balances, wei. */
  readonly backedWei: bigint;
};

/** The gateway's storage in block 0; zero words are left out. @throws RelayerSetError */
export const gatewayGenesisStorage = (genesis: GatewayGenesis): StorageEntry[] => {
  const { relayers } = genesis;
  const counters = (GENESIS_RELAYER_EPOCH << 128n) | (BigInt(relayers.threshold) << 192n);
  const entries: StorageEntry[] = [
    [uintToWord(GATEWAY_SLOTS.counters), uintToWord(counters)],
    [uintToWord(GATEWAY_SLOTS.outboxRoot), EMPTY_OUTBOX_ROOT],
    [uintToWord(GATEWAY_SLOTS.mintedWei), uintToWord(genesis.backedWei)],
    [uintToWord(GATEWAY_SLOTS.l1ChainId), uintToWord(genesis.l1ChainId)],
    [uintToWord(GATEWAY_SLOTS.vault), addressToWord(genesis.vault)],
    [uintToWord(GATEWAY_SLOTS.specHash), genesis.specHash],
    [uintToWord(GATEWAY_SLOTS.relayersHash), relayerSetHash(relayers)],
    [uintToWord(GATEWAY_SLOTS.relayers), uintToWord(BigInt(relayers.addresses.length))],
    ...relayers.addresses.map(
      (address, index): StorageEntry => [
        arrayElementSlot(GATEWAY_SLOTS.relayers, BigInt(index)),
        addressToWord(address),
      ],
    ),
    ...genesis.refusedRecipients.map(
      (address): StorageEntry => [
        mappingSlot(addressToWord(address), GATEWAY_SLOTS.refusedRecipient),
        uintToWord(1n),
      ],
    ),
  ];
  return entries.filter(([, value]) => wordToUint(value) !== 0n);
};
