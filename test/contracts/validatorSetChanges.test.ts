/** Who enters and leaves the validator set: approval, readiness, removal, proofs of double signing (RULES 21). */

import { uintToWord } from '#bridge/encoding/storageWords.ts';
import { proposalDigest, readyDigest, voteDigest } from '#consensus/digests.ts';
import { type Hash, type Signature, ZERO_HASH } from '#consensus/primitives.ts';
import { NIL, type Proposal, type Vote } from '#consensus/types.ts';
import { PREDEPLOYS } from '#genesis/predeploys.ts';
import { readJailed, readKnownValidators, readValidatorSet } from '#genesis/validatorSetSlots.ts';
import { type Anvil, startAnvil } from '#test/contracts/fixtures/anvil.ts';
import { connectChain, type TestChain } from '#test/contracts/fixtures/chain.ts';
import { type NamedKey, namedKey, namedKeys } from '#test/contracts/fixtures/keys.ts';
import { hashOf, SIDECHAIN_ID } from '#test/contracts/fixtures/peg.ts';
import {
  approve,
  DOMAIN,
  EPOCH_LENGTH,
  placeSidechain,
  remove,
  type Sidechain,
  setOfKeys,
  setPower,
} from '#test/contracts/fixtures/sidechain.ts';

const DAY_S = 86_400;
const validators = namedKeys('validator', 5);
const offender = validators[1]!;
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

const slot = async (key: Hash): Promise<Hash> =>
  ((await chain.client.getStorageAt({ address: PREDEPLOYS.validatorSet, slot: key })) ?? ZERO_HASH) as Hash;
const readySignature = (key: NamedKey, epoch: bigint) => key.sign(readyDigest(DOMAIN, epoch));
const addressesOf = (list: readonly { readonly address: string }[]) => list.map(({ address }) => address);

describe('a newcomer', () => {
  const ready = async (signature: `0x${string}`, from = stranger): Promise<string> =>
    side.validatorSet.refusal(from, 'ready', [newcomer.address, signature]);

  test('is not pending before it said that it is ready', async () => {
    await side.decide(approve(newcomer.address, 7n));
    expect(await side.list('pending')).toEqual(setOfKeys(validators).validators);
    expect(await side.list('approved')).toEqual([{ address: newcomer.address, power: 7n }]);
    expect((await readKnownValidators(slot)).has(newcomer.address)).toBe(true);
  });

  test('enters the pending set by a signature of this epoch, which anyone may bring', async () => {
    await side.decide(approve(newcomer.address, 7n));
    await side.validatorSet.send(stranger, 'ready', [
      newcomer.address,
      readySignature(newcomer, await side.epoch()),
    ]);
    const expected = setOfKeys([...validators, newcomer].sort((a, b) => (a.address < b.address ? -1 : 1)));
    const withPower = expected.validators.map((one) =>
      one.address === newcomer.address ? { ...one, power: 7n } : one,
    );
    expect(await side.list('pending')).toEqual(withPower);
    expect((await readValidatorSet(slot, 'pending'))?.validators).toEqual(withPower);
    expect(await side.list('approved')).toEqual([]);
    expect(await side.list('active')).toEqual(setOfKeys(validators).validators);
  });

  test('is not ready by a signature of another epoch, key, chain or form', async () => {
    await side.decide(approve(newcomer.address));
    const epoch = await side.epoch();
    for (const other of [epoch - 1n, epoch + 1n])
      expect(await ready(readySignature(newcomer, other))).toBe('WrongSigner');
    expect(await ready(readySignature(stranger, epoch))).toBe('WrongSigner');
    const elsewhere = { ...DOMAIN, genesisHash: hashOf('another genesis') };
    expect(await ready(newcomer.sign(readyDigest(elsewhere, epoch)))).toBe('WrongSigner');
    const good = readySignature(newcomer, epoch);
    expect(await ready(good.slice(0, -2) as `0x${string}`)).toBe('ECDSAInvalidSignatureLength');
    expect(await ready(good)).toBe('no revert');
    await chain.client.mine({ blocks: Number(EPOCH_LENGTH) });
    expect(await ready(good)).toBe('WrongSigner');
    expect(await ready(readySignature(newcomer, await side.epoch()))).toBe('no revert');
  });

  test('that nobody approved does not enter, nor one whose approval was withdrawn or lapsed', async () => {
    const epoch = await side.epoch();
    expect(await ready(readySignature(newcomer, epoch))).toBe('NotApproved');
    await side.decide(approve(newcomer.address));
    await side.decide(remove(newcomer.address));
    expect(await ready(readySignature(newcomer, epoch))).toBe('NotApproved');
    await side.decide(approve(newcomer.address));
    await chain.client.increaseTime({ seconds: 30 * DAY_S + 60 });
    await chain.client.mine({ blocks: 1 });
    expect(await ready(readySignature(newcomer, epoch))).toBe('ApprovalLapsed');
    await side.decide(approve(namedKey('another newcomer').address));
    expect(addressesOf(await side.list('approved'))).toEqual([namedKey('another newcomer').address]);
    await side.decide(approve(newcomer.address));
    expect(await ready(readySignature(newcomer, await side.epoch()))).toBe('no revert');
  });

  test('enters once', async () => {
    await side.decide(approve(newcomer.address));
    const signature = readySignature(newcomer, await side.epoch());
    await side.validatorSet.send(stranger, 'ready', [newcomer.address, signature]);
    expect(await ready(signature)).toBe('NotApproved');
  });

  test('whose entry would break the set by now does not enter', async () => {
    const second = namedKey('second newcomer');
    await side.decide(approve(newcomer.address, 3_000n));
    await side.decide(approve(second.address, 3_500n));
    const epoch = await side.epoch();
    await side.validatorSet.send(stranger, 'ready', [newcomer.address, readySignature(newcomer, epoch)]);
    await side.decide(setPower(validators[0]!.address, 600n));
    expect(
      await side.validatorSet.refusal(stranger, 'ready', [second.address, readySignature(second, epoch)]),
    ).toBe('TooMuchPower');
  });
});

