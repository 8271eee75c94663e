/** Catching up with real chains, real certificates and real libp2p, through epochs with other validators. */

import { privateKeyToAddress } from '#consensus/crypto/secp256k1.ts';
import { checkpointToValueId } from '#consensus/digests.ts';
import { type Address, compareHex, concatBytes, type Hash, hexToBytes } from '#consensus/primitives.ts';
import { isQuorum, powerOf, type Validator, type ValidatorSet } from '#consensus/validatorSet.ts';
import { PREDEPLOY_CODE } from '#genesis/predeployCode.ts';
import { PREDEPLOYS } from '#genesis/predeploys.ts';
import type { Genesis } from '#genesis/spec.ts';
import { validatorListEntries } from '#genesis/validatorSetSlots.ts';
import type { Chain } from '#node/chain.ts';
import { openChain } from '#node/execution/openChain.ts';
import type { CertifiedBlock } from '#node/storage/records.ts';
import { toCertified } from '#node/sync/blockCodec.ts';
import { createSync, type Sync, type SyncFault, type SyncOptions } from '#node/sync/sync.ts';
import {
  exampleGenesis,
  keyOf,
  payloadOn,
  requireValid,
  sealValue,
  signTransaction,
  temporaryFolder,
  USERS,
} from '#test/unit/node/execution/exampleChain.ts';
import { createCluster, createIdentity, type Identity, type TestNode } from '../network/networkFixture.ts';

const EPOCH = 5n;
const EPOCHS = 11n;
const HEIGHT = EPOCH * EPOCHS + 2n;
/** Writes calldata as (slot, value) pairs: lets a transaction set `pending` without Governance. */
const WRITE_SLOTS = hexToBytes('0x60005b3681101560185780602001358135556040016002565b00');
const KEYS = new Map<Address, Uint8Array>(
  [10, 11, 12, 13, 14, 15, 16].map((index) => [privateKeyToAddress(keyOf(index)), keyOf(index)]),
);
const MEMBERS = [...KEYS.keys()];
const listOf = (...entries: readonly (readonly [member: number, power: bigint])[]): readonly Validator[] =>
  entries
    .map(([member, power]) => ({ address: MEMBERS[member]!, power }))
    .sort((a, b) => compareHex(a.address, b.address));
/** Grows 4→7, shrinks 7→4 to others, and changes powers. */
const LISTS = [
  listOf([0, 1n], [1, 1n], [2, 1n], [3, 1n], [4, 1n]),
  listOf([0, 1n], [1, 1n], [2, 1n], [3, 1n], [4, 1n], [5, 1n], [6, 1n]),
  listOf([0, 10n], [1, 20n], [2, 30n], [3, 40n], [4, 50n], [5, 60n], [6, 70n]),
  listOf([3, 1n], [4, 1n], [5, 1n], [6, 1n]),
  listOf([3, 9n], [4, 1n], [5, 1n], [6, 1n]),
  listOf([0, 1n], [1, 1n], [2, 1n], [3, 1n]),
];
const [alice] = USERS as [(typeof USERS)[number]];

const keysOf = ({ validators }: ValidatorSet): Map<Address, Uint8Array> =>
  new Map(validators.map(({ address }) => [address, KEYS.get(address)!]));

/** The smallest quorum of a set, of those who count least in another one. */
const quorumOf = (set: ValidatorSet, other: ValidatorSet): Map<Address, Uint8Array> => {
  const members = [...set.validators].sort((a, b) =>
    Number(powerOf(other, a.address) - powerOf(other, b.address)),
  );
  const signers = new Map<Address, Uint8Array>();
  let power = 0n;
  for (const member of members) {
    if (isQuorum(set, power)) break;
    power += member.power;
    signers.set(member.address, KEYS.get(member.address)!);
  }
  return signers;
};

