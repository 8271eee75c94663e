import type { Input } from '#consensus/engine.ts';
import { handle } from '#consensus/heightMachine.ts';
import { createHeight, type HeightState } from '#consensus/heightState.ts';
import { createValidatorSet } from '#consensus/validatorSet.ts';
import { Asking } from '#node/consensus/asking.ts';
import { ForkWatch } from '#node/consensus/forkWatch.ts';
import { createLife } from '#node/consensus/heightLife.ts';
import { HeightLoop } from '#node/consensus/heightLoop.ts';
import { DOMAIN } from '#test/sim/cluster/cluster.ts';
import { hashOf, KEYS, signedVote } from '#test/sim/cluster/samples.ts';

const [VALUE, PAYLOAD_HASH] = [hashOf(7), hashOf(8)];
const LOGGER = {
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
};

/** Three precommits name a payload that derives to something else here; the peer that is asked answers when told to. */
const setUp = () => {
  const halts: string[] = [];
  const answers: ((error: Error) => void)[] = [];
  const loop = new HeightLoop({
    l1View: null,
    logger: LOGGER,
    record: () => undefined,
    perform: async () => undefined,
    onHandled: async () => undefined,
    onHalted: ({ code }) => halts.push(code),
  });
  const set = createValidatorSet(KEYS.map(({ address }) => ({ address, power: 1n })));
  const precommit = { type: 'precommit', height: 1n, round: 0, valueId: VALUE } as const;
  const inputs: readonly Input[] = [
    { type: 'derived', payloadHash: PAYLOAD_HASH, value: { valid: true, valueId: hashOf(9) } },
    ...[1, 2, 3].map((index): Input => ({ type: 'vote', vote: signedVote(precommit, index, PAYLOAD_HASH) })),
  ];
  const state = inputs.reduce<HeightState>(
    (before, input) => handle(before, input).state,
    createHeight({ height: 1n, set, domain: DOMAIN, self: KEYS[0]!.address }),
  );
  const life = createLife(1n);
  life.unknownValues.add(VALUE);
  loop.enter(life, state);
  const network = {
    peers: () => [{ peerId: 'p1', name: 'one', validator: KEYS[1]!.address }],
    request: () => new Promise<Uint8Array>((_resolve, reject) => answers.push(reject)),
  };
  const asking = new Asking({ network: network as never });
  const forks = new ForkWatch({ chain: null as never, l1View: null, logger: LOGGER, loop, asking });
  const answer = async () => {
    answers.pop()!(new Error('cut off'));
    await new Promise(setImmediate);
  };
  return { halts, loop, life, forks, answer };
};

test('execution that differs halts the node when the peers have been asked', async () => {
  const { halts, life, forks, answer } = setUp();
  forks.checkDivergence(life);
  expect(halts).toEqual([]);
  await answer();
  expect(halts).toEqual(['DIVERGENCE']);
});

test('a height that ended while peers were asked halts nobody', async () => {
  const { halts, life, forks, answer } = setUp();
  forks.checkDivergence(life);
  life.over = true;
  await answer();
  expect(halts).toEqual([]);
});

test('a value that was derived while peers were asked halts nobody, and the watch goes on', async () => {
  const { halts, loop, life, forks, answer } = setUp();
  const { state } = loop;
  forks.checkDivergence(life);
  const value = { valid: true, valueId: VALUE } as const;
  loop.state = handle(state, { type: 'derived', payloadHash: hashOf(6), value }).state;
  await answer();
  expect(halts).toEqual([]);
  loop.state = state;
  forks.checkDivergence(life);
  await answer();
  expect(halts).toEqual(['DIVERGENCE']);
});
