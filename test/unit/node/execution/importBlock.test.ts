import { checkpointToValueId } from '#consensus/digests.ts';
import type { Address, Hash } from '#consensus/primitives.ts';
import type { Genesis } from '#genesis/spec.ts';
import { BlockExecutor } from '#node/execution/blockExecutor.ts';
import { decodeHeader, encodeHeader, type Header, hashHeader } from '#node/storage/headerCodec.ts';
import type { CertifiedBlock } from '#node/storage/records.ts';
import {
  exampleGenesis,
  FEE_RECIPIENT,
  requireValid,
  sealValue,
  signTransaction,
  temporaryFolder,
  USERS,
  type User,
  VALIDATOR_KEYS,
} from '#test/unit/node/execution/exampleChain.ts';

const [alice, bob] = USERS as [User, User];

describe('importing a block', () => {
  let folders: Awaited<ReturnType<typeof temporaryFolder>>[];
  let genesis: Genesis;
  let source: BlockExecutor;
  let target: BlockExecutor;

  const open = async (): Promise<BlockExecutor> => {
    const folder = await temporaryFolder();
    folders.push(folder);
    return BlockExecutor.open({ dataDir: folder.path, genesis });
  };
  beforeEach(async () => {
    folders = [];
    genesis = await exampleGenesis();
    source = await open();
    target = await open();
  });
  afterEach(async () => {
    await source.close();
    await target.close();
    for (const folder of folders) await folder.remove();
  });

  /** A block as a peer sends it; its payload had a transaction that was dropped. */
  const nextBlock = async (nonce: number): Promise<CertifiedBlock> => {
    const { block } = source.head();
    const transactions = [
      await signTransaction(bob, { nonce: 99, to: alice.address }),
      await signTransaction(alice, { nonce, to: bob.address, value: 1n }),
    ];
    const { valueId, checkpoint } = requireValid(
      await source.derive({
        parentHash: block.hash,
        timestamp: block.timestamp,
        feeRecipient: FEE_RECIPIENT,
        transactions,
      }),
    );
    const certificate = sealValue(genesis, checkpoint.height, valueId);
    const committed = await source.commit(valueId, certificate);
    return {
      header: committed.block.header,
      transactions: committed.block.transactions,
      checkpoint,
      certificate,
    };
  };

  /** The same block with another header, consistently sealed by all validators. */
  const resealed = (block: CertifiedBlock, changes: Partial<Header>): CertifiedBlock => {
    const header = encodeHeader({ ...decodeHeader(block.header), ...changes });
    const checkpoint = {
      ...block.checkpoint,
      blockHash: hashHeader(header),
      stateRoot: changes.stateRoot ?? block.checkpoint.stateRoot,
    };
    const valueId = checkpointToValueId(checkpoint);
    return { ...block, header, checkpoint, certificate: sealValue(genesis, checkpoint.height, valueId) };
  };

  test('derives the same block from its stripped payload', async () => {
    for (const nonce of [0, 1]) {
      const block = await nextBlock(nonce);
      const { block: imported } = await target.importBlock(block);
      expect(imported).toEqual(source.head().block);
    }
    expect((await target.importBlock(await nextBlock(2))).block.height).toBe(3n);
  });

  test('answers one that it has already', async () => {
    const block = await nextBlock(0);
    await target.importBlock(block);
    expect((await target.importBlock(block)).block.height).toBe(1n);
  });

  test('asks for the blocks between first', async () => {
    await nextBlock(0);
    const second = await nextBlock(1);
    await expect(target.importBlock(second)).rejects.toMatchObject({ code: 'NOT_NEXT', fatal: false });
  });

  test('blames the peer for parts that do not belong together, and goes on', async () => {
    const block = await nextBlock(0);
    const other = await signTransaction(bob, { nonce: 0, to: alice.address });
    const zero = `0x${'00'.repeat(32)}` as Hash;
    for (const wrong of [
      { ...block, header: Uint8Array.of(0xc0) },
      { ...block, header: new Uint8Array(0) },
      { ...block, transactions: [other] },
      { ...block, transactions: [] },
      { ...block, checkpoint: { ...block.checkpoint, height: 2n } },
    ])
      await expect(target.importBlock(wrong)).rejects.toMatchObject({ code: 'BAD_BLOCK', fatal: false });
    for (const wrong of [
      { ...block, checkpoint: { ...block.checkpoint, stateRoot: zero } },
      { ...block, certificate: { ...block.certificate, signatures: [] } },
      { ...block, certificate: { ...block.certificate, round: 1 } },
      {
        ...block,
        certificate: sealValue(
          genesis,
          1n,
          block.certificate.valueId,
          new Map([...VALIDATOR_KEYS].slice(0, 2) as [Address, Uint8Array][]),
        ),
      },
    ])
      await expect(target.importBlock(wrong)).rejects.toMatchObject({
        code: 'BAD_CERTIFICATE',
        fatal: false,
      });
    expect((await target.importBlock(block)).block.height).toBe(1n);
  });

  test('stops the node when a final block differs from what it computes', async () => {
    const block = await nextBlock(0);
    const forged = resealed(block, { stateRoot: `0x${'77'.repeat(32)}` as Hash });
    await expect(target.importBlock(forged)).rejects.toMatchObject({ code: 'DIVERGED', fatal: true });
    await expect(target.importBlock(block)).rejects.toMatchObject({ code: 'DIVERGED' });
    expect(target.head().block.height).toBe(0n);
  });

  test('stops the node when a final block has another parent, or replaces a committed one', async () => {
    const block = await nextBlock(0);
    const orphan = resealed(block, { parentHash: `0x${'66'.repeat(32)}` as Hash });
    await expect(target.importBlock(orphan)).rejects.toMatchObject({ code: 'DIVERGED' });
    const replaced = resealed(block, { timestamp: genesis.spec.timestamp + 9n });
    await expect(source.importBlock(replaced)).rejects.toMatchObject({ code: 'DIVERGED' });
  });
});