const writePending = (nonce: number, validators: readonly Validator[]): Promise<Uint8Array> =>
  signTransaction(alice, {
    nonce,
    to: PREDEPLOYS.validatorSet,
    gas: 1_000_000n,
    data: `0x${Buffer.from(
      concatBytes(
        ...validatorListEntries('pending', validators, 7).map(([slot, value]) =>
          concatBytes(hexToBytes(slot), hexToBytes(value)),
        ),
      ),
    ).toString('hex')}`,
  });

const folders: Awaited<ReturnType<typeof temporaryFolder>>[] = [];
const chains: Chain[] = [];
const syncs: Sync[] = [];
const cluster = createCluster();
let genesis: Genesis;
let source: Chain;
let blocks: CertifiedBlock[];
let sets: ValidatorSet[];
let identities: Identity[];

const openFresh = async (): Promise<Chain> => {
  const folder = await temporaryFolder();
  folders.push(folder);
  const chain = await openChain({ dataDir: folder.path, genesis });
  chains.push(chain);
  return chain;
};

beforeAll(async () => {
  const code = PREDEPLOY_CODE.map((one) =>
    one.address === PREDEPLOYS.validatorSet ? { ...one, code: WRITE_SLOTS } : one,
  );
  genesis = await exampleGenesis({ epochLength: EPOCH }, code);
  source = await openFresh();
  blocks = [];
  sets = [];
  for (let height = 1n; height <= HEIGHT; height++) {
    const epoch = Number(height / EPOCH);
    const changes = height % EPOCH === 1n ? [await writePending(epoch, LISTS[epoch % LISTS.length]!)] : [];
    const { valueId } = requireValid(await source.derive(payloadOn(source, changes)));
    const set = source.head().nextValidators;
    const { block } = await source.commit(valueId, sealValue(genesis, height, valueId, keysOf(set)));
    blocks.push(toCertified(block)!);
    sets.push(set);
  }
  identities = await Promise.all(['one', 'two', 'three'].map((name) => createIdentity(name)));
}, 120_000);
afterEach(async () => {
  await Promise.all(syncs.splice(0).map((sync) => sync.stop()));
  await cluster.stopAll();
});
afterAll(async () => {
  for (const chain of chains) await chain.close();
  for (const folder of folders) await folder.remove();
});

type Running = TestNode & { readonly sync: Sync; readonly fault: Promise<SyncFault> };

const startNode = async (
  index: number,
  chain: SyncOptions['chain'],
  dials: readonly TestNode[],
  overrides: Partial<SyncOptions> = {},
): Promise<Running> => {
  const node = await cluster.start(identities[index]!, identities, dials);
  const { promise: fault, resolve } = Promise.withResolvers<SyncFault>();
  const sync = createSync({
    network: node.network,
    chain,
    domain: { chainId: genesis.spec.chainId, genesisHash: genesis.genesisHash },
    isValidator: false,
    acceptedAbove: () => [],
    logger: node.logger,
    onFatal: resolve,
    ...overrides,
  });
  syncs.push(sync);
  sync.start();
  return { ...node, sync, fault };
};

const reaches = (chain: Chain, height: bigint): Promise<void> =>
  new Promise((resolve) => {
    const look = (): void => {
      if (chain.head().block.height < height) return;
      leave();
      resolve();
    };
    const leave = chain.onCommitted(look);
    look();
  });

const acceptedAt = (height: bigint, valueId?: Hash) => ({
  height,
  valueId: valueId ?? checkpointToValueId(blocks[Number(height) - 1]!.checkpoint),
  l1BlockNumber: 1n,
});
/** What the L1 accepted, honest: each epoch's last block. */
const epochEnds = (height: bigint) =>
  Array.from({ length: Number(EPOCHS) }, (_, index) => EPOCH * BigInt(index + 1))
    .filter((end) => end > height)
    .map((end) => acceptedAt(end));

