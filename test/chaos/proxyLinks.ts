/** One TCP proxy for each ordered pair of validators; a cut one stops reading and writing and closes nothing. */
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import type { LinkOptions, Links } from '#test/chaos/links.ts';

const HOST = '127.0.0.1';

class Wire {
  #cut = false;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  /** Accepted while cut: they reach nobody before the heal. */
  #waiting: Socket[] = [];
  readonly #targetPort: number;

  constructor(targetPort: number) {
    this.#targetPort = targetPort;
    this.#server = createServer({ pauseOnConnect: true }, (socket) => {
      this.#keep(socket);
      if (this.#cut) this.#waiting.push(socket);
      else this.#join(socket);
    });
  }

  async listen(): Promise<number> {
    await new Promise<void>((resolve) => this.#server.listen(0, HOST, resolve));
    return (this.#server.address() as AddressInfo).port;
  }

  set cut(cut: boolean) {
    if (this.#cut === cut) return;
    this.#cut = cut;
    for (const socket of this.#sockets) {
      if (cut) socket.pause();
      else socket.resume();
    }
    if (cut) return;
    for (const socket of this.#waiting) if (!socket.destroyed) this.#join(socket);
    this.#waiting = [];
  }

  async close(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await new Promise<void>((resolve) => this.#server.close(() => resolve()));
  }

  #keep(socket: Socket): void {
    this.#sockets.add(socket);
    socket.once('close', () => this.#sockets.delete(socket));
    socket.on('error', () => socket.destroy());
  }

  #join(near: Socket): void {
    const far = connect({ host: HOST, port: this.#targetPort });
    this.#keep(far);
    far.once('close', () => near.destroy());
    near.once('close', () => far.destroy());
    near.pipe(far);
    far.pipe(near);
    if (this.#cut) for (const socket of [near, far]) socket.pause();
  }
}

export const createProxyLinks = async ({ validators, p2pPorts, l1Port }: LinkOptions): Promise<Links> => {
  const wires = new Map<string, { readonly wire: Wire; readonly port: number }>();
  for (let from = 0; from < validators; from++)
    for (let to = 0; to < validators; to++) {
      if (from === to) continue;
      const wire = new Wire(p2pPorts[to]!);
      wires.set(`${from} ${to}`, { wire, port: await wire.listen() });
    }
  const groupOf = (groups: readonly (readonly number[])[], validator: number): number =>
    groups.findIndex((group) => group.includes(validator));
  return {
    kind: 'proxies',
    wrap: (_, command) => command,
    listen: (validator) => `/ip4/${HOST}/tcp/${p2pPorts[validator]}`,
    dial: (from, to) => `/ip4/${HOST}/tcp/${wires.get(`${from} ${to}`)!.port}`,
    rpcHost: () => HOST,
    l1Url: () => `http://${HOST}:${l1Port}`,
    partition: async (groups) => {
      for (const [pair, { wire }] of wires) {
        const [from, to] = pair.split(' ').map(Number) as [number, number];
        wire.cut = groupOf(groups, from) !== groupOf(groups, to);
      }
    },
    heal: async () => {
      for (const { wire } of wires.values()) wire.cut = false;
    },
    close: async () => {
      await Promise.all([...wires.values()].map(({ wire }) => wire.close()));
    },
  };
};
