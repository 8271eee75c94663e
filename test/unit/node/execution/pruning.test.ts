import type { Genesis } from '#genesis/spec.ts';
import { createCallRunner } from '#node/execution/callRunner.ts';
import { openChain } from '#node/execution/openChain.ts';
import { createChainStore } from '#node/storage/chainStore.ts';
import { openDatabase } from '#node/storage/database.ts';
import { ARCHIVE } from '#node/storage/mode.ts';
import { toCertified } from '#node/sync/blockCodec.ts';
import {
  commitPayload,
  exampleGenesis,
  payloadOn,
  temporaryFolder,
  USERS,
} from '#test/unit/node/execution/exampleChain.ts';
import { growChain, PRUNED } from '#test/unit/node/execution/growingChain.ts';
import { storedNodes, walkState } from '#test/unit/node/storage/walkState.ts';

const [alice, bob] = [USERS[0]!.address, USERS[1]!.address];
const BLOCKS = 20;

let genesis: Genesis;
let folder: Awaited<ReturnType<typeof temporaryFolder>>;
beforeAll(async () => {
  genesis = await exampleGenesis();
});
beforeEach(async () => {
  folder = await temporaryFolder();
});
afterEach(() => folder.remove());

const grow = (storage: typeof PRUNED | typeof ARCHIVE, blocks = BLOCKS): Promise<void> =>
  growChain({ genesis, dataDir: folder.path, storage, blocks, neededFrom: (head) => head });

describe('a pruned chain', () => {
  test('answers for a height behind its window with a code, never with another height', async () => {
    await grow(PRUNED);
    const chain = await openChain({ dataDir: folder.path, genesis, storage: PRUNED });
    const calls = createCallRunner({ dataDir: folder.path, genesis, threads: 1 });
    try {
      const pruned = { code: 'STATE_PRUNED', fatal: false };
      for (const height of [0n, 1n, 15n]) {
        await expect(chain.account(alice, height)).rejects.toMatchObject(pruned);
        await expect(chain.code(alice, height)).rejects.toMatchObject(pruned);
        await expect(chain.storageAt(alice, genesis.genesisHash, height)).rejects.toMatchObject(pruned);
        const call = { from: alice, to: bob, valueWei: 1n };
        expect(await calls.call(call, height)).toMatchObject({
          status: 'error',
          code: 'STATE_PRUNED',
          message: expect.stringMatching(
            /^missing trie node: state of height \d+ .* kept here is that of 16;/,
          ),
        });
        expect(await calls.estimateGas(call, height)).toMatchObject({ code: 'STATE_PRUNED' });
      }
      expect((await chain.account(alice, 16n))?.nonce).toBe(32n);
      expect((await chain.account(alice, 20n))?.nonce).toBe(40n);
      expect(await calls.call({ from: alice, to: bob }, 16n)).toMatchObject({ status: 'success' });
    } finally {
      await calls.close();
      await chain.close();
    }
  });

  test('keeps headers, certificates and sets of every height, and says which transactions are gone', async () => {
    await grow(PRUNED);
    const chain = await openChain({ dataDir: folder.path, genesis, storage: PRUNED });
    try {
      for (let height = 1n; height <= 20n; height++) {
        const block = (await chain.blockAt(height))!;
        expect(block.certificate?.signatures).toHaveLength(4);
        expect(block.parentHash).toBe((await chain.blockAt(height - 1n))!.hash);
        expect(await chain.blockByHash(block.hash)).toMatchObject({ height });
        expect(await chain.validatorsAt(height)).not.toBeNull();
        const gone = expect.objectContaining({ code: 'HISTORY_PRUNED', fatal: false });
        if (height < 14n) {
          expect(block.isPruned).toBe(true);
          expect(() => block.transactions).toThrow(gone);
          expect(() => block.transactionHashes).toThrow(gone);
          expect(toCertified(block)).toBeNull();
          await expect(chain.receiptsAt(height)).rejects.toMatchObject({ code: 'HISTORY_PRUNED' });
        } else {
          expect(block.isPruned).toBeUndefined();
          expect(toCertified(block)?.transactions).toHaveLength(2);
          expect(await chain.receiptsAt(height)).toHaveLength(2);
          for (const hash of block.transactionHashes)
            expect(await chain.transactionLocation(hash)).toMatchObject({ height });
        }
      }
    } finally {
      await chain.close();
    }
    const database = await openDatabase(folder.path);
    const locations = await database.keys({ gte: Buffer.from('t'), lt: Buffer.from('u') }).all();
    expect(locations).toHaveLength(2 * 7);
    await database.close();
  });

  test('goes on from where it is, with states that are whole and nothing left behind', async () => {
    await grow(PRUNED, 9);
    await grow(PRUNED, 9);
    const database = await openDatabase(folder.path);
    const store = createChainStore(database);
    const reached = new Set<number>();
    for (let height = store.oldestState(); height <= 18n; height++)
      for (const id of walkState(store, height, store.block(height)!.stateRoot)) reached.add(id);
    expect(store.oldestState()).toBe(14n);
    expect([...(await storedNodes(database))].sort()).toEqual([...reached].sort());
    await database.close();
  });

  test('deletes nothing that the L1 may need, and nothing at all before that is known', async () => {
    const options = { genesis, dataDir: folder.path, storage: PRUNED };
    await growChain({ ...options, blocks: 10, neededFrom: null });
    const marks = async (): Promise<bigint[]> => {
      const database = await openDatabase(folder.path);
      const store = createChainStore(database);
      const found = [store.oldestState(), store.oldestHistory()];
      await database.close();
      return found;
    };
    expect(await marks()).toEqual([0n, 0n]);
    await growChain({ ...options, blocks: 6, neededFrom: () => 3n });
    expect(await marks()).toEqual([3n, 3n]);
    await growChain({ ...options, blocks: 1, neededFrom: () => 2n });
    expect(await marks()).toEqual([3n, 3n]);
  });
});

describe('the mode of a folder', () => {
  test('from pruned to archive is refused with the remedy, whatever was deleted so far', async () => {
    await grow(PRUNED, 1);
    await expect(openChain({ dataDir: folder.path, genesis })).rejects.toMatchObject({
      code: 'NOT_AN_ARCHIVE',
      message: expect.stringMatching(
        /start it with mode "pruned", or begin an archive in an empty data folder/,
      ),
    });
  });

  test('from archive to pruned is allowed, and the backlog goes two heights a block', async () => {
    await grow(ARCHIVE, 12);
    const chain = await openChain({ dataDir: folder.path, genesis, storage: ARCHIVE });
    expect((await chain.account(alice, 0n))?.nonce).toBe(0n);
    await chain.close();
    await grow(PRUNED, 2);
    const database = await openDatabase(folder.path);
    const store = createChainStore(database);
    expect([store.mode(), store.oldestState(), store.oldestHistory()]).toEqual(['pruned', 4n, 4n]);
    await database.close();
  });

  test('a commit is readable at once while pruning goes on behind it', async () => {
    await grow(ARCHIVE, 12);
    const chain = await openChain({ dataDir: folder.path, genesis, storage: PRUNED });
    try {
      chain.keepStateFrom(12n);
      for (let height = 13n; height <= 24n; height++) {
        await commitPayload(chain, genesis, payloadOn(chain));
        expect((await chain.account(alice, height))?.nonce).toBe(24n);
        expect((await chain.account(alice, height - 1n))?.nonce).toBe(24n);
      }
    } finally {
      await chain.close();
    }
  });
});
