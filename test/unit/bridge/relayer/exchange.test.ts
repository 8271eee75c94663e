import { createServer, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import {
  type AttestationPool,
  anchorDigest,
  createAttestationPool,
  depositDigest,
} from '#bridge/relayer/attestations.ts';
import {
  createExchangeClient,
  createExchangeServer,
  type ExchangeServer,
  MAX_LISTED,
} from '#bridge/relayer/exchange.ts';
import type { Hash } from '#consensus/primitives.ts';
import { namedKey } from '#test/contracts/fixtures/keys.ts';
import { createPeg } from '#test/contracts/fixtures/peg.ts';
import { createManualClock } from '#test/unit/bridge/fixtures/clock.ts';
import { createRecordingLogger } from '#test/unit/bridge/fixtures/logger.ts';
import { domainsOf } from '#test/unit/bridge/fixtures/relayerParts.ts';

const peg = createPeg();
const domains = domainsOf(peg);
const [a, b] = peg.relayers as [(typeof peg.relayers)[number], (typeof peg.relayers)[number]];
const HASH = `0x${'5a'.repeat(32)}` as Hash;
const VALUE = `0x${'6b'.repeat(32)}` as Hash;

const createPools = () => ({
  deposits: createAttestationPool(peg.inputs.relayers, depositDigest(domains)),
  anchors: createAttestationPool(peg.inputs.relayers, anchorDigest(domains)),
});
const signDeposit = (key: typeof a, n: bigint, hash = HASH) => key.sign(depositDigest(domains)(n, hash, 1n));
const signAnchor = (key: typeof a, height: bigint, value = VALUE) =>
  key.sign(anchorDigest(domains)(height, value, 1n));

let stops: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  await Promise.all(stops.map((stop) => stop()));
  stops = [];
});

