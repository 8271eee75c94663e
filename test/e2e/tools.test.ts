/** dApp teams' own tools against a running devnet: viem, ethers 6 and cast, each at another validator. */
import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { promisify } from 'node:util';
import { ContractFactory, parseEther as ethersParse, HDNodeWallet, JsonRpcProvider, Mnemonic } from 'ethers';
import { createPublicClient, createWalletClient, defineChain, http, parseEther, webSocket } from 'viem';
import { mnemonicToAccount } from 'viem/accounts';
import WebSocket from 'ws';
import { type Devnet, eventually, heightOf, rpc, startDevnet } from '#test/e2e/support/devnet.ts';
import {
  blockHashFromRpc,
  bloomOf,
  heightToTag,
  type RpcObject,
  receiptsRoot,
  transactionHashFromRaw,
  transactionsRoot,
} from '#test/e2e/support/recompute.ts';

const run = promisify(execFile);
const MNEMONIC = 'test test test test test test test test test test test junk';
const CAST = new URL('../../node_modules/.bin/cast', import.meta.url).pathname;
const artifact = (path: string) =>
  JSON.parse(readFileSync(new URL(`../../${path}`, import.meta.url), 'utf8'));
// Any contract with an event will do; this one is ours and compiled already.
const factory = artifact('bridge/contracts/artifacts/PegFactory.json');
const vaultLike = artifact('genesis/contracts/artifacts/ValidatorSet.json');

