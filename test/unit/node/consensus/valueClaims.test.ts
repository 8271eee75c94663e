import { MAX_CLAIMS, ValueClaims } from '#node/consensus/valueClaims.ts';
import { hashOf, KEYS } from '#test/sim/cluster/samples.ts';

const claim = (peerId: string, value: number, payload: number) => ({
  peerId,
  validator: KEYS[0]!.address,
  valueId: hashOf(value),
  payloadHash: hashOf(payload),
});
const here = () => true;
const gone = () => false;

test('a peer whose payload derives to something else is not asked for that value again', () => {
  const claims = new ValueClaims();
  claims.add(claim('liar', 1, 9));
  claims.add(claim('honest', 2, 9));
  expect(claims.settle(hashOf(9), hashOf(2))).toEqual([claim('liar', 1, 9)]);
  expect(claims.settle(hashOf(9), hashOf(2))).toEqual([]);
  expect(claims.mayAsk('liar', hashOf(1), gone)).toBe(false);
  expect(claims.mayAsk('liar', hashOf(2), gone)).toBe(true);
  expect(claims.mayAsk('honest', hashOf(1), gone)).toBe(true);
  claims.add(claim('liar', 1, 8));
  expect(claims.valuesOf(hashOf(8))).toEqual([]);
});

test('a peer whose payload is here, not yet executed, is asked again only when its bytes are gone', () => {
  const claims = new ValueClaims();
  claims.add(claim('peer', 1, 9));
  expect(claims.mayAsk('peer', hashOf(1), here)).toBe(false);
  expect(claims.mayAsk('peer', hashOf(1), gone)).toBe(true);
});

test('an invalid payload refutes every claim about it', () => {
  const claims = new ValueClaims();
  claims.add(claim('a', 1, 9));
  claims.add(claim('b', 2, 9));
  expect(claims.settle(hashOf(9), null)).toHaveLength(2);
});

test('claims are bounded, and the oldest make room', () => {
  const claims = new ValueClaims();
  for (let i = 0; i <= MAX_CLAIMS; i++) claims.add(claim(`peer ${i}`, 1, 9));
  expect(claims.all()).toHaveLength(MAX_CLAIMS);
  expect(claims.mayAsk('peer 0', hashOf(1), here)).toBe(true);
});