describe('a member', () => {
  test('leaves and changes power at the end of the epoch, not at once', async () => {
    await side.decide(setPower(validators[0]!.address, 9n));
    await side.decide(remove(validators[4]!.address));
    const pending = await readValidatorSet(slot, 'pending');
    expect(pending?.validators).toEqual([
      { address: validators[0]!.address, power: 9n },
      ...setOfKeys(validators.slice(1, 4)).validators,
    ]);
    expect(await readValidatorSet(slot, 'active')).toEqual(setOfKeys(validators));
  });
});

const vote = (change: Partial<Vote> = {}): Vote => ({
  type: 'precommit',
  height: 20n,
  round: 1,
  valueId: hashOf('one'),
  ...change,
});
const signedVote = (message: Vote, key: NamedKey = offender) => ({
  step: message.type === 'prevote' ? 1 : 2,
  height: message.height,
  round: message.round,
  valueId: message.valueId,
  signature: key.sign(voteDigest(DOMAIN, message)),
});
const proposal = (change: Partial<Proposal> = {}): Proposal => ({
  height: 20n,
  round: 1,
  polRound: -1,
  payloadHash: hashOf('payload'),
  valueId: NIL,
  ...change,
});
const signedProposal = (message: Proposal, key: NamedKey = offender) => ({
  height: message.height,
  round: message.round,
  polRound: BigInt(message.polRound),
  payloadHash: message.payloadHash,
  valueId: message.valueId,
  signature: key.sign(proposalDigest(DOMAIN, message)),
});

