/** Limits and queue, pauses, vetoes: what slows payments out of the vault (RULES 35, 38). */
import { type Hex, parseEventLogs } from 'viem';
import { pegCouncilAbi, pegVaultAbi } from '#bridge/contracts/artifacts/contracts.ts';
import type { Leaf } from '#bridge/encoding/leaf.ts';
import { outboxRoot } from '#bridge/encoding/outboxTree.ts';
import { type Address, type Hash, parseAddress, ZERO_ADDRESS } from '#consensus/primitives.ts';
import { type Anvil, startAnvil } from '#test/contracts/fixtures/anvil.ts';
import { connectChain, type TestChain } from '#test/contracts/fixtures/chain.ts';
import { anchorLeaves, claimCall, leafOf, refusalOf } from '#test/contracts/fixtures/claims.ts';
import { ACTION, approve, DAY, govern, pass, vaultCall } from '#test/contracts/fixtures/governing.ts';
import { namedKey } from '#test/contracts/fixtures/keys.ts';
import {
  checkpointArguments,
  checkpointAt,
  createPeg,
  deployOn,
  ETHER,
  L1_CHAIN_ID,
  type Peg,
  submitCheckpointCall,
} from '#test/contracts/fixtures/peg.ts';

const alice = namedKey('alice');
const bob = namedKey('bob');
const EVERYTHING = parseAddress(`0x${'ff'.repeat(20)}`);
const CAP = 10n * ETHER;
const HOUR = 3_600;

let anvil: Anvil;
let chain: TestChain;
let peg: Peg;
let vault: Address;
let snapshot: Hex;

beforeAll(async () => {
  anvil = await startAnvil(L1_CHAIN_ID);
  chain = connectChain(anvil.url, L1_CHAIN_ID);
  peg = createPeg({ etherLimit: { capWei: CAP, mostWei: 2n * CAP } });
  for (const { address } of [alice, bob, ...peg.sentries]) await chain.fund(address, 1_000n * ETHER);
  await deployOn(chain, peg);
  vault = peg.manifest.addresses.vault;
});
afterAll(() => anvil.stop());
beforeEach(async () => {
  snapshot = await chain.client.snapshot();
});
afterEach(() => chain.client.revert({ id: snapshot }));

const call = (functionName: string, args: readonly unknown[], value = 0n) => ({
  address: vault,
  abi: pegVaultAbi,
  functionName,
  args,
  value,
});
const read = (functionName: string, args: readonly unknown[]): Promise<unknown> =>
  chain.client.readContract({ address: vault, abi: pegVaultAbi, functionName, args } as never);
const send = (from: typeof alice, functionName: string, args: readonly unknown[], value = 0n) =>
  chain.send(from, call(functionName, args, value) as never);
const refusal = (from: typeof alice, functionName: string, args: readonly unknown[], value = 0n) =>
  refusalOf(chain, call(functionName, args, value), from);
const isClaimed = (leaf: Leaf) => read('isClaimed', [leaf.nonce]);
const level = async () => ((await read('capacity', [ZERO_ADDRESS])) as readonly [bigint, bigint])[0];
const claimNow = async (leaf: Leaf, hashes: readonly Hash[]) => {
  await chain.send(alice, claimCall(peg, leaf, hashes));
  return isClaimed(leaf);
};
const leavesOf = (...amounts: bigint[]) => amounts.map((amount, nonce) => leafOf(nonce, bob.address, amount));

