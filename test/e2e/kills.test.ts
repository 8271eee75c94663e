/** An operator kills processes of a running network: promises 2 and 3 of the design, on real processes. */
import { parseAddress } from '#consensus/primitives.ts';
import { type Devnet, eventually, heightOf, rpc, startDevnet, VALIDATORS } from '#test/e2e/support/devnet.ts';
import { depositAndFollow, genesisOf, pegAt, userAccount } from '#test/e2e/support/peg.ts';
import { heightToTag, type RpcObject } from '#test/e2e/support/recompute.ts';

type Checkpoint = {
  readonly certificate: { readonly signatures: readonly { readonly validator: string }[] };
};

describe('kill -9 of nodes while the devnet is up', () => {
  let devnet: Devnet;
  const url = (validator: number): string => devnet.urls[validator - 1]!;

  beforeAll(async () => {
    devnet = await startDevnet();
  }, 200_000);
  afterAll(() => devnet?.dispose());

  const grows = async (validator: number, by: number, boundMs?: number): Promise<number> => {
    const from = await heightOf(url(validator));
    return eventually(
      `validator ${validator} ${by} above ${from}`,
      async () => {
        const height = await heightOf(url(validator));
        return height >= from + by && height;
      },
      boundMs,
    );
  };
  const hashAt = async (validator: number, height: number): Promise<string | null> =>
    (await rpc<RpcObject | null>(url(validator), 'eth_getBlockByNumber', [heightToTag(height), false]))
      ?.hash ?? null;
  const sameChain = async (validators: readonly number[]): Promise<void> => {
    const head = Math.min(...(await Promise.all(validators.map((validator) => heightOf(url(validator))))));
    for (let height = 0; height <= head; height++) {
      const hashes = await Promise.all(validators.map((validator) => hashAt(validator, height)));
      expect({ height, hashes: [...new Set(hashes)] }).toEqual({ height, hashes: [hashes[0]] });
    }
  };
  const signersAt = async (validator: number, height: number): Promise<readonly string[]> =>
    (
      await rpc<Checkpoint>(url(validator), 'causeway_getCheckpoint', [heightToTag(height)])
    ).certificate.signatures.map((signature) => signature.validator);
  const addressOf = async (name: string): Promise<string> =>
    (await genesisOf(devnet)).spec.validators.find((validator) => validator.name === name)!.address;

  test('without any one validator the chain commits; restarted, it catches up and signs again', async () => {
    for (const [index, name] of VALIDATORS.entries()) {
      const other = ((index + 1) % VALIDATORS.length) + 1;
      await devnet.kill(name);
      await grows(other, 3);
      await devnet.restart(name);
      const address = await addressOf(name);
      await eventually(`${name} signing again`, async () => {
        const height = await heightOf(url(index + 1));
        return (
          height >= (await heightOf(url(other))) - 1 && (await signersAt(other, height)).includes(address)
        );
      });
    }
    await sameChain([1, 2, 3, 4]);
  }, 240_000);

  test('without two nothing is committed; one restart brings commits back within 15 seconds', async () => {
    await Promise.all([devnet.kill('validator-3'), devnet.kill('validator-4')]);
    // What was decided with the votes of the dead may still be committed: wait for both to agree on the head.
    const stuck = await eventually('one head', async () => {
      const [a, b] = await Promise.all([heightOf(url(1)), heightOf(url(2))]);
      return a === b && a;
    });
    const account = userAccount(8);
    const raw = await account.signTransaction({
      type: 'eip1559',
      chainId: 42424,
      nonce: Number(await rpc<string>(url(1), 'eth_getTransactionCount', [account.address, 'latest'])),
      to: account.address,
      gas: 21_000n,
      maxFeePerGas: 2_000_000_000n,
      maxPriorityFeePerGas: 1n,
    });
    const hash = await rpc<string>(url(1), 'eth_sendRawTransaction', [raw]);
    // Both have voted on it, in vain: two of four are never more than 2/3.
    for (const validator of [1, 2])
      await eventually(`validator ${validator} having prevoted`, async () => {
        const { step } = await rpc<RpcObject>(url(validator), 'causeway_status');
        return step === 'prevote' || step === 'precommit';
      });
    const heights = await Promise.all([heightOf(url(1)), heightOf(url(2))]);
    for (const height of heights) expect(height - stuck).toBeLessThanOrEqual(1);
    expect(await rpc(url(1), 'eth_getTransactionReceipt', [hash])).toBeNull();

    const restarted = Date.now();
    await devnet.restart('validator-3');
    const receipt = await eventually(
      'the waiting transaction committed',
      () => rpc<RpcObject | null>(url(1), 'eth_getTransactionReceipt', [hash]),
      15_000,
    );
    console.log(`commits came back ${Date.now() - restarted} ms after the restart`);
    expect(receipt.status).toBe('0x1');
    await devnet.restart('validator-4');
    await eventually(
      'validator 4 at the head',
      async () => (await heightOf(url(4))) >= (await heightOf(url(1))) - 1,
    );
    await sameChain([1, 2, 3, 4]);
  }, 180_000);

  test('without one relayer ETH still crosses', async () => {
    await devnet.kill('relayer-1');
    const imported = await depositAndFollow(await pegAt(devnet, 1), 8, 3n * 10n ** 17n);
    expect(imported).toMatchObject({ credited: true, recipient: parseAddress(userAccount(8).address) });
    await devnet.restart('relayer-1');
    await depositAndFollow(await pegAt(devnet, 1), 9, 10n ** 17n);
  }, 180_000);

  test('Ctrl-C stops every child', async () => {
    expect(await devnet.stop()).toBe(0);
    await Promise.all(
      devnet.urls.map((one) =>
        eventually(`${one} silent`, () =>
          heightOf(one).then(
            () => false,
            () => true,
          ),
        ),
      ),
    );
  }, 60_000);
});
