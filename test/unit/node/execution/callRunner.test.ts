import { pad, toHex } from 'viem';
import { type Address, type Hex, hexToBytes } from '#consensus/primitives.ts';
import type { Genesis } from '#genesis/spec.ts';
import type { CallRunner, Chain } from '#node/chain.ts';
import { createCallRunner } from '#node/execution/callRunner.ts';
import { openChain } from '#node/execution/openChain.ts';
import {
  ANSWER,
  BLOCK_CONTEXT,
  BLOCK_HASH,
  COUNTER,
  deploying,
  ENDLESS,
  NEEDS_63_64,
  REVERTER,
} from '#test/unit/node/execution/contracts.ts';
import {
  commitPayload,
  ETHER,
  exampleGenesis,
  FEE_RECIPIENT,
  GWEI,
  payloadOn,
  signTransaction,
  temporaryFolder,
  USERS,
} from '#test/unit/node/execution/exampleChain.ts';

const [alice, bob] = USERS as [(typeof USERS)[number], (typeof USERS)[number]];
const word = (value: bigint | Hex): Hex =>
  pad(typeof value === 'bigint' ? toHex(value) : value, { size: 32 });
const deployed: Hex[] = [COUNTER, ANSWER, REVERTER, ENDLESS, BLOCK_HASH, BLOCK_CONTEXT, NEEDS_63_64];

describe('calls', () => {
  let folder: Awaited<ReturnType<typeof temporaryFolder>>;
  let genesis: Genesis;
  let chain: Chain;
  let calls: CallRunner;
  const contracts = new Map<Hex, Address>();
  const at = (code: Hex): Address => contracts.get(code) as Address;

  beforeAll(async () => {
    folder = await temporaryFolder();
    genesis = await exampleGenesis();
    chain = await openChain({ dataDir: folder.path, genesis });
    const raws = await Promise.all(
      deployed.map((code, nonce) => signTransaction(alice, { nonce, data: deploying(code) })),
    );
    const { receipts } = await commitPayload(chain, genesis, payloadOn(chain, raws));
    for (const [index, code] of deployed.entries())
      contracts.set(code, receipts[index]?.contractAddress as Address);
    calls = createCallRunner({ dataDir: folder.path, genesis, timeoutMs: 2_000, threads: 1 });
  });
  afterAll(async () => {
    await calls.close();
    await chain.close();
    await folder.remove();
  });

  test('answer with data and change nothing', async () => {
    expect(await calls.call({ to: at(ANSWER) }, 1n)).toMatchObject({
      status: 'success',
      data: word(42n),
    });
    expect((await calls.call({ to: at(COUNTER) }, 1n)).status).toBe('success');
    expect(BigInt(await chain.storageAt(at(COUNTER), word(0n) as never, 1n))).toBe(0n);
  });

  test('answer from the state of the height that was asked for', async () => {
    expect(await calls.call({ to: at(ANSWER) }, 0n)).toMatchObject({ status: 'success', data: '0x' });
  });

  test('see the block of that height, with base fee 0 unless a price is given', async () => {
    const { block } = chain.head();
    const read = async (request: object): Promise<bigint[]> => {
      const outcome = await calls.call({ to: at(BLOCK_CONTEXT), ...request }, 1n);
      expect(outcome.status).toBe('success');
      const data = outcome.status === 'success' ? outcome.data.slice(2) : '';
      return Array.from({ length: 6 }, (_, i) => BigInt(`0x${data.slice(64 * i, 64 * (i + 1))}`));
    };
    const free = await read({});
    expect([free[0], free[1], free[3], free[4], free[5]]).toEqual([
      1n,
      block.timestamp,
      42_000_000n,
      0n,
      BigInt(FEE_RECIPIENT),
    ]);
    const paid = await read({ from: alice.address, maxFeePerGas: 2n * GWEI, gas: 100_000n });
    expect(paid[4]).toBe(GWEI);
  });

  test('read BLOCKHASH from our own headers', async () => {
    const data = hexToBytes(word(0n));
    expect(await calls.call({ to: at(BLOCK_HASH), data }, 1n)).toMatchObject({
      status: 'success',
      data: genesis.genesisHash,
    });
  });

  test('carry the data of a revert', async () => {
    expect(await calls.call({ to: at(REVERTER) }, 1n)).toMatchObject({ status: 'revert', data: word(42n) });
    expect(await calls.estimateGas({ to: at(REVERTER) }, 1n)).toMatchObject({
      status: 'revert',
      data: word(42n),
    });
  });

  test.each([
    ['more value than the sender has', { valueWei: 1_000n * ETHER }, 'INSUFFICIENT_FUNDS'],
    ['a fee cap below the base fee', { maxFeePerGas: 1n }, 'FEE_CAP_TOO_LOW'],
    ['less than the intrinsic gas', { gas: 20_999n }, 'INTRINSIC_GAS'],
    ['too little gas', { gas: 21_010n }, 'OUT_OF_GAS'],
  ])('refuse %s with a code', async (_name, request, code) => {
    const outcome = await calls.call({ from: alice.address, to: at(ANSWER), ...request }, 1n);
    expect(outcome).toMatchObject({ status: 'error', code });
  });

  test('refuse a height that is not there', async () => {
    expect(await calls.call({ to: at(ANSWER) }, 2n)).toMatchObject({
      status: 'error',
      code: 'UNKNOWN_BLOCK',
    });
  });

  test('stop after their time and leave the next one unharmed', async () => {
    const [endless, next] = await Promise.all([
      calls.call({ to: at(ENDLESS), gas: 1n << 60n }, 1n),
      calls.call({ to: at(ANSWER) }, 1n),
    ]);
    expect(endless).toMatchObject({ status: 'error', code: 'TIMEOUT' });
    expect(next).toMatchObject({ status: 'success', data: word(42n) });
  });

  test('accept a contract as sender and 50 M gas', async () => {
    const request = { from: at(COUNTER), to: at(ANSWER), gas: 50_000_000n };
    expect((await calls.call(request, 1n)).status).toBe('success');
  });

  describe('estimates', () => {
    const smallest = async (request: object): Promise<void> => {
      const estimate = await calls.estimateGas(request, 1n);
      expect(estimate.status).toBe('success');
      expect((await calls.call({ ...request, gas: estimate.gasUsed }, 1n)).status).toBe('success');
      expect((await calls.call({ ...request, gas: estimate.gasUsed - 1n }, 1n)).status).not.toBe('success');
    };

    test('are 21000 for a plain transfer', async () => {
      const request = { from: alice.address, to: bob.address, valueWei: 1n };
      expect(await calls.estimateGas(request, 1n)).toMatchObject({ status: 'success', gasUsed: 21_000n });
    });

    test('are the smallest gas limit that succeeds', async () => {
      await smallest({ from: alice.address, to: at(COUNTER) });
      await smallest({ from: alice.address, data: hexToBytes(deploying(ANSWER)) });
    });

    test('allow for the 64th that a call keeps back', async () => {
      await smallest({ to: at(NEEDS_63_64), data: hexToBytes(word(at(COUNTER))) });
    });

    test('say when the balance cannot pay for the gas', async () => {
      const outcome = await calls.estimateGas(
        { from: alice.address, to: at(COUNTER), gasPrice: 10n * ETHER },
        1n,
      );
      expect(outcome.status).toBe('error');
    });
  });
});
