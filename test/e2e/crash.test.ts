/** The power goes out at a random moment of the crossing: kill -9 of every process at once, then `npm start` again. */
import { readdirSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { devnetAccounts } from '#cli/devnet/accounts.ts';
import { devnetLayout, nodeFiles } from '#cli/devnet/layout.ts';
import { proposalDigest, voteDigest } from '#consensus/digests.ts';
import type { Hash } from '#consensus/primitives.ts';
import { openFolderDisk } from '#node/consensus/disk.ts';
import { openGuard } from '#node/consensus/guard.ts';
import { parseWal } from '#node/consensus/wal.ts';
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

const MOMENTS = ['ETH crosses both ways', 'deposited', 'minted', 'transferred', 'burned', 'claimed'];

const filesBelow = (folder: string): string[] =>
  readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name));

/** Every signature that any validator's WAL or guard holds, by (validator, height, round, step). */
const collectSigned = async (devnet: Devnet, signed: Map<string, Set<Hash>>): Promise<number> => {
  const { spec, genesisHash } = await genesisOf(devnet);
  const domain = { chainId: spec.chainId, genesisHash };
  let count = 0;
  const note = (validator: string, height: bigint, round: number, step: string, digest: Hash): void => {
    const key = `${validator} ${height}/${round}/${step}`;
    signed.set(key, (signed.get(key) ?? new Set()).add(digest));
    count++;
  };
  for (const name of VALIDATORS) {
    const files = filesBelow(nodeFiles(devnetLayout(devnet.data), name).data);
    for (const path of files) {
      const log = /^wal-(\d{20})\.log$/.exec(basename(path));
      if (log === null) continue;
      for (const record of parseWal(readFileSync(path), BigInt(log[1]!), genesisHash).records) {
        if (record.type !== 'input') continue;
        const { input } = record;
        if (input.type === 'vote' || input.type === 'ownVote')
          note(
            input.vote.validator,
            input.vote.height,
            input.vote.round,
            input.vote.type,
            voteDigest(domain, input.vote),
          );
        if (input.type === 'proposal' || input.type === 'ownProposal')
          note(
            input.proposal.proposer,
            input.proposal.height,
            input.proposal.round,
            'proposal',
            proposalDigest(domain, input.proposal),
          );
      }
    }
    const guardFile = files.find((path) => basename(path) === 'guard');
    const { address } = spec.validators.find((validator) => validator.name === name)!;
    const guard = await openGuard(await openFolderDisk(join(guardFile!, '..')), {
      validator: address,
      genesisHash,
    });
    const state = guard!.state();
    if (state.signature !== null) note(address, state.height, state.round, state.step, state.digest);
    await guard!.close();
  }
  return count;
};

const conflicts = (signed: ReadonlyMap<string, ReadonlySet<Hash>>): string[] =>
  [...signed].filter(([, digests]) => digests.size > 1).map(([key]) => key);

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
    const signed = new Map<string, Set<Hash>>();
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
      expect(await collectSigned(devnet, signed)).toBeGreaterThan(0);
      expect({ moment, delayMs, conflicts: conflicts(signed) }).toEqual({ moment, delayMs, conflicts: [] });
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
    await collectSigned(devnet, signed);
    expect(conflicts(signed)).toEqual([]);
  }, 600_000);
});
