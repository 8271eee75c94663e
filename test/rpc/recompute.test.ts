/** What the server shows, recomputed by code that is not the node's: hashes, roots, blooms, proofs, receipts. */
import { createMPT, verifyMerkleProof } from '@ethereumjs/mpt';
import { decodeRlp, encodeRlp, getBytes, keccak256, Transaction, toBeHex, zeroPadValue } from 'ethers';
import { blockHashFromRpc, bloomOf, receiptsRoot, transactionsRoot } from '#test/e2e/support/recompute.ts';
import {
  ALICE,
  BOB,
  CAROL,
  type FilledChain,
  STRANGER,
  startFilledChain,
} from '#test/rpc/support/filledChain.ts';
import type { Answer } from '#test/unit/node/rpc/fakes/server.ts';

let chain: FilledChain;
let heights: string[];
beforeAll(async () => {
  chain = await startFilledChain();
  const head = Number(await chain.result('eth_blockNumber'));
  heights = Array.from({ length: head + 1 }, (_, height) => `0x${height.toString(16)}`);
});
afterAll(() => chain.stop());

test('block hashes, transaction and receipt roots and blooms', async () => {
  let parent: string | null = null;
  for (const height of heights) {
    const block = await chain.result('eth_getBlockByNumber', [height, false]);
    const receipts: Answer[] = await chain.result('eth_getBlockReceipts', [height]);
    const raw: string[] = [];
    for (const hash of block.transactions) raw.push(await chain.result('debug_getRawTransaction', [hash]));
    expect(blockHashFromRpc(block)).toBe(block.hash);
    expect(await transactionsRoot(raw)).toBe(block.transactionsRoot);
    expect(await receiptsRoot(receipts)).toBe(block.receiptsRoot);
    expect(bloomOf(receipts)).toBe(block.logsBloom);
    if (parent !== null) expect(block.parentHash).toBe(parent);
    parent = block.hash;
    const indexes = receipts.flatMap(({ logs }) => logs.map(({ logIndex }: Answer) => Number(logIndex)));
    expect(indexes).toEqual(indexes.map((_, index) => index));
  }
});

test('raw headers, blocks and receipts hash to what is shown', async () => {
  for (const height of heights) {
    const block = await chain.result('eth_getBlockByNumber', [height, false]);
    const header = await chain.result('debug_getRawHeader', [height]);
    expect(keccak256(header)).toBe(block.hash);
    const rawBlock = await chain.result('debug_getRawBlock', [height]);
    expect(Number(block.size)).toBe(getBytes(rawBlock).length);
    const [shownHeader, transactions] = decodeRlp(rawBlock) as [Answer, Answer[]];
    expect(encodeRlp(shownHeader)).toBe(header);
    expect(transactions.map((one) => keccak256(typeof one === 'string' ? one : encodeRlp(one)))).toEqual(
      block.transactions,
    );
    const trie = await createMPT();
    const receipts: string[] = await chain.result('debug_getRawReceipts', [height]);
    for (const [index, receipt] of receipts.entries())
      await trie.put(getBytes(encodeRlp(index === 0 ? '0x' : toBeHex(index))), getBytes(receipt));
    expect(`0x${Buffer.from(trie.root()).toString('hex')}`).toBe(block.receiptsRoot);
  }
});

test('hash and sender of every transaction of every type', async () => {
  const types = new Set<number>();
  for (const hash of Object.values(chain.named)) {
    const shown = await chain.result('eth_getTransactionByHash', [hash]);
    const decoded = Transaction.from(await chain.result('eth_getRawTransactionByHash', [hash]));
    expect(decoded.hash).toBe(hash);
    expect(decoded.from?.toLowerCase()).toBe(shown.from);
    expect(decoded.nonce).toBe(Number(shown.nonce));
    types.add(decoded.type ?? -1);
  }
  expect([...types].sort()).toEqual([0, 1, 2, 4]);
});

/** Verifies with EthereumJS's own trie. @returns what is proven, null for absence */
const verify = async (root: string, key: string, proof: readonly string[]): Promise<string | null> => {
  const value = await verifyMerkleProof(
    getBytes(keccak256(key)),
    proof.map((node) => getBytes(node)),
    {
      root: getBytes(root),
    },
  );
  return value === null ? null : `0x${Buffer.from(value).toString('hex')}`;
};