describe('a proof of double signing', () => {
  type SignedVote = ReturnType<typeof signedVote>;
  type SignedProposal = ReturnType<typeof signedProposal>;
  const votes = (a: SignedVote, b: SignedVote, account = offender.address) =>
    side.validatorSet.refusal(stranger, 'reportDoubleVote', [account, a, b]);
  const proposals = (a: SignedProposal, b: SignedProposal, account = offender.address) =>
    side.validatorSet.refusal(stranger, 'reportDoubleProposal', [account, a, b]);
  const [one, two] = [signedVote(vote()), signedVote(vote({ valueId: hashOf('two') }))];

  test('needs two different messages for one height, round and step, by one key of this chain', async () => {
    expect(await votes(one, one)).toBe('SameMessage');
    expect(await votes(one, signedVote(vote({ valueId: NIL, height: 21n })))).toBe('NotComparable');
    expect(await votes(one, signedVote(vote({ valueId: NIL, round: 2 })))).toBe('NotComparable');
    expect(await votes(one, signedVote(vote({ valueId: NIL, type: 'prevote' })))).toBe('NotComparable');
    expect(await votes({ ...one, step: 1 }, { ...two, step: 1 })).toBe('WrongSigner');
    expect(await votes({ ...one, step: 3 }, { ...two, step: 3 })).toBe('UnknownStep');
    expect(await votes(one, signedVote(vote({ valueId: hashOf('two') }), validators[2]))).toBe('WrongSigner');
    expect(await votes(one, two, validators[2]!.address)).toBe('WrongSigner');
    expect(await votes(one, { ...two, valueId: hashOf('three') })).toBe('WrongSigner');
    expect(await proposals(signedProposal(proposal()), signedProposal(proposal()))).toBe('SameMessage');
    expect(await proposals(signedProposal(proposal()), signedProposal(proposal({ round: 2 })))).toBe(
      'NotComparable',
    );
    const forged = { ...signedProposal(proposal()), polRound: 0n };
    expect(await proposals(signedProposal(proposal()), forged)).toBe('WrongSigner');
  });

  test('does not count before the node has written the genesis hash', async () => {
    await chain.client.setStorageAt({
      address: PREDEPLOYS.validatorSet,
      index: uintToWord(4n),
      value: ZERO_HASH,
    });
    expect(await votes(one, two)).toBe('NoGenesisHash');
  });

  test('of a high-s twin of a good signature is no second message', async () => {
    const order = 0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141n;
    const { signature } = two;
    const s = order - BigInt(`0x${signature.slice(66, 130)}`);
    const v = signature.endsWith('1b') ? '1c' : '1b';
    const twin = `${signature.slice(0, 66)}${s.toString(16).padStart(64, '0')}${v}` as Signature;
    expect(await votes(one, { ...two, signature: twin })).toBe('ECDSAInvalidSignatureS');
  });

  test.each([
    ['votes', () => side.validatorSet.send(stranger, 'reportDoubleVote', [offender.address, one, two])],
    [
      'proposals',
      () =>
        side.validatorSet.send(stranger, 'reportDoubleProposal', [
          offender.address,
          signedProposal(proposal()),
          signedProposal(proposal({ polRound: 0, valueId: hashOf('two') })),
        ]),
    ],
  ])('by %s puts the member into the queue that the node works off, once', async (_what, report) => {
    await report();
    expect(await readJailed(slot)).toEqual([offender.address]);
    expect(await readValidatorSet(slot, 'pending')).toEqual(setOfKeys(validators));
    expect(await votes(one, two)).toBe('AlreadyJailed');
  });

  test('costs a newcomer its approval, and a stranger nothing', async () => {
    const pair = (key: NamedKey) =>
      [signedVote(vote(), key), signedVote(vote({ valueId: NIL }), key)] as const;
    await side.decide(approve(newcomer.address));
    const height = await chain.client.getBlockNumber();
    const late = ['one', 'two'].map((name) =>
      signedVote(vote({ height: height + 10n, valueId: hashOf(name) }), newcomer),
    );
    await side.validatorSet.send(stranger, 'reportDoubleVote', [newcomer.address, late[0]!, late[1]!]);
    expect(await side.list('approved')).toEqual([]);
    expect(await readJailed(slot)).toEqual([]);
    expect(await votes(...pair(stranger), stranger.address)).toBe('NotAMember');
  });

  test('from before an approval is forgiven by it', async () => {
    await side.validatorSet.send(stranger, 'reportDoubleVote', [offender.address, one, two]);
    await side.decide(remove(offender.address));
    expect(await readJailed(slot)).toEqual([]);
    await chain.client.mine({ blocks: 20 });
    await side.decide(approve(offender.address));
    await side.validatorSet.send(stranger, 'ready', [
      offender.address,
      readySignature(offender, await side.epoch()),
    ]);
    expect(await votes(one, two)).toBe('Forgiven');
    const height = (await chain.client.getBlockNumber()) + 1n;
    const again = ['one', 'two'].map((name) => signedVote(vote({ height, valueId: hashOf(name) })));
    expect(await votes(again[0]!, again[1]!)).toBe('no revert');
  });
});

describe('a set of 256', () => {
  test('is changed within the gas of one transaction', async () => {
    const many = namedKeys('one of many', 255);
    const large = await placeSidechain(chain, setOfKeys(many));
    const first = namedKeys('edge', 40).find(({ address }) => address < many[0]!.address) ?? newcomer;
    await large.decide(approve(first.address));
    const entered = await large.validatorSet.send(stranger, 'ready', [
      first.address,
      readySignature(first, await large.epoch()),
    ]);
    expect(await large.governance.refusal(large.governors[0]!, 'propose', [approve(offender.address)])).toBe(
      'TooManyValidators',
    );
    const id = await large.propose(remove(many[0]!.address));
    for (const governor of [1, 2]) await large.governance.send(large.governors[governor]!, 'vote', [id]);
    const left = await large.governance.send(stranger, 'execute', [id]);
    console.log(`256 validators: ready ${entered.gasUsed} gas, removal ${left.gasUsed} gas`);
    for (const { gasUsed } of [entered, left]) expect(gasUsed < 4_000_000n).toBe(true);
  });
});
