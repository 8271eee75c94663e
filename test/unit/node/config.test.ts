import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ConfigError, loadConfig, parseConfig, withStorageMode } from '#node/config.ts';

const PEER_ID = '12D3KooWD3eckifWpRn9wQpMG9R9hX3sD158z7EqHWmweQAJU5SA';
const PATH = '/srv/causeway/validator-1/node.toml';
const FULL = `
name = "validator-1"
genesis = "../genesis.json"
data_dir = "data"
[keys]
node = "keys/node.json"
consensus = "keys/consensus.json"
passphrase_file = "keys/passphrase"
[p2p]
listen = "/ip4/127.0.0.1/tcp/26656"
[[p2p.peers]]
peer_id = "${PEER_ID}"
address = "/ip4/127.0.0.1/tcp/26657"
[rpc]
host = "127.0.0.1"
port = 8545
[l1]
urls = ["http://127.0.0.1:9545"]
poll_ms = 500
[consensus]
block_interval_ms = 500
empty_block_interval_ms = 2000
import_lag_ms = 1000
propose_timeout_ms = 1000
vote_timeout_ms = 500
timeout_cap_ms = 10000
[log]
level = "info"
`;

const refusal = (source: string): string => {
  try {
    parseConfig(source, PATH);
  } catch (error) {
    if (error instanceof ConfigError) return `${error.code} ${error.message}`;
    throw error;
  }
  return 'accepted';
};
const replaced = (from: string, to: string): string => {
  expect(FULL).toContain(from);
  return FULL.replace(from, to);
};

test('a missing file is named, with the remedy', async () => {
  await expect(loadConfig('/nowhere/node.toml')).rejects.toMatchObject({ code: 'UNREADABLE' });
  await expect(loadConfig('/nowhere/node.toml')).rejects.toThrow(
    /\/nowhere\/node\.toml: expected a readable.*check the path/,
  );
});

test('text that is not TOML is refused with its line', () => {
  expect(refusal('name = "a"\ngenesis = ')).toMatch(/BAD_TOML .*line 2/);
});

test('an unknown key is an error that names it', () => {
  expect(refusal(replaced('poll_ms', 'pol_ms'))).toMatch(
    /BAD_CONFIG .*l1: unknown key pol_ms; check the spelling/,
  );
  expect(refusal(`surprise = 1\n${FULL}`)).toMatch(/unknown key surprise/);
});

test('every message names the value, what was expected and what was found', () => {
  expect(refusal(replaced('port = 8545', 'port = 99999'))).toMatch(
    /rpc\.port: expected a port from 0.*found 99999/,
  );
  expect(refusal(replaced('"http://127.0.0.1:9545"', '"ftp://x"'))).toMatch(
    /l1\.urls\.0: expected an http.*found "ftp:\/\/x"/,
  );
  expect(refusal(replaced('listen = "/ip4/127.0.0.1/tcp/26656"', 'listen = "127.0.0.1:1"'))).toMatch(
    /p2p\.listen: expected a TCP multiaddress/,
  );
  expect(refusal(replaced(PEER_ID, 'me'))).toMatch(/p2p\.peers\.0\.peer_id: expected a PeerId/);
  expect(refusal(replaced('level = "info"', 'level = "loud"'))).toMatch(
    /log\.level: expected one of trace.*found "loud"/,
  );
  expect(refusal(replaced('data_dir = "data"', ''))).toMatch(/data_dir: expected text.*found nothing/);
  expect(refusal(replaced('[l1]\nurls = ["http://127.0.0.1:9545"]\npoll_ms = 500\n', ''))).toMatch(
    /l1: .*found nothing/,
  );
});

test('intervals and timeouts that contradict each other are refused', () => {
  expect(refusal(replaced('empty_block_interval_ms = 2000', 'empty_block_interval_ms = 100'))).toMatch(
    /consensus\.empty_block_interval_ms: expected at least block_interval_ms/,
  );
  expect(refusal(replaced('timeout_cap_ms = 10000', 'timeout_cap_ms = 500'))).toMatch(
    /expected at least propose_timeout_ms/,
  );
});

test('a relayer section without a relayer key is refused', () => {
  expect(refusal(`${FULL}\n[relayer]\nexchange_listen = "127.0.0.1:8601"\n`)).toMatch(
    /keys\.relayer: expected the keystore/,
  );
});

test('paths are relative to the file', () => {
  const config = parseConfig(FULL, PATH);
  expect(config).toMatchObject({
    path: PATH,
    genesisPath: '/srv/causeway/genesis.json',
    dataDir: '/srv/causeway/validator-1/data',
    keys: { node: '/srv/causeway/validator-1/keys/node.json', relayer: null },
    rpc: { host: '127.0.0.1', port: 8545 },
    consensus: {
      emptyBlockIntervalMs: 2_000,
      timeouts: { proposeMs: 1_000, proposeStepMs: 500, voteMs: 500, voteStepMs: 250, capMs: 10_000 },
    },
    relayer: null,
  });
});

test('what may be left out has defaults', () => {
  const config = parseConfig(
    `name = "follower"\ngenesis = "/etc/g.json"\ndata_dir = "/var/d"\n[keys]\nnode = "n.json"\n[p2p]\nlisten = "/ip4/0.0.0.0/tcp/0"\n[l1]\nurls = ["https://l1.example"]\n`,
    PATH,
  );
  expect(config).toMatchObject({
    genesisPath: '/etc/g.json',
    rpc: null,
    keys: { consensus: null, passphraseFile: null },
    p2p: { peers: [] },
    consensus: { blockIntervalMs: 500, emptyBlockIntervalMs: 10_000, feeRecipient: null },
    log: { level: 'info' },
  });
});

test('a file on disk is read and resolved against its folder', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'causeway-config-'));
  try {
    await writeFile(join(folder, 'node.toml'), FULL);
    expect((await loadConfig(join(folder, 'node.toml'))).dataDir).toBe(join(folder, 'data'));
  } finally {
    await rm(folder, { recursive: true });
  }
});

test('a validator is pruned unless told otherwise, every other node an archive', () => {
  const window = { stateBlocks: 1_024n, historyBlocks: 100_000n };
  expect(parseConfig(FULL, PATH).storage).toEqual({ mode: 'pruned', window });
  const follower = replaced('consensus = "keys/consensus.json"', '');
  expect(parseConfig(follower, PATH).storage).toEqual({ mode: 'archive' });
  const storage = (text: string): string => `${FULL}[storage]\n${text}\n`;
  expect(parseConfig(storage('mode = "archive"'), PATH).storage).toEqual({ mode: 'archive' });
  const narrow = parseConfig(storage('state_blocks = 16\nhistory_blocks = 17'), PATH);
  expect(narrow.storage).toEqual({
    mode: 'pruned',
    window: { stateBlocks: 16n, historyBlocks: 17n },
  });
  expect(withStorageMode(narrow, 'archive').storage).toEqual({ mode: 'archive' });
  expect(withStorageMode(withStorageMode(narrow, 'archive'), 'pruned').storage).toEqual(narrow.storage);
});

test('a storage mode or window that cannot be is refused with what was expected', () => {
  const storage = (text: string): string => refusal(`${FULL}[storage]\n${text}\n`);
  expect(storage('mode = "light"')).toMatch(/storage\.mode: expected one of archive, pruned; found "light"/);
  expect(storage('state_blocks = 3')).toMatch(/storage\.state_blocks: expected at least 16 blocks; found 3/);
  expect(storage('history_blocks = 100')).toMatch(/storage\.history_blocks: expected at least state_blocks/);
});