/** The source, except that it serves another block at one height. */
const forging = (height: bigint, forged: CertifiedBlock): SyncOptions['chain'] => ({
  head: () => source.head(),
  onCommitted: (listener) => source.onCommitted(listener),
  importBlock: (block) => source.importBlock(block),
  blockAt: async (asked) => {
    const block = await source.blockAt(asked);
    return asked === height && block !== null ? { ...block, ...forged } : block;
  },
});

test('the chain went through at least five sets in at least ten epochs, up to seven members and back', () => {
  expect(new Set(sets.map(({ hash }) => hash)).size).toBeGreaterThanOrEqual(5);
  expect(EPOCHS).toBeGreaterThanOrEqual(10n);
  const sizes = sets.map(({ validators }) => validators.length);
  expect([Math.min(...sizes), Math.max(...sizes)]).toEqual([4, 7]);
});

test('37 · each certificate is held against the set of its own height, never that of the epoch before', async () => {
  const chain = await openFresh();
  let refused = 0;
  for (const [index, block] of blocks.entries()) {
    const { height } = block.checkpoint;
    const before = sets[index - 1];
    if (before !== undefined && before.hash !== sets[index]!.hash) {
      const certificate = sealValue(
        genesis,
        height,
        block.certificate.valueId,
        quorumOf(before, sets[index]!),
      );
      await expect(chain.importBlock({ ...block, certificate })).rejects.toMatchObject({
        code: 'BAD_CERTIFICATE',
        fatal: false,
      });
      refused++;
    }
    expect((await chain.importBlock(block)).block.height).toBe(height);
  }
  expect(refused).toBeGreaterThanOrEqual(5);
}, 120_000);

test('a node syncs from genesis through all sets, each block proven by what the L1 accepted', async () => {
  const a = await startNode(0, source, []);
  const chain = await openFresh();
  await startNode(1, chain, [a], { acceptedAbove: epochEnds, tuning: { rangeBlocks: 7 } });
  await reaches(chain, HEIGHT);
  expect(chain.head().block.hash).toBe(source.head().block.hash);
}, 120_000);

test('39 · a peer that serves a forged block is shut out, the rest of its blocks dropped, another is asked', async () => {
  const forged = { ...blocks[8]!, certificate: blocks[9]!.certificate };
  const liar = await startNode(0, forging(9n, forged), []);
  const chain = await openFresh();
  const node = await startNode(1, chain, [liar]);
  await node.logger.waitFor('a peer served a bad block');
  expect(chain.head().block.height).toBe(8n);
  await startNode(2, source, [node]);
  await reaches(chain, HEIGHT);
  const faults = node.logger.lines.filter(({ message }) => message.includes('peer fault'));
  expect(faults).toHaveLength(1);
}, 120_000);