describe('real tools at a running network', () => {
  let devnet: Devnet;
  const sent: string[] = [];

  beforeAll(async () => {
    devnet = await startDevnet();
  }, 200_000);
  afterAll(() => devnet?.dispose());

  const chain = () =>
    defineChain({
      id: 42424,
      name: 'Causeway devnet',
      nativeCurrency: { name: 'Ether', symbol: 'ETH', decimals: 18 },
      rpcUrls: { default: { http: [devnet.urls[0]!] } },
    });
  const viemAt = (url: string, index: number) => ({
    public: createPublicClient({ chain: chain(), transport: http(url), pollingInterval: 100 }),
    wallet: createWalletClient({
      chain: chain(),
      transport: http(url),
      account: mnemonicToAccount(MNEMONIC, { addressIndex: index }),
    }),
  });
  const everyReceipt = (hash: string): Promise<RpcObject[]> =>
    Promise.all(
      devnet.urls.map((url) =>
        eventually(`receipt of ${hash} at ${url}`, () =>
          rpc<RpcObject | null>(url, 'eth_getTransactionReceipt', [hash]),
        ),
      ),
    );

  test('viem sends ether and deploys a contract at validator 1', async () => {
    const { public: client, wallet } = viemAt(devnet.urls[0]!, 1);
    const to = mnemonicToAccount(MNEMONIC, { addressIndex: 2 }).address;
    const before = await client.getBalance({ address: to });
    const hash = await wallet.sendTransaction({ to, value: parseEther('0.5') });
    const receipt = await client.waitForTransactionReceipt({ hash });
    expect(receipt.status).toBe('success');
    expect((await client.getBalance({ address: to })) - before).toBe(parseEther('0.5'));

    const deployed = await wallet.deployContract({ abi: vaultLike.abi, bytecode: vaultLike.bytecode });
    const { contractAddress } = await client.waitForTransactionReceipt({ hash: deployed });
    expect(await client.getCode({ address: contractAddress! })).toMatch(/^0x[0-9a-f]+$/);
    sent.push(hash, deployed);
  });

  test('ethers sends ether, deploys and calls a contract at validator 2', async () => {
    const provider = new JsonRpcProvider(devnet.urls[1]!, undefined, { polling: true, pollingInterval: 100 });
    try {
      const signer = HDNodeWallet.fromMnemonic(Mnemonic.fromPhrase(MNEMONIC), "m/44'/60'/0'/0/3").connect(
        provider,
      );
      const transfer = await signer.sendTransaction({
        to: '0x00000000000000000000000000000000000c0ffe',
        value: ethersParse('0.25'),
      });
      expect((await transfer.wait())?.status).toBe(1);
      const contract = await new ContractFactory(factory.abi, factory.bytecode, signer).deploy();
      const receipt = await contract.deploymentTransaction()!.wait();
      expect(await contract.getFunction('DEPLOYER')()).toBe(signer.address);
      await expect(
        contract
          .connect(
            HDNodeWallet.fromMnemonic(Mnemonic.fromPhrase(MNEMONIC), "m/44'/60'/0'/0/4").connect(provider),
          )
          .getFunction('deployAll')
          .staticCall([], []),
      ).rejects.toMatchObject({ code: 'CALL_EXCEPTION' });
      const emitted = await contract.getFunction('deployAll')([], []);
      expect((await emitted.wait())?.logs).toHaveLength(1);
      sent.push(transfer.hash, receipt!.hash, emitted.hash);
    } finally {
      provider.destroy();
    }
  });

  test('cast sends ether and reads logs at validator 3', async () => {
    const url = devnet.urls[2]!;
    const cast = async (...args: string[]) =>
      (await run(CAST, [...args, '--rpc-url', url], { timeout: 60_000 })).stdout;
    const receipt = JSON.parse(
      await cast(
        'send',
        '0x00000000000000000000000000000000000cA571',
        '--value',
        '0.1ether',
        '--json',
        '--mnemonic',
        MNEMONIC,
        '--mnemonic-index',
        '5',
      ),
    );
    expect(receipt.status).toBe('0x1');
    sent.push(receipt.transactionHash);
    expect((await cast('balance', '0x00000000000000000000000000000000000cA571')).trim()).toBe(
      '100000000000000000',
    );
    expect((await cast('chain-id')).trim()).toBe('42424');
    // The first crossing burned and imported on the gateway.
    const logs = JSON.parse(
      await cast(
        'logs',
        '--from-block',
        '0',
        '--address',
        '0x0000000000000000000000000000000000001001',
        '--json',
      ),
    );
    expect(logs.length).toBeGreaterThanOrEqual(2);
    expect(
      (await cast('call', '0x0000000000000000000000000000000000001001', 'importedCount()(uint64)')).trim(),
    ).toMatch(/^[1-9]/);
  }, 120_000);

  test('the receipts are the same at all four validators', async () => {
    for (const hash of sent) {
      const receipts = await everyReceipt(hash);
      for (const receipt of receipts) expect(receipt).toEqual(receipts[0]);
      expect(receipts[0]!.status).toBe('0x1');
    }
  });

  test('hash, roots and bloom of every block recompute from what JSON-RPC returns', async () => {
    const url = devnet.urls[3]!;
    const head = await heightOf(url);
    let withLogs = 0;
    for (let height = 0; height <= head; height++) {
      const block = await rpc<RpcObject>(url, 'eth_getBlockByNumber', [heightToTag(height), true]);
      const receipts = await rpc<RpcObject[]>(url, 'eth_getBlockReceipts', [heightToTag(height)]);
      const raw = await Promise.all(
        block.transactions.map((transaction: RpcObject) =>
          rpc<string>(url, 'eth_getRawTransactionByHash', [transaction.hash]),
        ),
      );
      expect(blockHashFromRpc(block)).toBe(block.hash);
      expect(raw.map(transactionHashFromRaw)).toEqual(block.transactions.map((one: RpcObject) => one.hash));
      expect(await transactionsRoot(raw)).toBe(block.transactionsRoot);
      expect(await receiptsRoot(receipts)).toBe(block.receiptsRoot);
      expect(bloomOf(receipts)).toBe(block.logsBloom);
      if (height > 0) {
        const parent = await rpc<RpcObject>(url, 'eth_getBlockByNumber', [heightToTag(height - 1), false]);
        expect(block.parentHash).toBe(parent.hash);
      }
      withLogs += receipts.some(({ logs }) => logs.length > 0) ? 1 : 0;
    }
    expect(withLogs).toBeGreaterThanOrEqual(3);
  }, 120_000);

  test('newHeads and logs arrive over WebSocket, in order', async () => {
    const client = createPublicClient({
      chain: chain(),
      transport: webSocket(devnet.urls[0]!.replace('http', 'ws'), { reconnect: false }),
    });
    const heads: bigint[] = [];
    const stop = client.watchBlocks({ onBlock: ({ number }) => heads.push(number!) });
    await eventually('three heads', async () => heads.length >= 3);
    stop();
    expect(heads.slice(1).every((height, index) => height === heads[index]! + 1n)).toBe(true);

    const socket = new WebSocket(devnet.urls[3]!.replace('http', 'ws'));
    await new Promise((resolve) => socket.once('open', resolve));
    const messages: RpcObject[] = [];
    socket.on('message', (data) => messages.push(JSON.parse(String(data))));
    socket.send(
      JSON.stringify({
        jsonrpc: '2.0',
        id: 1,
        method: 'eth_subscribe',
        params: ['logs', { address: '0x0000000000000000000000000000000000001001' }],
      }),
    );
    await eventually('the subscription', async () => messages.length > 0);
    const { wallet } = viemAt(devnet.urls[1]!, 6);
    const hash = await wallet.sendTransaction({
      to: '0x0000000000000000000000000000000000001001',
      value: parseEther('0.01'),
      // withdraw(address)
      data: `0x51cff8d9${wallet.account.address.slice(2).toLowerCase().padStart(64, '0')}`,
    });
    const log = await eventually('the Burned log', async () =>
      messages.find((message) => message.method === 'eth_subscription'),
    );
    expect(log.params.result.transactionHash).toBe(hash);
    socket.close();
    const transport = client.transport as unknown as { getRpcClient(): Promise<{ close(): void }> };
    (await transport.getRpcClient()).close();
  });

  test('bad input gets geth’s error and the network goes on', async () => {
    const url = devnet.urls[0]!;
    const post = async (body: string) =>
      (await (
        await fetch(url, { method: 'POST', headers: { 'content-type': 'application/json' }, body })
      ).json()) as RpcObject;
    expect((await post('{')).error.code).toBe(-32700);
    expect((await post('[]')).error.code).toBe(-32600);
    expect((await post('{"jsonrpc":"2.0","id":1,"method":"eth_nope"}')).error.code).toBe(-32601);
    expect(
      (await post('{"jsonrpc":"2.0","id":1,"method":"eth_getBalance","params":["0x12"]}')).error.code,
    ).toBe(-32602);
    const refused = async (raw: string) =>
      (await post(JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'eth_sendRawTransaction', params: [raw] })))
        .error;
    expect((await refused('0x02')).code).toBe(-32000);
    const account = mnemonicToAccount(MNEMONIC, { addressIndex: 7 });
    const fields = {
      type: 'eip1559',
      to: account.address,
      gas: 21_000n,
      maxFeePerGas: 2_000_000_000n,
      maxPriorityFeePerGas: 1n,
    } as const;
    const otherChain = await account.signTransaction({ ...fields, chainId: 1, nonce: 0 });
    expect((await refused(otherChain)).message).toMatch(/chain/i);
    const tooMuch = await account.signTransaction({
      ...fields,
      chainId: 42424,
      nonce: 0,
      value: parseEther('1000000'),
    });
    expect((await refused(tooMuch)).message).toMatch(/insufficient funds/);
    const before = await heightOf(url);
    await eventually('another block', async () => (await heightOf(url)) > before);
  });
});