describe('the limit', () => {
  test('case 35: a claim above the bucket is queued, and paid a day later without using the bucket', async () => {
    const [big, small] = leavesOf(CAP + 1n, ETHER) as [Leaf, Leaf];
    const hashes = await anchorLeaves(chain, peg, [big, small]);
    expect(await read('wouldQueue', [ZERO_ADDRESS, big.amount])).toBe(true);
    const receipt = await chain.send(alice, claimCall(peg, big, hashes));
    const [event] = parseEventLogs({ abi: pegVaultAbi, logs: receipt.logs, eventName: 'ClaimQueued' });
    expect(event!.args).toMatchObject({ leaf: hashes[0], amount: big.amount });
    expect(await isClaimed(big)).toBe(false);
    expect(await refusalOf(chain, claimCall(peg, big, hashes), bob)).toBe('StillQueued');
    // Others go on.
    expect(await claimNow(small, hashes)).toBe(true);
    await pass(chain, DAY);
    const before = await level();
    expect(await claimNow(big, hashes)).toBe(true);
    expect(await level()).toBe(before);
    expect(await refusalOf(chain, claimCall(peg, big, hashes), bob)).toBe('AlreadyClaimed');
  });

  test('case 36: refills second by second, so that no midnight gives it twice', async () => {
    const leaves = leavesOf(CAP, CAP / 2n, CAP / 2n);
    const hashes = await anchorLeaves(chain, peg, leaves);
    const day = Math.floor(Number((await chain.client.getBlock()).timestamp) / DAY) * DAY;
    await chain.client.setNextBlockTimestamp({ timestamp: BigInt(day + 2 * DAY - 2) });
    expect(await claimNow(leaves[0]!, hashes)).toBe(true);
    await pass(chain, 4);
    expect(await level()).toBeLessThan(CAP / 1_000n);
    await chain.client.increaseTime({ seconds: DAY / 4 });
    await chain.client.mine({ blocks: 1 });
    expect(await claimNow(leaves[1]!, hashes)).toBe(false);
    await pass(chain, DAY / 4);
    // What was queued for want of room is paid as soon as there is room.
    expect(await claimNow(leaves[1]!, hashes)).toBe(true);
    expect(await claimNow(leaves[2]!, hashes)).toBe(false);
  });

  test('is credited by deposits, never above the cap', async () => {
    const leaves = leavesOf(CAP, 2n * ETHER);
    const hashes = await anchorLeaves(chain, peg, leaves);
    expect(await claimNow(leaves[0]!, hashes)).toBe(true);
    await send(alice, 'deposit', [alice.address], 3n * ETHER);
    expect(await level()).toBeGreaterThanOrEqual(3n * ETHER);
    expect(await claimNow(leaves[1]!, hashes)).toBe(true);
    await send(alice, 'deposit', [alice.address], 100n * ETHER);
    expect(await level()).toBe(CAP);
  });

  test('changes by governance alone, and never above what the vault was born with', async () => {
    expect(await refusal(alice, 'setLimit', [ZERO_ADDRESS, 1n])).toBe('NotTimelock');
    await expect(govern(chain, peg, vaultCall('setLimit', [ZERO_ADDRESS, 2n * CAP + 1n]))).rejects.toThrow(
      'LimitTooHigh',
    );
  });

  test('with a cap of zero every claim waits a day', async () => {
    await govern(chain, peg, vaultCall('setLimit', [ZERO_ADDRESS, 0n]));
    const leaves = leavesOf(ETHER);
    const hashes = await anchorLeaves(chain, peg, leaves);
    expect(await claimNow(leaves[0]!, hashes)).toBe(false);
    await pass(chain, DAY);
    expect(await claimNow(leaves[0]!, hashes)).toBe(true);
  });

  test('case 24: with both locks forged, what leaves at once is capped, and the rest can be vetoed', async () => {
    const thief = namedKey('thief');
    const leaves = [
      leafOf(0, thief.address, CAP),
      leafOf(1, thief.address, CAP),
      leafOf(2, thief.address, 900n * ETHER),
    ];
    const hashes = await anchorLeaves(chain, peg, leaves);
    const outcomes = [];
    for (const leaf of leaves) outcomes.push(await claimNow(leaf, hashes));
    expect(outcomes).toEqual([true, false, false]);
    await send(peg.sentries[0]!, 'veto', [hashes[2]]);
    await pass(chain, DAY);
    expect(await refusalOf(chain, claimCall(peg, leaves[2]!, hashes), alice)).toBe('IsVetoed');
  });

  test('a forged leaf at an index does not hold up the honest one of that index', async () => {
    const forged = leavesOf(CAP + ETHER);
    const forgedHashes = await anchorLeaves(chain, peg, forged, 1n);
    expect(await claimNow(forged[0]!, forgedHashes)).toBe(false);
    const honest = leavesOf(ETHER, ETHER);
    const honestHashes = await anchorLeaves(chain, peg, honest, 2n);
    expect(await claimNow(honest[0]!, honestHashes)).toBe(true);
    await pass(chain, DAY);
    expect(await refusalOf(chain, claimCall(peg, forged[0]!, forgedHashes), alice)).toBe('AlreadyClaimed');
  });
});

