import { RLP } from '@ethereumjs/rlp';
import { toHex, keccak256 as viemKeccak } from 'viem';
import { type Hash, hexToBytes, parseAddress } from '#consensus/primitives.ts';
import { PREDEPLOYS } from '#genesis/predeploys.ts';
import type { Genesis } from '#genesis/spec.ts';
import type { Chain } from '#node/chain.ts';
import { openChain } from '#node/execution/openChain.ts';
import {
  commitPayload,
  ETHER,
  exampleGenesis,
  FEE_RECIPIENT,
  GWEI,
  payloadOn,
  requireValid,
  sealValue,
  signTransaction,
  temporaryFolder,
  USERS,
} from '#test/unit/node/execution/exampleChain.ts';

const [alice, bob] = USERS as [(typeof USERS)[number], (typeof USERS)[number]];

describe('a chain', () => {
  let folder: Awaited<ReturnType<typeof temporaryFolder>>;
  let genesis: Genesis;
  let chain: Chain;

  beforeEach(async () => {
    folder = await temporaryFolder();
    genesis = await exampleGenesis();
    chain = await openChain({ dataDir: folder.path, genesis });
  });
  afterEach(async () => {
    await chain.close();
    await folder.remove();
  });

  test('begins at the genesis that it was given', async () => {
    const { block, nextValidators } = chain.head();
    expect(block.hash).toBe(genesis.genesisHash);
    expect(block.stateRoot).toBe(genesis.stateRoot);
    expect(block.certificate).toBeNull();
    expect(nextValidators.hash).toBe(genesis.validators.hash);
    expect((await chain.account(alice.address, 0n))?.balance).toBe(100n * ETHER);
    expect(await chain.code(PREDEPLOYS.historyStorage, 0n)).toEqual(
      genesis.accounts.find(({ address }) => address === PREDEPLOYS.historyStorage)?.code,
    );
  });

  test('publishes a transfer with block, receipt, index and state together', async () => {
    const raw = await signTransaction(alice, { nonce: 0, to: bob.address, value: ETHER, gas: 21_000n });
    const seen: bigint[] = [];
    chain.onCommitted(({ block, head }) => {
      expect(chain.head()).toBe(head);
      seen.push(block.height);
    });
    const committed = await commitPayload(chain, genesis, payloadOn(chain, [raw]));
    expect(seen).toEqual([1n]);
    const { block, receipts } = committed;
    const hash = block.transactionHashes[0] as Hash;
    expect(receipts).toHaveLength(1);
    expect(receipts[0]).toMatchObject({
      transactionHash: hash,
      type: 2,
      from: alice.address,
      to: bob.address,
      status: 1,
      gasUsed: 21_000n,
      cumulativeGasUsed: 21_000n,
      effectiveGasPrice: 2n * GWEI,
      contractAddress: null,
      logs: [],
    });
    expect(await chain.transactionLocation(hash)).toEqual({ height: 1n, index: 0 });
    expect(await chain.receiptsAt(1n)).toEqual(receipts);
    expect(await chain.blockAt(1n)).toEqual(block);
    expect(await chain.blockByHash(block.hash)).toEqual(block);
    expect((await chain.validatorsAt(1n))?.hash).toBe(genesis.validators.hash);
    expect(await chain.account(alice.address, 1n)).toMatchObject({
      nonce: 1n,
      balance: 99n * ETHER - 21_000n * 2n * GWEI,
    });
    expect((await chain.account(bob.address, 1n))?.balance).toBe(101n * ETHER);
    expect((await chain.account(bob.address, 0n))?.balance).toBe(100n * ETHER);
    expect((await chain.account(FEE_RECIPIENT, 1n))?.balance).toBe(21_000n * GWEI);
    expect((await chain.account(PREDEPLOYS.treasury, 1n))?.balance).toBe(21_000n * GWEI);
  });

  test('has a standard header whose hash any library computes (RULES 6)', async () => {
    await commitPayload(chain, genesis, payloadOn(chain));
    const parent = chain.head().block;
    const { block } = await commitPayload(chain, genesis, payloadOn(chain, [], 0n));
    const fields = RLP.decode(block.header) as Uint8Array[];
    expect(viemKeccak(block.header)).toBe(block.hash);
    expect(toHex(fields[0]!)).toBe(parent.hash);
    expect(toHex(fields[2]!)).toBe(FEE_RECIPIENT);
    expect(fields[7]).toHaveLength(0);
    expect(BigInt(toHex(fields[9]!))).toBe(42_000_000n);
    expect(toHex(fields[12]!)).toBe(genesis.validators.hash);
    expect(toHex(fields[13]!)).toBe(
      viemKeccak(new Uint8Array([...hexToBytes(parent.hash), 0, 0, 0, 0, 0, 0, 0, 2])),
    );
    expect(toHex(fields[14]!)).toBe('0x0000000000000000');
    expect(BigInt(toHex(fields[15]!))).toBe(GWEI);
    expect([fields[17], fields[18]]).toEqual([new Uint8Array(0), new Uint8Array(0)]);
    expect(toHex(fields[19]!)).toBe(parent.valueId);
    expect(toHex(fields[20]!)).toBe('0xe3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855');
  });

  test('writes parent hash and parent valueId where EIP-2935 and EIP-4788 look for them (RULES 6)', async () => {
    const { block } = await commitPayload(chain, genesis, payloadOn(chain));
    const slot = (value: bigint) => `0x${value.toString(16).padStart(64, '0')}` as Hash;
    expect(await chain.storageAt(PREDEPLOYS.historyStorage, slot(0n), 1n)).toBe(genesis.genesisHash);
    const at = block.timestamp % 8191n;
    expect(BigInt(await chain.storageAt(PREDEPLOYS.beaconRoots, slot(at), 1n))).toBe(block.timestamp);
    expect(await chain.storageAt(PREDEPLOYS.beaconRoots, slot(at + 8191n), 1n)).toBe(genesis.valueId);
  });

  test('keeps several candidates of a height and commits the one that was decided', async () => {
    const first = payloadOn(chain, [await signTransaction(alice, { nonce: 0, to: bob.address, value: 1n })]);
    const second = payloadOn(chain, [await signTransaction(bob, { nonce: 0, to: alice.address, value: 2n })]);
    const a = requireValid(await chain.derive(first));
    const b = requireValid(await chain.derive(second));
    expect(a.valueId).not.toBe(b.valueId);
    expect(await chain.derive(first)).toEqual(a);
    await chain.commit(a.valueId, sealValue(genesis, 1n, a.valueId));
    expect(chain.head().block.valueId).toBe(a.valueId);
    expect((await chain.account(bob.address, 1n))?.nonce).toBe(0n);
    await expect(chain.commit(b.valueId, sealValue(genesis, 2n, b.valueId))).rejects.toMatchObject({
      code: 'UNKNOWN_VALUE',
      fatal: false,
    });
  });

  test('answers a commit at or below the head with the committed block', async () => {
    const { block } = await commitPayload(chain, genesis, payloadOn(chain));
    const again = await chain.commit(block.valueId, sealValue(genesis, 1n, block.valueId));
    expect(again.block).toEqual(block);
    expect(chain.head().block.height).toBe(1n);
  });

  test('calls a certificate for another value at a committed height a fork, and stops', async () => {
    await commitPayload(chain, genesis, payloadOn(chain));
    const other = `0x${'ab'.repeat(32)}` as Hash;
    await expect(chain.commit(other, sealValue(genesis, 1n, other))).rejects.toMatchObject({
      code: 'DIVERGED',
      fatal: true,
    });
    await expect(chain.derive(payloadOn(chain))).rejects.toMatchObject({ code: 'DIVERGED' });
  });

  test('is where it was after it is opened again', async () => {
    const raw = await signTransaction(alice, { nonce: 0, to: bob.address, value: 5n });
    const { block } = await commitPayload(chain, genesis, payloadOn(chain, [raw]));
    await chain.close();
    chain = await openChain({ dataDir: folder.path, genesis });
    expect(chain.head().block).toEqual(block);
    await commitPayload(chain, genesis, payloadOn(chain));
    expect(chain.head().block.height).toBe(2n);
  });

  test('refuses the data folder of another genesis with both hashes and the remedy', async () => {
    await chain.close();
    const other = await exampleGenesis({ timestamp: 1_700_000_001n });
    const refusal = openChain({ dataDir: folder.path, genesis: other });
    await expect(refusal).rejects.toMatchObject({ code: 'WRONG_DATA_FOLDER' });
    await expect(refusal).rejects.toThrow(other.genesisHash);
    await expect(refusal).rejects.toThrow(genesis.genesisHash);
    await expect(refusal).rejects.toThrow('causeway devnet down --purge');
  });

  test('refuses a genesis whose accounts do not give its state root', async () => {
    const empty = await temporaryFolder();
    const wrong = { ...genesis, stateRoot: `0x${'12'.repeat(32)}` as Hash };
    await expect(openChain({ dataDir: empty.path, genesis: wrong })).rejects.toMatchObject({
      code: 'WRONG_DATA_FOLDER',
    });
    await empty.remove();
  });

  test('knows nothing above its head', async () => {
    expect(await chain.blockAt(1n)).toBeNull();
    expect(await chain.receiptsAt(1n)).toBeNull();
    expect(await chain.account(alice.address, 1n)).toBeNull();
    expect(await chain.validatorsAt(0n)).toBeNull();
    expect((await chain.validatorsAt(1n))?.hash).toBe(genesis.validators.hash);
    expect(await chain.transactionLocation(genesis.genesisHash)).toBeNull();
    expect(await chain.account(parseAddress(`0x${'99'.repeat(20)}`), 0n)).toBeNull();
  });
});