describe('a chain that the L1 contradicts (RULES 22)', () => {
  test('is refused before anything of it is imported, and halts the node when the majority certified it', async () => {
    const a = await startNode(0, source, []);
    const chain = await openFresh();
    const other = `0x${'ee'.repeat(32)}` as Hash;
    const node = await startNode(1, chain, [a], {
      acceptedAbove: (height) => (height < 5n ? [acceptedAt(5n, other)] : []),
    });
    expect((await node.fault).code).toBe('L1_CONTRADICTION');
    expect(chain.head().block.height).toBe(0n);
  }, 120_000);

  test('costs the peer, not the node, when it is not certified', async () => {
    const wrong = { ...blocks[4]!, checkpoint: { ...blocks[4]!.checkpoint, outboxCount: 99n } };
    const liar = await startNode(0, forging(5n, wrong), []);
    const chain = await openFresh();
    const node = await startNode(1, chain, [liar], { acceptedAbove: epochEnds });
    await node.logger.waitFor('peer fault');
    expect(chain.head().block.height).toBe(0n);
    await startNode(2, source, [node]);
    await reaches(chain, HEIGHT);
  }, 120_000);

  test('costs the peer, not the node, when validators of long ago certified it with their old keys', async () => {
    const checkpoint = { ...blocks[4]!.checkpoint, outboxCount: 99n };
    const certificate = sealValue(genesis, 5n, checkpointToValueId(checkpoint), keysOf(sets[4]!));
    const liar = await startNode(0, forging(5n, { ...blocks[4]!, checkpoint, certificate }), []);
    const chain = await openFresh();
    const node = await startNode(1, chain, [liar], { acceptedAbove: epochEnds });
    const blamed = node.logger.waitFor('peer fault').then(() => null);
    expect(await Promise.race([node.fault, blamed])).toBeNull();
    expect(chain.head().block.height).toBe(0n);
    await startNode(2, source, [node]);
    await reaches(chain, HEIGHT);
  }, 120_000);

  test('is refused however far below the nearest checkpoint that is known, stride after stride', async () => {
    const fork = await openFresh();
    for (const block of blocks.slice(0, 10)) await fork.importBlock(block);
    const { valueId } = requireValid(await fork.derive(payloadOn(fork, [], 7n)));
    const { block } = await fork.commit(valueId, sealValue(genesis, 11n, valueId, keysOf(sets[10]!)));
    const liar = await startNode(0, forging(11n, toCertified(block)!), []);
    const chain = await openFresh();
    // Of the view, that keeps the newest, only the last one is left when the node comes, and later none.
    const last = EPOCH * EPOCHS;
    const node = await startNode(1, chain, [liar], {
      acceptedAbove: (height) => (height < 9n ? [acceptedAt(last)] : []),
      tuning: { strideBlocks: 4n, rangeBlocks: 7 },
    });
    await Promise.race([node.logger.waitFor('peer fault'), reaches(chain, 11n)]);
    expect(chain.head().block.height).toBe(0n);
    await startNode(2, source, [node]);
    await reaches(chain, HEIGHT);
    expect((await chain.blockAt(11n))?.hash).toBe(blocks[10]!.checkpoint.blockHash);
  }, 120_000);

  test('below the accepted height is refused even with a certificate of all validators of that height', async () => {
    // Another block 3, certified by the keys of its time, which may be stolen long after.
    const fork = await openFresh();
    for (const block of blocks.slice(0, 2)) await fork.importBlock(block);
    const { valueId } = requireValid(await fork.derive(payloadOn(fork, [], 7n)));
    const { block } = await fork.commit(valueId, sealValue(genesis, 3n, valueId, keysOf(sets[2]!)));
    const liar = await startNode(0, forging(3n, toCertified(block)!), []);
    const chain = await openFresh();
    const node = await startNode(1, chain, [liar], { acceptedAbove: epochEnds });
    await node.logger.waitFor('peer fault');
    await startNode(2, source, [node]);
    await reaches(chain, HEIGHT);
    expect((await chain.blockAt(3n))?.hash).toBe(blocks[2]!.checkpoint.blockHash);
  }, 120_000);
});

test('a commit by consensus and an import of the same height: one wins, the other is harmless', async () => {
  const chain = await openFresh();
  const seen: bigint[] = [];
  chain.onCommitted(({ block }) => seen.push(block.height));
  for (const [index, block] of blocks.slice(0, 20).entries()) {
    const { height } = block.checkpoint;
    const { certificate } = block;
    const payload = {
      ...payloadOn(chain, block.transactions),
      timestamp: (await source.blockAt(height))!.timestamp,
    };
    const byConsensus = async () =>
      chain.derive(payload).then(() => chain.commit(certificate.valueId, certificate));
    const bySync = () => chain.importBlock(block);
    const both = index % 2 === 0 ? [byConsensus(), bySync(), bySync()] : [bySync(), byConsensus(), bySync()];
    const results = await Promise.allSettled(both);
    expect(chain.head().block.hash).toBe(block.checkpoint.blockHash);
    for (const result of results)
      if (result.status === 'rejected') expect(result.reason).toMatchObject({ fatal: false });
  }
  expect(seen).toEqual(Array.from({ length: 20 }, (_, index) => BigInt(index + 1)));
}, 120_000);
