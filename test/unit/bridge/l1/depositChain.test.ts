import { DepositChain } from '#bridge/l1/depositChain.ts';
import { readLogRanges } from '#bridge/l1/logRanges.ts';
import { type Hash, ZERO_HASH } from '#consensus/primitives.ts';

const hashOf = (n: number): Hash => `0x${n.toString(16).padStart(64, '0')}` as Hash;
const stage = (chain: DepositChain, from: number, to: number): void => {
  for (let n = from; n < to; n++)
    chain.stage({ hash: hashOf(n + 1), nativeWei: BigInt(n), blockNumber: BigInt(10 * n) });
};

test('shows nothing that was not verified', () => {
  const chain = new DepositChain();
  stage(chain, 0, 3);
  expect(chain.hashAt(0n)).toBe(ZERO_HASH);
  expect(chain.hashAt(1n)).toBeNull();
  expect(chain.weiAt(1n)).toBeNull();
  expect(chain.blockOf(0n)).toBeNull();
  chain.verifyStaged();
  expect(chain.hashAt(3n)).toBe(hashOf(3));
  expect(chain.hashAt(-1n)).toBeNull();
  expect(chain.blockOf(2n)).toBe(20n);
  expect(chain.blockOf(3n)).toBeNull();
});

test('forgets what was staged and refuted, and grows beyond its first allocation', () => {
  const chain = new DepositChain();
  stage(chain, 0, 100);
  chain.verifyStaged();
  stage(chain, 100, 150);
  chain.dropStaged();
  expect(chain.stagedCount).toBe(100n);
  expect(chain.stagedHash).toBe(hashOf(100));
  stage(chain, 100, 300);
  chain.verifyStaged();
  expect(chain.hashAt(257n)).toBe(hashOf(257));
  expect(chain.weiAt(300n)).toBe(BigInt((299 * 300) / 2));
});

test('ranges cover every block once, narrow when refused, and widen again', async () => {
  const asked: [bigint, bigint][] = [];
  const read = async (from: bigint, to: bigint) => {
    if (to - from + 1n > 4n && from < 10n) throw new Error('block range is too wide');
    asked.push([from, to]);
    return [];
  };
  for await (const _ of readLogRanges({ fromBlock: 0n, toBlock: 40n, maxBlocks: 16n }, read)) void _;
  expect(asked[0]![0]).toBe(0n);
  expect(asked.at(-1)![1]).toBe(40n);
  for (let at = 1; at < asked.length; at++) expect(asked[at]![0]).toBe(asked[at - 1]![1] + 1n);
  expect(Math.max(...asked.map(([from, to]) => Number(to - from + 1n)))).toBe(16);
});

test('being asked to slow down is not a matter of width', async () => {
  const ranges = readLogRanges({ fromBlock: 0n, toBlock: 9n, maxBlocks: 10n }, async () => {
    throw Object.assign(new Error('HTTP request failed: Too Many Requests, range'), { status: 429 });
  });
  await expect(ranges.next()).rejects.toThrow(/Too Many/);
});
