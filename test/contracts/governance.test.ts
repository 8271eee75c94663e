/** The organisations' votes: who may, how many it takes, until when, and what their targets refuse. */
import { parseEventLogs } from 'viem';
import { ZERO_ADDRESS } from '#consensus/primitives.ts';
import { governanceAbi, upgradePlanAbi } from '#genesis/contracts/artifacts/contracts.ts';
import { type Anvil, startAnvil } from '#test/contracts/fixtures/anvil.ts';
import { connectChain, type TestChain } from '#test/contracts/fixtures/chain.ts';
import { namedKey, namedKeys } from '#test/contracts/fixtures/keys.ts';
import { SIDECHAIN_ID } from '#test/contracts/fixtures/peg.ts';
import {
  approve,
  EPOCH_LENGTH,
  placeSidechain,
  remove,
  type Sidechain,
  setOfKeys,
  setPower,
  upgrade,
} from '#test/contracts/fixtures/sidechain.ts';

const DAY_S = 86_400;
const validators = namedKeys('validator', 4);
const [member] = validators;
const newcomer = namedKey('newcomer');
const stranger = namedKey('stranger');

let anvil: Anvil;
let chain: TestChain;
let side: Sidechain;
let snapshot: `0x${string}`;

beforeAll(async () => {
  anvil = await startAnvil(SIDECHAIN_ID);
  chain = connectChain(anvil.url, SIDECHAIN_ID);
  side = await placeSidechain(chain, setOfKeys(validators));
  await chain.fund(stranger.address, 10n ** 20n);
  await chain.client.mine({ blocks: 1 });
});
afterAll(() => anvil.stop());
beforeEach(async () => {
  snapshot = await chain.client.snapshot();
});
afterEach(() => chain.client.revert({ id: snapshot }));

const vote = (governor: number, id: bigint) => side.governance.send(side.governors[governor]!, 'vote', [id]);

describe('Governance', () => {
  test('hears organisations only, each once a proposal', async () => {
    expect(await side.governance.refusal(stranger, 'propose', [approve(newcomer.address)])).toBe(
      'NotAGovernor',
    );
    expect(await side.governance.refusal(member!, 'propose', [approve(newcomer.address)])).toBe(
      'NotAGovernor',
    );
    const id = await side.propose(approve(newcomer.address));
    expect(await side.governance.refusal(stranger, 'vote', [id])).toBe('NotAGovernor');
    expect(await side.governance.refusal(side.governors[0]!, 'vote', [id])).toBe('AlreadyVoted');
    await vote(1, id);
    expect(await side.governance.refusal(side.governors[1]!, 'vote', [id])).toBe('AlreadyVoted');
    expect(await side.governance.refusal(side.governors[1]!, 'vote', [id + 1n])).toBe('UnknownProposal');
  });

  test('acts on two thirds or more of the organisations, once, and anyone may carry it out', async () => {
    const id = await side.propose(approve(newcomer.address));
    await vote(1, id);
    expect(await side.governance.refusal(stranger, 'execute', [id])).toBe('NotEnoughVotes');
    await vote(2, id);
    await side.governance.send(stranger, 'execute', [id]);
    expect(await side.list('approved')).toEqual([{ address: newcomer.address, power: 1n }]);
    expect(await side.governance.refusal(stranger, 'execute', [id])).toBe('AlreadyExecuted');
    expect(await side.governance.refusal(side.governors[3]!, 'vote', [id])).toBe('AlreadyExecuted');
  });

  test('forgets a proposal after seven days', async () => {
    const id = await side.propose(approve(newcomer.address));
    await vote(1, id);
    await vote(2, id);
    await chain.client.increaseTime({ seconds: 7 * DAY_S - 60 });
    await chain.client.mine({ blocks: 1 });
    expect(await side.governance.refusal(stranger, 'execute', [id])).toBe('no revert');
    await chain.client.increaseTime({ seconds: 120 });
    await chain.client.mine({ blocks: 1 });
    expect(await side.governance.refusal(stranger, 'execute', [id])).toBe('Expired');
    expect(await side.governance.refusal(side.governors[3]!, 'vote', [id])).toBe('Expired');
  });

  test('judges a change when it is proposed and again when it is executed', async () => {
    const refused = (change: ReturnType<typeof approve>) =>
      side.governance.refusal(side.governors[0]!, 'propose', [change]);
    expect(await refused(approve(member!.address))).toBe('AlreadyMember');
    expect(await refused(approve(newcomer.address, 0n))).toBe('ZeroPower');
    expect(await refused(approve(newcomer.address, 4_997n))).toBe('TooMuchPower');
    expect(await refused(approve(ZERO_ADDRESS))).toBe('ZeroAccount');
    expect(await refused(remove(newcomer.address))).toBe('NotAMember');
    expect(await refused(remove(member!.address))).toBe('TooFewValidators');
    expect(await refused(setPower(newcomer.address, 2n))).toBe('NotAMember');
    expect(await refused(setPower(member!.address, 0n))).toBe('ZeroPower');
    expect(await refused(setPower(member!.address, 3_998n))).toBe('TooMuchPower');
    expect(await refused({ ...approve(newcomer.address), height: 1n })).toBe('UnusedField');
    expect(await refused({ ...remove(member!.address), value: 1n })).toBe('UnusedField');
    expect(await refused({ ...upgrade(0n, 2n) })).toBe('UnusedField');
    expect(await refused({ ...upgrade(1_000n, 2n), account: member!.address })).toBe('UnusedField');
    // both are fine now, but not one after the other
    const [first, second] = [
      await side.propose(setPower(validators[0]!.address, 3_997n)),
      await side.propose(setPower(validators[1]!.address, 2n)),
    ];
    for (const id of [first!, second!]) for (const governor of [1, 2]) await vote(governor, id);
    await side.governance.send(stranger, 'execute', [first!]);
    expect(await side.governance.refusal(stranger, 'execute', [second!])).toBe('TooMuchPower');
  });

  test('tells everybody what is proposed, by whom, and until when', async () => {
    const receipt = await side.governance.send(side.governors[2]!, 'propose', [
      approve(newcomer.address, 3n),
    ]);
    const [proposed] = parseEventLogs({ abi: governanceAbi, logs: receipt.logs, eventName: 'Proposed' });
    const { timestamp } = await chain.client.getBlock({ blockNumber: receipt.blockNumber });
    expect(proposed!.args).toMatchObject({
      id: 0n,
      action: 0,
      value: 3n,
      expiresAt: timestamp + BigInt(7 * DAY_S),
    });
    expect(proposed!.args.account.toLowerCase()).toBe(newcomer.address);
    expect(proposed!.args.governor.toLowerCase()).toBe(side.governors[2]!.address);
  });

  test('has no target beside validators and upgrades, and they obey nobody else', async () => {
    for (const from of [stranger, side.governors[0]!, member!]) {
      expect(await side.validatorSet.refusal(from, 'approve', [newcomer.address, 1n])).toBe('NotGovernance');
      expect(await side.validatorSet.refusal(from, 'remove', [member!.address])).toBe('NotGovernance');
      expect(await side.validatorSet.refusal(from, 'setPower', [member!.address, 2n])).toBe('NotGovernance');
      expect(await side.upgradePlan.refusal(from, 'schedule', [1_000n, 2n])).toBe('NotGovernance');
    }
    const changing = governanceAbi.filter(
      (item) => item.type === 'function' && item.stateMutability === 'nonpayable',
    );
    expect(changing.map((item) => ('name' in item ? item.name : '')).sort()).toEqual([
      'execute',
      'propose',
      'vote',
    ]);
  });
});