const serve = async (pools: ReturnType<typeof createPools>): Promise<string> => {
  const server: ExchangeServer = createExchangeServer(pools, () => ({ state: 'running' }));
  stops.push(() => server.close());
  return `http://127.0.0.1:${await server.listen('127.0.0.1', 0)}`;
};
/** A peer that answers as told. */
const fakePeer = async (answer: (response: ServerResponse) => void): Promise<string> => {
  const server: Server = createServer((_, response) => answer(response));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  stops.push(async () => {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
};
const pullFrom = async (
  url: string,
  pools: ReturnType<typeof createPools>,
  depositHashAt: (n: bigint) => Hash | null = () => HASH,
  timeoutMs = 2_000,
) => {
  const logger = createRecordingLogger();
  const client = createExchangeClient(
    [{ address: b.address, url }],
    { pools, depositHashAt, clock: createManualClock(), logger },
    timeoutMs,
  );
  await client.pull();
  return { logger, client };
};
const signersOf = (pool: AttestationPool, key: bigint) => [...(pool.get(key)?.signatures.keys() ?? [])];

test('a peer’s attestations arrive, its own and those it collected', async () => {
  const theirs = createPools();
  theirs.deposits.open(3n, HASH, 1n);
  theirs.deposits.add(3n, signDeposit(a, 3n));
  theirs.deposits.add(3n, signDeposit(b, 3n));
  theirs.anchors.open(40n, VALUE, 1n);
  theirs.anchors.add(40n, signAnchor(b, 40n));
  const ours = createPools();
  ours.anchors.open(40n, VALUE, 1n);
  const { client } = await pullFrom(await serve(theirs), ours);
  expect(signersOf(ours.deposits, 3n)).toEqual([a.address, b.address]);
  expect(signersOf(ours.anchors, 40n)).toEqual([b.address]);
  expect(ours.deposits.isQuorate(ours.deposits.get(3n)!)).toBe(true);
  expect(client.lastAnswerMs().get(b.address)).not.toBeNull();
});

test('a deposit hash that is not on the own L1, and a checkpoint not executed here, do not enter', async () => {
  const theirs = createPools();
  theirs.deposits.open(3n, HASH, 1n);
  theirs.deposits.add(3n, signDeposit(b, 3n));
  theirs.anchors.open(40n, VALUE, 1n);
  theirs.anchors.add(40n, signAnchor(b, 40n));
  const ours = createPools();
  await pullFrom(await serve(theirs), ours, () => null);
  expect(ours.deposits.all()).toEqual([]);
  expect(ours.anchors.all()).toEqual([]);
});

test('another checkpoint for a height that was executed here is warned of and not counted', async () => {
  const theirs = createPools();
  theirs.anchors.open(40n, VALUE, 1n);
  theirs.anchors.add(40n, signAnchor(b, 40n));
  const ours = createPools();
  ours.anchors.open(40n, HASH, 1n);
  const { logger } = await pullFrom(await serve(theirs), ours);
  expect(signersOf(ours.anchors, 40n)).toEqual([]);
  expect(logger.lines.map(({ message }) => message).join()).toMatch(/another checkpoint/);
});

test('signatures of strangers, of other values and malformed ones count for nothing', async () => {
  const stranger = namedKey('stranger');
  const url = await fakePeer((response) =>
    response.end(
      JSON.stringify({
        deposits: [
          {
            key: '3',
            value: HASH,
            relayerEpoch: '1',
            signatures: [
              signDeposit(stranger, 3n),
              signDeposit(b, 4n),
              `0x${'00'.repeat(65)}`,
              signDeposit(a, 3n),
            ],
          },
        ],
        anchors: [],
      }),
    ),
  );
  const ours = createPools();
  await pullFrom(url, ours);
  expect(signersOf(ours.deposits, 3n)).toEqual([a.address]);
});

test.each<[string, (response: ServerResponse) => void]>([
  ['nonsense', (response) => response.end('{]')],
  ['another shape', (response) => response.end('{"deposits":[{"key":-1}],"anchors":[]}')],
  [
    'too many entries',
    (response) =>
      response.end(
        JSON.stringify({
          deposits: Array.from({ length: MAX_LISTED + 1 }, (_, n) => ({
            key: String(n),
            value: HASH,
            relayerEpoch: '1',
            signatures: [],
          })),
          anchors: [],
        }),
      ),
  ],
  ['an endless body', (response) => response.end('x'.repeat(2_000_000))],
  ['an error', (response) => response.writeHead(500).end('no')],
  ['a redirect', (response) => response.writeHead(302, { location: 'http://127.0.0.1:1/' }).end()],
  ['nothing', () => undefined],
  ['half an answer', (response) => void response.write('{"deposits":[')],
])('a peer that answers with %s is noted as silent and harms nothing', async (_name, answer) => {
  const ours = createPools();
  const { logger, client } = await pullFrom(await fakePeer(answer), ours, () => HASH, 200);
  expect(ours.deposits.all()).toEqual([]);
  expect(client.lastAnswerMs().get(b.address)).toBeNull();
  expect(logger.lines.map(({ message }) => message)).toEqual(['relayer does not answer']);
});

test('a flood of deposit counts is bounded', async () => {
  const ours = createPools();
  const url = await fakePeer((response) =>
    response.end(
      JSON.stringify({
        deposits: Array.from({ length: MAX_LISTED }, (_, n) => ({
          key: String(n),
          value: HASH,
          relayerEpoch: '1',
          signatures: [signDeposit(b, BigInt(n))],
        })),
        anchors: [],
      }),
    ),
  );
  await pullFrom(url, ours);
  expect(ours.deposits.all()).toHaveLength(64);
});

test('a peer that floods counts nobody signed opens nothing', async () => {
  const ours = createPools();
  const url = await fakePeer((response) =>
    response.end(
      JSON.stringify({
        deposits: [{ key: '1', value: HASH, relayerEpoch: '1', signatures: [] }],
        anchors: [],
      }),
    ),
  );
  await pullFrom(url, ours);
  expect(ours.deposits.get(1n)).toBeNull();
});

test('serves single keys and its status, and refuses what is not a key', async () => {
  const pools = createPools();
  pools.anchors.open(40n, VALUE, 1n);
  pools.anchors.add(40n, signAnchor(a, 40n));
  const url = await serve(pools);
  const get = async (path: string) => {
    const response = await fetch(url + path);
    return { status: response.status, body: (await response.json()) as object };
  };
  expect(await get('/v1/attestations/anchors/40')).toMatchObject({
    status: 200,
    body: { key: '40', value: VALUE, signatures: [signAnchor(a, 40n)] },
  });
  expect((await get('/v1/attestations/anchors/41')).status).toBe(404);
  expect((await get('/v1/attestations/deposits/0x1')).status).toBe(400);
  expect((await get('/v1/status')).body).toEqual({ state: 'running' });
  expect((await fetch(`${url}/v1/attestations`, { method: 'POST', body: '{}' })).status).toBe(404);
});
