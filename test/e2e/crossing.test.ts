/** The main job from the outside: one command, ETH crosses both ways, a second run resumes the same chain. */
import { rmSync } from 'node:fs';
import { devnetLayout } from '#cli/devnet/layout.ts';
import { devnetPorts, isPortFree, namedPorts } from '#cli/devnet/ports.ts';
import { causeway, createDataFolder, freePortBase } from '#test/e2e/support/devnet.ts';

const HASH = /^0x[0-9a-f]{64}$/;
const DECIMAL = /^\d+$/;

describe('devnet up --exit --json', () => {
  const data = createDataFolder();
  let portBase: number;
  const up = () =>
    causeway(['devnet', 'up', '--exit', '--json', '--data', data, '--port-base', String(portBase)]);
  const lastLine = (stdout: string) => JSON.parse(stdout.trim().split('\n').at(-1)!);
  let first: ReturnType<typeof lastLine>;

  beforeAll(async () => {
    portBase = await freePortBase();
  });
  afterAll(() => rmSync(data, { recursive: true, force: true }));

  test('ends with 0 and reports the crossing as its last line', async () => {
    const { code, stdout, stderr } = await up();
    expect({ code, stderr: code === 0 ? '' : stderr }).toEqual({ code: 0, stderr: '' });
    first = lastLine(stdout);
    expect(first).toEqual({
      deposit: {
        l1Tx: expect.stringMatching(HASH),
        sidechainTx: expect.stringMatching(HASH),
        seconds: expect.any(Number),
      },
      transfer: { tx: expect.stringMatching(HASH), seconds: expect.any(Number) },
      withdrawal: {
        burnTx: expect.stringMatching(HASH),
        claimTx: expect.stringMatching(HASH),
        seconds: expect.any(Number),
      },
      solvency: {
        lockedWei: expect.stringMatching(DECIMAL),
        circulatingWei: expect.stringMatching(DECIMAL),
        inFlightWei: expect.stringMatching(DECIMAL),
      },
      validators: 4,
      relayers: 3,
    });
    const { lockedWei, circulatingWei, inFlightWei } = first.solvency;
    expect(BigInt(lockedWei)).toBe(BigInt(circulatingWei) + BigInt(inFlightWei));
    // 1,004 ETH backed (users and governors), 1 in, 0.5 out.
    expect(lockedWei).toBe((1_004_500n * 10n ** 15n).toString());
  }, 200_000);

  test('stops every child and keeps the data', async () => {
    const busy = [];
    for (const [name, port] of namedPorts(devnetPorts(portBase)))
      if (!(await isPortFree(port))) busy.push(name);
    expect(busy).toEqual([]);
    const status = await causeway(['devnet', 'status', '--json', '--data', data]);
    expect(JSON.parse(status.stdout)).toMatchObject({ up: false });
  });

  test('a second run resumes the same chain with a crossing of its own', async () => {
    const { code, stdout, stderr } = await up();
    expect({ code, stderr: code === 0 ? '' : stderr }).toEqual({ code: 0, stderr: '' });
    const second = lastLine(stdout);
    expect(second.deposit.l1Tx).not.toBe(first.deposit.l1Tx);
    // What was locked before is still there: the L1 and the sidechain are the ones of the first run.
    expect(second.solvency.lockedWei).toBe((1_005_000n * 10n ** 15n).toString());
  }, 200_000);

  test('a busy port is named with the process that holds it', async () => {
    const { createServer } = await import('node:net');
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(portBase, '127.0.0.1', resolve));
    try {
      const { code, stdout, stderr } = await up();
      expect(code).toBe(3);
      expect(stdout + stderr).toContain('PORT_BUSY');
      expect(stdout + stderr).toContain(String(process.pid));
    } finally {
      await new Promise((resolve) => server.close(resolve));
    }
  });

  test('data of another release is refused with the remedy', async () => {
    const { readFileSync, writeFileSync } = await import('node:fs');
    const { marker } = devnetLayout(data);
    const kept = readFileSync(marker, 'utf8');
    writeFileSync(marker, kept.replace('causeway-devnet-1', 'causeway-devnet-0'));
    try {
      const { code, stdout, stderr } = await up();
      expect(code).toBe(3);
      expect(stdout + stderr).toContain('devnet down --purge');
    } finally {
      writeFileSync(marker, kept);
    }
  });
});
