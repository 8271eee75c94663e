import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { hexToBytes } from '#consensus/primitives.ts';
import { createCodeReader, createTrieReader } from '#node/execution/stateReader.ts';
import { createStoredNodes } from '#node/execution/trieNodes.ts';
import { createChainStore } from '#node/storage/chainStore.ts';
import { openDatabase } from '#node/storage/database.ts';
import { createPruner } from '#node/storage/pruner.ts';
import { heightToBytes, NEEDED_FROM_KEY } from '#node/storage/schema.ts';
import { temporaryFolder, USERS } from '#test/unit/node/execution/exampleChain.ts';
import { storedNodes, walkState } from '#test/unit/node/storage/walkState.ts';

const script = fileURLToPath(new URL('./killedWriter.ts', import.meta.url));

/** Runs the writer until it has committed `blocks`, then some milliseconds more, then kills it. @returns last height it reported */
const runUntilKilled = (
  folder: string,
  nonce: number,
  blocks: number,
  extraMs: number,
  mode = 'archive',
): Promise<bigint> =>
  new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [script, folder, String(nonce), mode], {
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let reported = 0n;
    let seen = 0;
    let errors = '';
    child.stderr.on('data', (chunk: Buffer) => {
      errors += chunk.toString();
    });
    child.stdout.on('data', (chunk: Buffer) => {
      for (const line of chunk.toString().split('\n').filter(Boolean)) {
        reported = BigInt(line);
        seen++;
      }
      if (seen >= blocks) setTimeout(() => child.kill('SIGKILL'), extraMs);
    });
    child.on('exit', (_code, signal) =>
      signal === 'SIGKILL' ? resolve(reported) : reject(new Error(`the writer ended by itself: ${errors}`)),
    );
  });

test('a process killed while it commits leaves a whole height, with everything of it', async () => {
  const folder = await temporaryFolder();
  const alice = USERS[0]!.address;
  let nonce = 0;
  for (const extraMs of [0, 7]) {
    const reported = await runUntilKilled(folder.path, nonce, 3, extraMs);
    const database = await openDatabase(folder.path);
    const store = createChainStore(database);
    const height = store.headHeight()!;
    expect(height).toBeGreaterThanOrEqual(reported);
    expect(height).toBeLessThanOrEqual(reported + 1n);
    const block = store.block(height)!;
    expect(walkState(store, height, block.stateRoot).size).toBeGreaterThan(0);
    expect(store.receipts(height)).toHaveLength(2);
    expect(store.heightOf(block.hash)).toBe(height);
    for (const [index, hash] of block.transactionHashes.entries())
      expect(store.transactionLocation(hash)).toEqual({ height, index });
    expect(store.block(height + 1n)).toBeNull();
    expect(block.parentHash).toBe(store.block(height - 1n)!.hash);
    const state = createTrieReader(store, createStoredNodes(store), height, createCodeReader(store));
    nonce = Number(state.account(hexToBytes(alice))!.nonce);
    expect(nonce).toBe(2 * Number(height));
    await database.close();
  }
  await folder.remove();
}, 120_000);

test('a process killed while it prunes leaves every kept state whole, and the next one leaves nothing behind', async () => {
  const folder = await temporaryFolder();
  let nonce = 0;
  for (const extraMs of [0, 3, 11]) {
    await runUntilKilled(folder.path, nonce, 6, extraMs, 'pruned');
    const database = await openDatabase(folder.path);
    const store = createChainStore(database);
    const head = store.headHeight()!;
    const oldest = store.oldestState();
    expect(head - oldest).toBeGreaterThanOrEqual(2n);
    const stored = await storedNodes(database);
    const reached = new Set<number>();
    for (let height = oldest; height <= head; height++) {
      const state = walkState(store, height, store.block(height)!.stateRoot);
      for (const id of state) reached.add(id);
    }
    for (const id of reached) expect(stored.has(id)).toBe(true);
    for (let height = store.oldestHistory(); height <= head; height++)
      expect(store.receipts(height)).toHaveLength(height === 0n ? 0 : 2);
    nonce = 2 * Number(head);
    const pruner = createPruner(database, { stateBlocks: 0n, historyBlocks: 0n });
    await database.put(NEEDED_FROM_KEY, heightToBytes(head));
    while ((await pruner.step()).more);
    const last = walkState(store, head, store.block(head)!.stateRoot);
    expect([...(await storedNodes(database))].sort()).toEqual([...last].sort());
    await database.close();
  }
  await folder.remove();
}, 120_000);
