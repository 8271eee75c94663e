import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { createMPT } from '@ethereumjs/mpt';
import { RLP } from '@ethereumjs/rlp';
import { keccak256 } from '#consensus/crypto/keccak.ts';
import { bytesToHash } from '#consensus/primitives.ts';
import { createChainStore } from '#node/storage/chainStore.ts';
import { decodeAccount, encodeAccount } from '#node/storage/codec.ts';
import { type Database, openDatabase } from '#node/storage/database.ts';
import { temporaryFolder, USERS } from '#test/unit/node/execution/exampleChain.ts';

const script = fileURLToPath(new URL('./killedWriter.ts', import.meta.url));

/** Runs the writer until it has committed `blocks`, then some milliseconds more, then kills it. @returns last height it reported */
const runUntilKilled = (folder: string, nonce: number, blocks: number, extraMs: number): Promise<bigint> =>
  new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [script, folder, String(nonce)], {
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

/** The state root of the flat accounts and slots, from nothing but them. */
const rootOfFlatState = async (database: Database): Promise<string> => {
  const options = { useKeyHashing: true, useKeyHashingFunction: keccak256 };
  const trie = await createMPT(options);
  const range = (kind: string) => ({ gte: Buffer.from(kind), lt: Buffer.from([kind.charCodeAt(0) + 1]) });
  const storage = new Map<string, Awaited<ReturnType<typeof createMPT>>>();
  for await (const [key, value] of database.iterator(range('s'))) {
    const owner = Buffer.from(key.subarray(1, 21)).toString('hex');
    const slots = storage.get(owner) ?? (await createMPT(options));
    storage.set(owner, slots);
    await slots.put(Uint8Array.from(key.subarray(21)), RLP.encode(value));
  }
  for await (const [key, value] of database.iterator(range('a'))) {
    const address = Uint8Array.from(key.subarray(1));
    const slots = storage.get(Buffer.from(address).toString('hex'));
    const account = decodeAccount(value);
    const storageRoot = slots?.root() ?? account.storageRoot;
    await trie.put(address, encodeAccount({ ...account, storageRoot }));
  }
  return bytesToHash(trie.root());
};

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
    expect(await rootOfFlatState(database)).toBe(block.stateRoot);
    expect(store.receipts(height)).toHaveLength(2);
    expect(store.heightOf(block.hash)).toBe(height);
    for (const [index, hash] of block.transactionHashes.entries())
      expect(store.transactionLocation(hash)).toEqual({ height, index });
    expect(store.block(height + 1n)).toBeNull();
    expect(block.parentHash).toBe(store.block(height - 1n)!.hash);
    const account = decodeAccount((await database.get(Buffer.from(`61${alice.slice(2)}`, 'hex')))!);
    nonce = Number(account.nonce);
    expect(nonce).toBe(2 * Number(height));
    await database.close();
  }
  await folder.remove();
}, 120_000);