const slotOf = (key: bigint): string =>
  keccak256(`0x${toBeHex(key, 32).slice(2)}${toBeHex(2n, 32).slice(2)}`);

describe('proofs', () => {
  test('of accounts and slots hold against the state root, at every height', async () => {
    const slots = [zeroPadValue('0x01', 32), slotOf(1n), slotOf(2n), slotOf(77n)];
    for (const height of heights.slice(1)) {
      const { stateRoot } = await chain.result('eth_getBlockByNumber', [height, false]);
      for (const address of [ALICE.address, BOB.address, CAROL.address, chain.probeAddress]) {
        const proof = await chain.result('eth_getProof', [address, slots, height]);
        const account = await verify(stateRoot, address, proof.accountProof);
        const quantity = (value: string) => (BigInt(value) === 0n ? '0x' : toBeHex(BigInt(value)));
        expect(account).toBe(
          encodeRlp([quantity(proof.nonce), quantity(proof.balance), proof.storageHash, proof.codeHash]),
        );
        expect(proof.balance).toBe(await chain.result('eth_getBalance', [address, height]));
        expect(keccak256(await chain.result('eth_getCode', [address, height]))).toBe(proof.codeHash);
        for (const [index, { key, value, proof: nodes }] of proof.storageProof.entries()) {
          expect(key).toBe(slots[index]);
          const stored = await chain.result('eth_getStorageAt', [address, key, height]);
          expect(BigInt(value)).toBe(BigInt(stored));
          if (nodes.length === 0) {
            expect(BigInt(value)).toBe(0n);
            continue;
          }
          const proven = await verify(proof.storageHash, key, nodes);
          expect(proven).toBe(BigInt(value) === 0n ? null : encodeRlp(quantity(value)));
        }
      }
    }
  });

  test('of absence hold too, and a proof that was tampered with does not', async () => {
    const { stateRoot } = await chain.result('eth_getBlockByNumber', ['latest', false]);
    const nobody = `0x${'99'.repeat(20)}`;
    const absent = await chain.result('eth_getProof', [nobody, [], 'latest']);
    expect(await verify(stateRoot, nobody, absent.accountProof)).toBeNull();
    expect(absent).toMatchObject({ balance: '0x0', nonce: '0x0' });
    const { accountProof } = await chain.result('eth_getProof', [STRANGER, [], 'latest']);
    const last: string = accountProof.at(-1);
    const forged = [...accountProof.slice(0, -1), `${last.slice(0, -2)}${last.endsWith('00') ? '01' : '00'}`];
    await expect(verify(stateRoot, STRANGER, forged)).rejects.toThrow();
  });
});

test('debug_storageRangeAt shows every slot once, in the order of hashes, as it was at that place', async () => {
  const { blockHash } = await chain.result('eth_getTransactionReceipt', [chain.named.overwrite]);
  const all: [string, Answer][] = [];
  for (let start: string | null = '0x'; start !== null; ) {
    const page: Answer = await chain.result('debug_storageRangeAt', [
      blockHash,
      1,
      chain.probeAddress,
      start,
      2,
    ]);
    all.push(...Object.entries<Answer>(page.storage));
    start = page.nextKey;
  }
  const hashes = all.map(([hash]) => hash);
  expect(hashes).toEqual([...new Set(hashes)].sort());
  const valueAt = (slot: string): bigint =>
    BigInt(all.find(([hash]) => hash === keccak256(slot))?.[1].value ?? 0);
  // Before the second transaction of the block, after the first: 111 overwrote 11, and 22 is not cleared yet.
  expect([valueAt(slotOf(1n)), valueAt(slotOf(2n))]).toEqual([111n, 22n]);
  const known = all.filter(([, { key }]) => key !== null);
  for (const [hash, { key }] of known) expect(keccak256(key)).toBe(hash);
  expect(known.length).toBeGreaterThan(0);
});

test('an access list makes a call that needs nothing else', async () => {
  const call = { from: ALICE.address, to: chain.probeAddress, data: chain.encode('store', [1n, 5n]) };
  const { accessList, gasUsed } = await chain.result('eth_createAccessList', [call, 'latest']);
  expect(accessList).toEqual([{ address: chain.probeAddress, storageKeys: [slotOf(1n)] }]);
  const again = await chain.result('eth_createAccessList', [{ ...call, accessList }, 'latest']);
  expect(again).toEqual({ accessList, gasUsed });
});
