import { Cluster } from '#test/sim/cluster/cluster.ts';
import { VALIDATORS } from '#test/unit/node/rpc/fakes/genesis.ts';
import { startServer, type TestServer } from '#test/unit/node/rpc/fakes/server.ts';
import { serveStatus } from '#test/unit/node/statusServer.ts';

let server: TestServer;
beforeAll(async () => {
  server = await startServer();
  server.append();
});
afterAll(() => server.stop());

test('a checkpoint comes with its valueId and the certificate that makes it final', async () => {
  const block = (await server.chain.blockAt(1n))!;
  const shown = await server.result('causeway_getCheckpoint', ['0x1']);
  expect(shown).toEqual({
    checkpoint: expect.objectContaining({
      height: '0x1',
      blockHash: block.hash,
      outboxCount: '0x0',
      nextValidatorsHash: VALIDATORS.hash,
    }),
    valueId: block.valueId,
    certificate: {
      height: '0x1',
      round: '0x0',
      valueId: block.valueId,
      signatures: block.certificate!.signatures,
    },
  });
  expect(await server.result('causeway_getCheckpoint', [])).toEqual(shown);
  expect(await server.result('causeway_getCheckpoint', [block.hash])).toEqual(shown);
  expect((await server.result('causeway_getCheckpoint', ['0x0'])).certificate).toBeNull();
  expect(await server.result('causeway_getCheckpoint', ['0x2'])).toBeNull();
});

test('validator sets are shown by height, pending being the set of the next one', async () => {
  const shown = await server.result('causeway_validators', ['0x1']);
  expect(shown).toMatchObject({ height: '0x1', hash: VALIDATORS.hash, totalPower: '0x4' });
  expect(shown.validators).toHaveLength(4);
  expect((await server.result('causeway_validators', ['pending'])).height).toBe('0x2');
  expect(await server.result('causeway_validators', ['0x2'])).toBeNull();
});

test('status and genesis are shown with quantities', async () => {
  expect(await server.result('causeway_status')).toEqual({ name: 'validator-1', height: '0x1' });
  expect(await server.result('causeway_genesis')).toMatchObject({
    chainId: '0xa5b8',
    l1ChainId: '0x7a69',
    feePolicy: { mode: 'fixed', baseFeeWei: '0x3b9aca00' },
    relayerThreshold: '0x2',
  });
});

describe('causeway_status', () => {
  const isQuantity = expect.stringMatching(/^0x(0|[1-9a-f][0-9a-f]*)$/);

  test('shows every validator, the margin and the reason in a stable shape; heights and powers are quantities', async () => {
    const cluster = new Cluster({ seed: 51 });
    await cluster.startAll();
    await cluster.until(3n, 30_000);
    const own = await serveStatus(cluster, cluster.members[0]!);
    const status = await own.result('causeway_status');
    const validator = {
      address: expect.stringMatching(/^0x[0-9a-f]{40}$/),
      name: expect.stringMatching(/^validator-\d$/),
      power: '0x1',
      self: expect.any(Boolean),
      connected: true,
      absence: null,
      height: isQuantity,
      round: expect.any(Number),
      step: expect.any(String),
      lastVote: {
        height: isQuantity,
        round: expect.any(Number),
        type: expect.stringMatching(/^pre(vote|commit)$/),
        valueId: expect.stringMatching(/^0x[0-9a-f]{64}$/),
        agoMs: expect.any(Number),
      },
      heardAgoMs: expect.any(Number),
      roundTripMs: null,
    };
    expect(status).toEqual({
      name: 'validator-1',
      peerId: 'v1',
      role: 'validator',
      progress: {
        state: 'committing',
        code: expect.stringMatching(/^[A-Z_0-9]+$/),
        sentence: expect.any(String),
        remedy: status.progress.remedy,
        sinceMs: expect.any(Number),
      },
      height: '0x3',
      blockHash: expect.stringMatching(/^0x[0-9a-f]{64}$/),
      genesisHash: expect.stringMatching(/^0x[0-9a-f]{64}$/),
      lastBlockAgoMs: null,
      round: expect.any(Number),
      step: expect.any(String),
      proposer: status.proposer,
      validators: [validator, validator, validator, validator],
      margin: {
        totalPower: '0x4',
        quorumPower: '0x3',
        alivePower: '0x4',
        failuresTolerated: 1,
        failuresUntilHalt: 2,
        halted: false,
      },
      votes: status.votes,
      signing: { state: 'signing', reason: null },
      peers: expect.any(Array),
      l1: { state: 'ready' },
      anchoredHeight: '0x0',
      sync: expect.any(Object),
      pendingTransactions: 0,
      waitingFor: null,
      observing: null,
      haltedReason: null,
      rpcPort: null,
    });
    await own.stop();
    await cluster.stopAll();
  });

  test('names the missing votes of a round that cannot end, with their power', async () => {
    const cluster = new Cluster({ seed: 52 });
    await cluster.startAll();
    await cluster.until(2n, 30_000);
    const own = await serveStatus(cluster, cluster.members[0]!);
    cluster.crash(cluster.members[2]!);
    cluster.crash(cluster.members[3]!);
    await cluster.clock.advance(20_000);
    const { votes, progress, margin } = await own.result('causeway_status');
    const missing = cluster.members.slice(2).map(({ key }, index) => ({
      address: key.address,
      name: `validator-${index + 3}`,
      power: '0x1',
      why: expect.stringMatching(/^not connected, last heard \d+ s ago$/),
    }));
    expect(votes.prevotes).toEqual({ power: '0x2', missing });
    expect(votes.precommits).toEqual({ power: '0x0', missing: expect.any(Array) });
    expect(votes.precommits.missing).toHaveLength(4);
    expect(progress).toMatchObject({ state: 'stalled', code: 'QUORUM_LOST' });
    expect(progress.sentence).toMatch(/missing validator-3 \(.*\) and validator-4 \(/);
    expect(margin).toMatchObject({ alivePower: '0x2', halted: true, failuresUntilHalt: 0 });
    await own.stop();
    await cluster.stopAll();
  });
});

test('the node says what it is and what it offers', async () => {
  expect(await server.result('web3_clientVersion')).toMatch(/^causeway\/v\d+\.\d+\.\d+\/\w+-\w+\/node24/);
  expect(await server.result('web3_sha3', ['0x'])).toBe(
    '0xc5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470',
  );
  expect(await server.result('rpc_modules')).toEqual({
    causeway: '1.0',
    debug: '1.0',
    erigon: '1.0',
    eth: '1.0',
    net: '1.0',
    ots: '1.0',
    rpc: '1.0',
    trace: '1.0',
    txpool: '1.0',
    web3: '1.0',
  });
  expect(await server.result('net_version')).toBe('42424');
  expect(await server.result('net_listening')).toBe(true);
  expect(await server.result('net_peerCount')).toBe('0x3');
  expect(await server.result('eth_accounts')).toEqual([]);
});

test('syncing is false, or how far the node is', async () => {
  expect(await server.result('eth_syncing')).toBe(false);
  const own = await startServer({
    syncing: () => ({ startingHeight: 0n, currentHeight: 5n, highestHeight: 16n }),
  });
  expect(await own.result('eth_syncing')).toEqual({
    startingBlock: '0x0',
    currentBlock: '0x5',
    highestBlock: '0x10',
  });
  await own.stop();
});