describe('two thirds', () => {
  test.each([
    [1, 1n],
    [2, 2n],
    [3, 2n],
    [4, 3n],
    [6, 4n],
    [7, 5n],
  ])('of %i organisations are %i', async (count, needed) => {
    const other = await placeSidechain(chain, setOfKeys(validators), count);
    expect(await other.governance.read('votesNeeded')).toBe(needed);
    expect(3n * needed >= 2n * BigInt(count) && 3n * (needed - 1n) < 2n * BigInt(count)).toBe(true);
  });
});

describe('an upgrade', () => {
  const plan = () => side.upgradePlan.read('plan');

  test('begins after the current epoch, with a higher version', async () => {
    const refused = (height: bigint, version: bigint) =>
      side.governance.refusal(side.governors[0]!, 'propose', [upgrade(height, version)]);
    expect(await refused(EPOCH_LENGTH, 2n)).toBe('TooEarly');
    expect(await refused(EPOCH_LENGTH + 1n, 1n)).toBe('VersionNotAbove');
    expect(await refused(0n, 0n)).toBe('NothingScheduled');
    expect(await plan()).toEqual([1n, 0n, 0n]);
    await side.decide(upgrade(EPOCH_LENGTH + 1n, 2n));
    expect(await plan()).toEqual([1n, EPOCH_LENGTH + 1n, 2n]);
  });

  test('can be moved or cancelled until its epoch comes, never afterwards', async () => {
    await side.decide(upgrade(2n * EPOCH_LENGTH + 5n, 2n));
    await side.decide(upgrade(3n * EPOCH_LENGTH, 3n));
    await side.decide(upgrade(0n, 0n));
    expect(await plan()).toEqual([1n, 0n, 0n]);
    await side.decide(upgrade(2n * EPOCH_LENGTH, 2n));
    const late = await side.propose(upgrade(0n, 0n));
    for (const governor of [1, 2]) await vote(governor, late);
    await chain.client.mine({ blocks: Number(EPOCH_LENGTH) });
    expect(await side.governance.refusal(stranger, 'execute', [late])).toBe('TooEarly');
    const refused = await side.governance.refusal(side.governors[0]!, 'propose', [
      upgrade(9n * EPOCH_LENGTH, 5n),
    ]);
    expect(refused).toBe('TooEarly');
    await chain.client.mine({ blocks: Number(EPOCH_LENGTH) });
    expect(await plan()).toEqual([2n, 0n, 0n]);
  });

  test('that is in force stays in the books when the next one is scheduled', async () => {
    await side.decide(upgrade(EPOCH_LENGTH + 1n, 2n));
    await chain.client.mine({ blocks: Number(2n * EPOCH_LENGTH) });
    const height = 9n * EPOCH_LENGTH;
    const id = await side.propose(upgrade(height, 4n));
    for (const governor of [1, 2]) await vote(governor, id);
    const receipt = await side.governance.send(stranger, 'execute', [id]);
    expect(await plan()).toEqual([2n, height, 4n]);
    const [scheduled] = parseEventLogs({ abi: upgradePlanAbi, logs: receipt.logs });
    expect(scheduled).toMatchObject({ eventName: 'UpgradeScheduled', args: { height, version: 4n } });
  });
});
