import { createServer, type Server } from 'node:http';
import type { L1Store } from '#cli/devnet/l1Store.ts';
import { createMiner } from '#cli/devnet/miner.ts';

/** As much of anvil as the miner asks for. */
const startFakeL1 = async (onMine: (next: bigint) => void, pending: () => number) => {
  let block = 0n;
  const answers: Record<string, () => unknown> = {
    eth_blockNumber: () => `0x${block.toString(16)}`,
    anvil_dumpState: () => `0x${Buffer.from(String(block)).toString('hex')}`,
    txpool_status: () => ({ pending: `0x${pending().toString(16)}` }),
    evm_mine: () => {
      onMine(block + 1n);
      block += 1n;
      return '0x0';
    },
  };
  const server: Server = createServer((request, response) => {
    let body = '';
    request.on('data', (chunk) => {
      body += chunk;
    });
    request.on('end', () => {
      const { method } = JSON.parse(body) as { method: string };
      response.end(JSON.stringify({ jsonrpc: '2.0', id: 1, result: answers[method]!() }));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as { port: number };
  const close = () =>
    new Promise<void>((resolve) => {
      server.close(() => resolve());
      server.closeAllConnections();
    });
  return { url: `http://127.0.0.1:${port}`, close };
};

const storeThat = (save: L1Store['save']): L1Store => ({ save, load: async () => null });

test('no block is mined before its parent’s snapshot is durable', async () => {
  let durable = -1n;
  const mined: [next: bigint, durable: bigint][] = [];
  const l1 = await startFakeL1(
    (next) => mined.push([next, durable]),
    () => 1,
  );
  const stop = new AbortController();
  const miner = createMiner(
    l1.url,
    storeThat(async (blockNumber) => {
      await new Promise((resolve) => setTimeout(resolve, 50));
      durable = blockNumber;
      if (blockNumber === 3n) stop.abort();
    }),
  );
  await miner.run(stop.signal);
  await l1.close();
  expect(mined).toEqual([
    [1n, 0n],
    [2n, 1n],
    [3n, 2n],
  ]);
});

test('a snapshot that cannot be written ends mining: nothing more becomes final', async () => {
  let mined = 0;
  const l1 = await startFakeL1(
    () => {
      mined += 1;
    },
    () => 1,
  );
  const miner = createMiner(
    l1.url,
    storeThat(async (blockNumber) => {
      if (blockNumber === 1n) throw new Error('no space left on device');
    }),
  );
  await expect(miner.run(new AbortController().signal)).rejects.toThrow('no space left');
  await l1.close();
  expect(mined).toBe(1);
});