describe('a pause', () => {
  test('case 37: stops claims and deposits, not checkpoints, and ends by itself', async () => {
    const leaves = leavesOf(ETHER);
    const hashes = await anchorLeaves(chain, peg, leaves);
    await send(peg.sentries[0]!, 'pause', [EVERYTHING, BigInt(72 * HOUR)]);
    expect(await refusalOf(chain, claimCall(peg, leaves[0]!, hashes), alice)).toBe('IsPaused');
    expect(await refusal(alice, 'deposit', [alice.address], ETHER)).toBe('IsPaused');
    const next = checkpointAt(peg, 2n, { outboxCount: 1n, outboxRoot: outboxRoot(hashes) });
    await chain.send(alice, submitCheckpointCall(peg, checkpointArguments(peg, next)));
    await pass(chain, 72 * HOUR);
    expect(await claimNow(leaves[0]!, hashes)).toBe(true);
  });

  test('of one token leaves the others alone', async () => {
    await send(peg.sentries[0]!, 'pause', [ZERO_ADDRESS, BigInt(HOUR)]);
    expect(await refusal(alice, 'deposit', [alice.address], ETHER)).toBe('IsPaused');
    expect(await read('pausedUntil', [])).toBe(0n);
    expect(await refusal(peg.sentries[1]!, 'pause', [alice.address, BigInt(HOUR)])).toBe('UnknownToken');
  });

  test('takes a sentry, 72 hours at most, and once until governance re-arms it', async () => {
    const [sentry] = peg.sentries;
    const pause = [EVERYTHING, BigInt(HOUR)] as const;
    expect(await refusal(alice, 'pause', pause)).toBe('NotArmed');
    expect(await refusal(sentry!, 'pause', [EVERYTHING, BigInt(72 * HOUR + 1)])).toBe('PauseOutOfRange');
    expect(await refusal(sentry!, 'pause', [EVERYTHING, 0n])).toBe('PauseOutOfRange');
    await send(sentry!, 'pause', pause);
    await pass(chain, 2 * HOUR);
    expect(await refusal(sentry!, 'pause', pause)).toBe('NotArmed');
    await govern(chain, peg, vaultCall('setSentry', [sentry!.address, true]));
    expect(await refusal(sentry!, 'pause', pause)).toBe('no revert');
  });

  test('case 38: is not ended by a sentry, but by governance', async () => {
    const [sentry] = peg.sentries;
    await send(sentry!, 'pause', [EVERYTHING, BigInt(72 * HOUR)]);
    expect(await refusal(sentry!, 'liftPause', [EVERYTHING])).toBe('NotTimelock');
    expect(await refusal(peg.sentries[1]!, 'pause', [EVERYTHING, BigInt(HOUR)])).toBe('AlreadyPaused');
  });

  test('never lasts more than 7 of any 30 days, whoever pauses', async () => {
    const most = BigInt(72 * HOUR);
    await send(peg.sentries[0]!, 'pause', [EVERYTHING, most]);
    await pass(chain, 72 * HOUR);
    await send(peg.sentries[1]!, 'pause', [EVERYTHING, most]);
    await pass(chain, 72 * HOUR);
    expect(await refusal(peg.sentries[2]!, 'pause', [EVERYTHING, BigInt(24 * HOUR + 10)])).toBe(
      'PausedTooMuch',
    );
    // What is spent on everything is spent for each token.
    expect(await refusal(peg.sentries[2]!, 'pause', [ZERO_ADDRESS, BigInt(24 * HOUR + 10)])).toBe(
      'PausedTooMuch',
    );
    await send(peg.sentries[2]!, 'pause', [EVERYTHING, BigInt(24 * HOUR)]);
    await pass(chain, 22 * DAY);
    expect(await refusal(peg.sentries[3]!, 'pause', [EVERYTHING, BigInt(2 * DAY)])).toBe('PausedTooMuch');
    await pass(chain, 2 * DAY);
    expect(await refusal(peg.sentries[3]!, 'pause', [EVERYTHING, BigInt(2 * DAY)])).toBe('no revert');
  });
});

