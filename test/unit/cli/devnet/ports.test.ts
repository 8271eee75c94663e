import { createServer, type Server } from 'node:net';
import {
  devnetPorts,
  findPortHolder,
  isPortFree,
  listeningInodes,
  namedPorts,
  PORT_COUNT,
  requireFreePorts,
} from '#cli/devnet/ports.ts';

const listen = (): Promise<{ server: Server; port: number }> =>
  new Promise((resolve) => {
    const server = createServer();
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address() as { port: number };
      resolve({ server, port });
    });
  });

test('a busy port is named with its purpose, its holder and the remedy', async () => {
  const { server, port } = await listen();
  try {
    expect(await isPortFree(port)).toBe(false);
    const error = await requireFreePorts({ ...devnetPorts(null), l1: port }).catch(
      (thrown: unknown) => thrown,
    );
    expect(error).toMatchObject({ code: 'PORT_BUSY', exitCode: 3 });
    const { message, hint } = error as { message: string; hint: string };
    expect(message).toContain(`port ${port} free for the L1`);
    expect(hint).toContain('--port-base');
    if (process.platform === 'linux') {
      expect(message).toContain(`process ${process.pid}`);
      expect(hint).toContain(`kill ${process.pid}`);
      expect(await findPortHolder(port)).toMatchObject({ pid: process.pid });
    }
  } finally {
    await new Promise((resolve) => server.close(resolve));
  }
});

test('listening sockets are told from connections and from other ports', () => {
  const table = [
    '  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode',
    '   0: 0100007F:2549 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 111 1',
    '   1: 0100007F:2549 0100007F:9999 01 00000000:00000000 00:00000000 00000000     0        0 222 1',
    '   2: 0100007F:2548 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 333 1',
    '',
  ].join('\n');
  expect(listeningInodes(table, 9545)).toEqual(['111']);
  expect(listeningInodes('', 9545)).toEqual([]);
});

test('the well-known ports are those of the documentation, and a base moves all of them to one range', () => {
  expect(devnetPorts(null)).toEqual({
    l1: 9545,
    validatorRpc: [8545, 8546, 8547, 8548],
    validatorP2p: [26656, 26657, 26658, 26659],
    relayerExchange: [8601, 8602, 8603],
    relayerP2p: [26660, 26661, 26662],
  });
  const moved = namedPorts(devnetPorts(20_000)).map(([, port]) => port);
  expect(moved).toEqual(Array.from({ length: PORT_COUNT }, (_, index) => 20_000 + index));
});
