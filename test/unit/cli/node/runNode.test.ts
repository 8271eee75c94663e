import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { devnetAccounts } from '#cli/devnet/accounts.ts';
import { devnetLayout, nodeFiles } from '#cli/devnet/layout.ts';
import { prepareGenesis, writeNodes } from '#cli/devnet/network.ts';
import { devnetPorts } from '#cli/devnet/ports.ts';
import { createIo } from '#cli/io.ts';
import { nodeToOwnChain } from '#cli/node/ownChain.ts';
import { runNode } from '#cli/node/runNode.ts';
import { ZERO_HASH } from '#consensus/primitives.ts';
import type { Node } from '#node/node.ts';

let root: string;
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'causeway-run-'));
});
afterEach(() => rm(root, { recursive: true, force: true }));

const silent = { write: () => true };
const io = (signal = new AbortController().signal) =>
  createIo({ stdout: silent, stderr: silent, env: {} }, false, signal);
const sources = { passphraseFile: undefined, passphraseFd: undefined };

const prepare = async () => {
  const layout = devnetLayout(root);
  const accounts = devnetAccounts();
  await prepareGenesis(layout, accounts);
  await writeNodes(layout, accounts, devnetPorts(null), 'http://127.0.0.1:1');
  return layout;
};

test('a relayer is not run as a plain node, nor a node as a relayer', async () => {
  const layout = await prepare();
  for (const [name, role, right] of [
    ['relayer-1', 'node', 'causeway relayer run'],
    ['validator-1', 'relayer', 'causeway node run'],
  ] as const)
    await expect(
      runNode({ configPath: nodeFiles(layout, name).config, role, sources }, io()),
    ).rejects.toMatchObject({ code: 'WRONG_ROLE', exitCode: 3, hint: expect.stringContaining(right) });
});

test('a wrong pass phrase ends the start before anything is opened', async () => {
  const layout = await prepare();
  const wrong = join(root, 'wrong');
  await writeFile(wrong, 'nope');
  await expect(
    runNode(
      {
        configPath: nodeFiles(layout, 'validator-1').config,
        role: 'node',
        sources: { ...sources, passphraseFile: wrong },
      },
      io(),
    ),
  ).rejects.toMatchObject({ code: 'WRONG_PASSPHRASE' });
});

test('a run that was stopped before it began opens nothing', async () => {
  const layout = await prepare();
  const stopped = AbortSignal.abort();
  await runNode({ configPath: nodeFiles(layout, 'validator-1').config, role: 'node', sources }, io(stopped));
});

test('the relayer sees of its node only what that node committed', async () => {
  const receipts = [{ status: 1 }, { status: 0 }];
  const node = {
    chain: {
      head: () => ({ block: { height: 5n } }),
      transactionLocation: async (hash: string) => (hash === ZERO_HASH ? { height: 3n, index: 1 } : null),
      receiptsAt: async (height: bigint) => (height === 3n ? receipts : null),
    },
    mempool: {
      add: async () => ({ admitted: false, hash: null, code: 'UNDERPRICED', message: 'too low' }),
    },
  } as unknown as Node;
  const chain = nodeToOwnChain(node);
  expect(chain.head().height).toBe(5n);
  expect(await chain.receipt(ZERO_HASH)).toEqual({ height: 3n, status: 0 });
  expect(await chain.receipt(`0x${'11'.repeat(32)}` as typeof ZERO_HASH)).toBeNull();
  expect(await chain.submit(new Uint8Array())).toEqual({
    admitted: false,
    code: 'UNDERPRICED',
    message: 'too low',
  });
});