describe('a veto', () => {
  test('holds a leaf for seven days, once, and then it pays', async () => {
    const leaves = leavesOf(ETHER, ETHER);
    const hashes = await anchorLeaves(chain, peg, leaves);
    expect(await refusal(alice, 'veto', [hashes[0]])).toBe('NotASentry');
    await send(peg.sentries[0]!, 'veto', [hashes[0]]);
    expect(await refusal(peg.sentries[1]!, 'veto', [hashes[0]])).toBe('AlreadyVetoed');
    expect(await refusalOf(chain, claimCall(peg, leaves[0]!, hashes), alice)).toBe('IsVetoed');
    expect(await claimNow(leaves[1]!, hashes)).toBe(true);
    await pass(chain, 7 * DAY);
    expect(await claimNow(leaves[0]!, hashes)).toBe(true);
  });

  test('is upheld by the council, while it lasts, and released by governance alone', async () => {
    const leaves = leavesOf(ETHER, ETHER);
    const hashes = await anchorLeaves(chain, peg, leaves);
    const uphold = async (leaf: Hash) => ({
      address: peg.manifest.addresses.council,
      abi: [...pegCouncilAbi, ...pegVaultAbi.filter(({ type }) => type === 'error')],
      functionName: 'upholdVeto' as const,
      args: [leaf, await approve(chain, peg, ACTION.upholdVeto, leaf)] as const,
    });
    expect(await refusal(peg.sentries[0]!, 'upholdVeto', [hashes[0]])).toBe('NotCouncil');
    expect(await refusalOf(chain, await uphold(hashes[0]!), alice)).toBe('NotVetoed');
    await send(peg.sentries[0]!, 'veto', [hashes[0]]);
    await chain.send(alice, (await uphold(hashes[0]!)) as never);
    await pass(chain, 30 * DAY);
    expect(await refusalOf(chain, claimCall(peg, leaves[0]!, hashes), alice)).toBe('IsVetoed');
    await govern(chain, peg, vaultCall('releaseVeto', [hashes[0]]));
    expect(await claimNow(leaves[0]!, hashes)).toBe(true);
    await send(peg.sentries[0]!, 'veto', [hashes[1]]);
    await pass(chain, 7 * DAY);
    expect(await refusalOf(chain, await uphold(hashes[1]!), alice)).toBe('NotVetoed');
  });
});

describe('a preview', () => {
  test('says of each leaf what claiming it would do, before and after', async () => {
    const OUTLOOK = ['pays', 'queues', 'queued', 'vetoed', 'paused', 'claimed'];
    const leaves = leavesOf(ETHER, CAP + ETHER, ETHER);
    const hashes = await anchorLeaves(chain, peg, leaves);
    const outlook = async (at: number) =>
      OUTLOOK[((await read('previewClaim', [leaves[at]])) as readonly [number, bigint])[0]];
    expect([await outlook(0), await outlook(1)]).toEqual(['pays', 'queues']);
    await claimNow(leaves[0]!, hashes);
    await claimNow(leaves[1]!, hashes);
    await send(peg.sentries[0]!, 'veto', [hashes[2]]);
    expect([await outlook(0), await outlook(1), await outlook(2)]).toEqual(['claimed', 'queued', 'vetoed']);
    await send(peg.sentries[1]!, 'pause', [EVERYTHING, BigInt(72 * HOUR)]);
    expect(await outlook(1)).toBe('paused');
    await pass(chain, 72 * HOUR);
    expect(await outlook(1)).toBe('pays');
  });

  test('by amount alone says whether a withdrawal would be queued', async () => {
    expect(await read('wouldQueue', [ZERO_ADDRESS, CAP])).toBe(false);
    expect(await read('wouldQueue', [alice.address, 1n])).toBe(true);
  });
});
