/** The library's own muxer sends, ours receives, over real TCP and noise; the window updates are counted. */
import { noise } from '@chainsafe/libp2p-noise';
import type { Stream } from '@libp2p/interface';
import { tcp } from '@libp2p/tcp';
import { yamux } from '@libp2p/yamux';
import { createLibp2p } from 'libp2p';
import { thriftyYamux } from '#node/network/thriftyYamux.ts';

const WINDOW_BYTES = 256 * 1024;
const PROTOCOL = '/test/1';

const createNode = (muxer: ReturnType<typeof thriftyYamux>, listen: readonly string[]) =>
  createLibp2p({
    addresses: { listen: [...listen] },
    transports: [tcp()],
    connectionEncrypters: [noise()],
    streamMuxers: [muxer],
    connectionMonitor: { enabled: false },
    connectionGater: { denyDialMultiaddr: () => false },
  });

/** A stream from the library's muxer to ours, what arrived, and the updates that came back. */
const open = async () => {
  const receiver = await createNode(thriftyYamux({ enableKeepAlive: false }), ['/ip4/127.0.0.1/tcp/0']);
  const sender = await createNode(yamux({ enableKeepAlive: false }), []);
  let received = 0;
  let wake = (): void => undefined;
  let remote: Stream | null = null;
  await receiver.handle(PROTOCOL, (stream) => {
    remote = stream;
    stream.addEventListener('message', ({ data }) => {
      received += data.byteLength;
      wake();
    });
  });
  const connection = await sender.dial(receiver.getMultiaddrs()[0]!);
  const stream = await connection.newStream(PROTOCOL);
  const updates: number[] = [];
  const counted = stream as unknown as { handleWindowUpdate(frame: { header: { length: number } }): void };
  const handle = counted.handleWindowUpdate.bind(counted);
  counted.handleWindowUpdate = (frame) => {
    if (frame.header.length > 0) updates.push(frame.header.length);
    handle(frame);
  };
  return {
    stream,
    updates,
    remote: () => remote!,
    until: async (bytes: number) => {
      while (received < bytes)
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
    },
    stop: () => Promise.all([sender.stop(), receiver.stop()]),
  };
};

const drained = (stream: Stream): Promise<void> =>
  new Promise((resolve) => stream.addEventListener('drain', () => resolve(), { once: true }));

test('small messages are read without a word in return until half of the window is used up', async () => {
  const { stream, updates, until, stop } = await open();
  try {
    for (let i = 0; i < 500; i++) stream.send(new Uint8Array(200));
    await until(500 * 200);
    expect(updates).toEqual([]);
    for (let i = 0; i < 500; i++) stream.send(new Uint8Array(200));
    await until(1_000 * 200);
    while (updates.length === 0) await new Promise((resolve) => setImmediate(resolve));
    await stop();
    expect(updates).toHaveLength(1);
    expect(updates[0]).toBeGreaterThanOrEqual(WINDOW_BYTES / 2);
  } finally {
    await stop();
  }
});

test('many windows of data pass, also after a pause with nothing left of one', async () => {
  const { stream, updates, remote, until, stop } = await open();
  try {
    stream.send(new Uint8Array(1_000));
    await until(1_000);
    remote().pause();
    const total = 20 * WINDOW_BYTES;
    let sent = 0;
    while (sent < total && stream.send(new Uint8Array(50_000))) sent += 50_000;
    const isFull = sent < total;
    remote().resume();
    if (isFull) {
      sent += 50_000;
      await drained(stream);
    }
    while (sent < total) {
      if (!stream.send(new Uint8Array(50_000))) await drained(stream);
      sent += 50_000;
    }
    await until(1_000 + sent);
    expect(isFull).toBe(true);
    expect(updates.length).toBeLessThanOrEqual(Math.ceil((2 * sent) / WINDOW_BYTES) + 2);
  } finally {
    await stop();
  }
});
