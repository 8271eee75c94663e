/** The power goes out at a random moment of the crossing: kill -9 of every process at once, then `npm start` again. */
import { readFileSync } from 'node:fs';
import { devnetAccounts } from '#cli/devnet/accounts.ts';
import { devnetLayout, nodeFiles } from '#cli/devnet/layout.ts';
import {
  createDataFolder,
  type Devnet,
  eventually,
  freePortBase,
  heightOf,
  rpc,
  startDevnet,
  VALIDATORS,
} from '#test/e2e/support/devnet.ts';
import { genesisOf, pegAt } from '#test/e2e/support/peg.ts';
import { heightToTag, type RpcObject } from '#test/e2e/support/recompute.ts';
import { collectSigned, conflictsIn, type Signed } from '#test/e2e/support/signed.ts';

const seed = Number(process.env.CAUSEWAY_CRASH_SEED ?? Math.floor(Math.random() * 1_000_000));

/** mulberry32 */
const random = (() => {
  let state = seed;
  return (): number => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
})();

const MOMENTS = ['Every node answers', 'deposited', 'minted', 'transferred', 'burned', 'claimed'];

const hashesOf = async (url: string): Promise<Map<number, string>> => {
  const head = await heightOf(url);
  const hashes = new Map<number, string>();
  for (let height = 0; height <= head; height++)
    hashes.set(
      height,
      (await rpc<RpcObject>(url, 'eth_getBlockByNumber', [heightToTag(height), false])).hash,
    );
  return hashes;
};

describe(`kill -9 of everything; replay with CAUSEWAY_CRASH_SEED=${seed} npm test -- test/e2e/crash`, () => {
  const data = createDataFolder();
  const rounds = 3;
  let devnet: Devnet | undefined;
  let portBase: number;

  beforeAll(async () => {
    portBase = await freePortBase();
  });
  afterAll(() => devnet?.dispose());

  test('resumes the same chain, signs nothing twice, and completes the crossing exactly once', async () => {
    const committed = new Map<number, string>();
    const signed: Signed = new Map();
    const collect = async (of: Devnet): Promise<number> => {
      const { spec, genesisHash } = await genesisOf(of);
      let count = 0;
      for (const name of VALIDATORS) {
        const { address } = spec.validators.find((validator) => validator.name === name)!;
        const folder = nodeFiles(devnetLayout(of.data), name).data;
        count += await collectSigned(folder, address, { chainId: spec.chainId, genesisHash }, signed);
      }
      return count;
    };
    const remember = async (url: string): Promise<void> => {
      for (const [height, hash] of await hashesOf(url)) {
        expect({ height, hash: committed.get(height) ?? hash }).toEqual({ height, hash });
        committed.set(height, hash);
      }
    };
    for (let round = 0; round < rounds; round++) {
      const moment = MOMENTS[Math.floor(random() * MOMENTS.length)]!;
      const delayMs = Math.floor(random() * 1_500);
      devnet = await startDevnet({ data, portBase, until: moment });
      await remember(devnet.urls[round]!);
      await new Promise((resolve) => setTimeout(resolve, delayMs)); // the random moment itself
      await devnet.killEverything();
      expect(await collect(devnet)).toBeGreaterThan(0);
      expect({ moment, delayMs, conflicts: conflictsIn(signed) }).toEqual({ moment, delayMs, conflicts: [] });
    }

    devnet = await startDevnet({ data, portBase });
    for (const url of devnet.urls) await remember(url);
    expect(committed.size).toBeGreaterThan(4);

    // Each crossing that was ever begun left exactly one deposit, mint, burn and claim.
    const peg = await pegAt(devnet, 0);
    const traveller = devnetAccounts().traveller.address;
    const deposits = await peg.l1.getContractEvents({ ...peg.vault, eventName: 'Deposited', fromBlock: 0n });
    const claims = await peg.l1.getContractEvents({ ...peg.vault, eventName: 'Claimed', fromBlock: 0n });
    const imports = await peg.sidechain.getContractEvents({
      ...peg.gateway,
      eventName: 'Imported',
      fromBlock: 0n,
    });
    const burns = await peg.sidechain.getContractEvents({
      ...peg.gateway,
      eventName: 'Burned',
      fromBlock: 0n,
    });
    const journal = readFileSync(devnetLayout(data).crossingJournal, 'utf8');
    const begun = new Set(journal.match(/devnet-\d{4}-[^"]+/g)).size;
    expect(deposits.every(({ args }) => args.sender?.toLowerCase() === traveller)).toBe(true);
    expect({
      begun,
      deposits: deposits.length,
      imports: imports.length,
      burns: burns.length,
      claims: claims.length,
    }).toEqual({
      begun,
      deposits: begun,
      imports: begun,
      burns: begun,
      claims: begun,
    });

    await eventually('the chain going on', async () => (await heightOf(devnet!.urls[0]!)) > committed.size);
    expect(await devnet.stop()).toBe(0);
    await collect(devnet);
    expect(conflictsIn(signed)).toEqual([]);
  }, 600_000);
});
