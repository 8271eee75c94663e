/**
 * Users of a network in trouble: transfers in order of nonce, each sent to whichever validator is up, and sent again
 * at the end if nobody kept it.
 */
import type { Hash } from '#consensus/primitives.ts';
import { eventually, rpc } from '#test/e2e/support/devnet.ts';
import { userAccount } from '#test/e2e/support/peg.ts';
import type { RpcObject } from '#test/e2e/support/recompute.ts';

const USERS = [0, 1, 2, 3];
const INTERVAL_MS = 250;
const GAS_PRICE = 2_000_000_000n;

type Sent = { readonly hash: Hash; readonly raw: string };

const transactionCount = (url: string, address: string): Promise<number> =>
  rpc<string>(url, 'eth_getTransactionCount', [address, 'latest']).then(Number);

const missingOf = async (url: string, sent: readonly Sent[]): Promise<readonly Sent[]> => {
  const missing: Sent[] = [];
  for (const one of sent)
    if ((await rpc<RpcObject | null>(url, 'eth_getTransactionReceipt', [one.hash])) === null)
      missing.push(one);
  return missing;
};

export class Load {
  readonly sent: Sent[] = [];
  readonly #accounts = USERS.map(userAccount);
  readonly #nonces: number[] = [];
  readonly #random: () => number;
  readonly #urls: () => readonly string[];
  #timer: NodeJS.Timeout | null = null;
  #sending: Promise<void> = Promise.resolve();

  constructor(urls: () => readonly string[], random: () => number) {
    this.#urls = urls;
    this.#random = random;
  }

  async start(): Promise<void> {
    const url = this.#urls()[0]!;
    for (const { address } of this.#accounts) this.#nonces.push(await transactionCount(url, address));
    this.#timer = setInterval(() => {
      this.#sending = this.#sending.then(() => this.#sendOne()).catch(() => undefined);
    }, INTERVAL_MS);
  }

  async stop(): Promise<void> {
    if (this.#timer !== null) clearInterval(this.#timer);
    await this.#sending;
  }

  async #sendOne(): Promise<void> {
    const urls = this.#urls();
    const user = Math.floor(this.#random() * this.#accounts.length);
    const url = urls[Math.floor(this.#random() * urls.length)];
    if (url === undefined) return;
    const account = this.#accounts[user]!;
    const nonce = this.#nonces[user]!;
    const raw = await account.signTransaction({
      type: 'eip1559',
      chainId: 42_424,
      nonce,
      to: account.address,
      value: 1n,
      gas: 21_000n,
      maxFeePerGas: GAS_PRICE,
      maxPriorityFeePerGas: 1n,
    });
    // Counted only when a validator took it; otherwise the same nonce is used again.
    const hash = await rpc<Hash>(url, 'eth_sendRawTransaction', [raw]);
    this.#nonces[user] = nonce + 1;
    this.sent.push({ hash, raw });
  }

  /**
   * Every transfer in a block; what died with its validators' memory is sent again, as its sender would, in order of
   * nonce and all at once.
   */
  async settle(urls: readonly string[], boundMs: number): Promise<void> {
    let missing: readonly Sent[] = this.sent;
    await eventually(
      'every transfer committed',
      async () => {
        missing = await missingOf(urls[0]!, missing);
        for (const url of urls)
          for (const { raw } of missing)
            await rpc(url, 'eth_sendRawTransaction', [raw]).catch(() => undefined);
        if (missing.length > 0)
          throw new Error(`${missing.length} are not, the first is ${missing[0]!.hash}`);
        return true;
      },
      boundMs,
    );
  }
}
