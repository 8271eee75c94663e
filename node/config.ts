/**
 * A node's configuration: TOML in, validated values with absolute paths out.
 *
 * Owns the format, the defaults and the messages. Unknown keys are errors, because a misspelt option that is ignored
 * is an option that is not set. What everyone must agree on is not here: that is the genesis file that it names.
 */
import { readFile } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { parse as parseToml, TomlError } from 'smol-toml';
import { z } from 'zod';
import { type Address, parseAddress } from '#consensus/primitives.ts';
import { DEFAULT_TIMEOUTS, type TimeoutOptions } from '#consensus/timeouts.ts';
import { type RpcConfig, rpcSchema } from '#node/rpc/rpcOptions.ts';
import { STORAGE_MODES, type StorageMode, type StorageOptions } from '#node/storage/mode.ts';
import { DEFAULT_WINDOW, type PruningWindow } from '#node/storage/pruner.ts';
import { LOG_LEVELS, type LogLevel } from '#node/telemetry/logger.ts';

export type ConfigErrorCode = 'UNREADABLE' | 'BAD_TOML' | 'BAD_CONFIG';

export class ConfigError extends Error {
  override readonly name = 'ConfigError';
  readonly code: ConfigErrorCode;
  readonly path: string;
  constructor(code: ConfigErrorCode, path: string, message: string) {
    super(`${path}: ${message}`);
    this.code = code;
    this.path = path;
  }
}

export type HostPort = { readonly host: string; readonly port: number };

/** All paths are absolute. */
export type NodeConfig = {
  /** The file that this was read from. */
  readonly path: string;
  readonly name: string;
  readonly genesisPath: string;
  readonly dataDir: string;
  readonly keys: {
    readonly node: string;
    /** Null: a node that follows by block sync. */
    readonly consensus: string | null;
    readonly relayer: string | null;
    readonly passphraseFile: string | null;
  };
  readonly p2p: {
    readonly listen: string;
    readonly peers: readonly { readonly peerId: string; readonly address: string }[];
  };
  /** Null: no JSON-RPC. */
  readonly rpc: RpcConfig | null;
  readonly l1: { readonly urls: readonly string[]; readonly pollMs: number };
  readonly consensus: {
    readonly blockIntervalMs: number;
    readonly emptyBlockIntervalMs: number;
    readonly importLagMs: number;
    readonly timeouts: TimeoutOptions;
    /** Who gets the tips of the blocks proposed here; null: the validator's own address. */
    readonly feeRecipient: Address | null;
  };
  readonly relayer: {
    readonly exchangeListen: HostPort;
    readonly peers: readonly { readonly address: Address; readonly url: string }[];
  } | null;
  /** A validator is `pruned` unless told otherwise, every other node an `archive`. */
  readonly storage: StorageOptions;
  /** Of `pruned` mode, whatever the mode is. */
  readonly pruningWindow: PruningWindow;
  readonly log: { readonly level: LogLevel };
};

const text = z.string({ error: 'expected text in quotes' }).min(1, 'expected text, found an empty one');
const ms = (min: number, max: number) =>
  z
    .number({ error: 'expected milliseconds as a number' })
    .int('expected whole milliseconds')
    .min(min, `expected at least ${min} ms`)
    .max(max, `expected at most ${max} ms`);
const httpUrl = text.refine(
  (value) => URL.canParse(value) && /^https?:$/.test(new URL(value).protocol),
  'expected an http or https URL, such as "http://127.0.0.1:9545"',
);
const multiaddr = text.regex(
  /^\/(ip4|ip6|dns|dns4|dns6)\/[^/]+\/tcp\/\d{1,5}$/,
  'expected a TCP multiaddress, such as "/ip4/127.0.0.1/tcp/26656"',
);
const peerId = text.regex(/^[1-9A-HJ-NP-Za-km-z]{40,64}$/, 'expected a PeerId, such as "12D3Koo…"');
const address = text
  .regex(/^0x[0-9a-fA-F]{40}$/, 'expected an address as 0x and 40 hex digits')
  .transform(parseAddress);
const hostPort = text
  .regex(/^[^:\s]+:\d{1,5}$/, 'expected host:port, such as "127.0.0.1:8601"')
  .transform((value) => {
    const at = value.lastIndexOf(':');
    return { host: value.slice(0, at), port: Number(value.slice(at + 1)) };
  })
  .refine((value) => value.port <= 65_535, 'expected a port from 0 to 65535');

const consensusSchema = z
  .strictObject({
    block_interval_ms: ms(0, 60_000).default(500),
    empty_block_interval_ms: ms(0, 3_600_000).default(10_000),
    import_lag_ms: ms(0, 3_600_000).default(1_000),
    propose_timeout_ms: ms(10, 60_000).default(DEFAULT_TIMEOUTS.proposeMs),
    vote_timeout_ms: ms(10, 60_000).default(DEFAULT_TIMEOUTS.voteMs),
    timeout_cap_ms: ms(10, 300_000).default(DEFAULT_TIMEOUTS.capMs),
    fee_recipient: address.optional(),
  })
  .refine((value) => value.block_interval_ms <= value.empty_block_interval_ms, {
    message: 'expected at least block_interval_ms, so that empty blocks come no faster than full ones',
    path: ['empty_block_interval_ms'],
  })
  .refine((value) => value.propose_timeout_ms <= value.timeout_cap_ms, {
    message: 'expected at least propose_timeout_ms',
    path: ['timeout_cap_ms'],
  });

/** Reads that are under way, and peers that are a little behind, need some. */
const MIN_WINDOW = 16;
const blocks = (defaultBlocks: bigint) =>
  z
    .number({ error: 'expected a number of blocks' })
    .int('expected a whole number of blocks')
    .min(MIN_WINDOW, `expected at least ${MIN_WINDOW} blocks`)
    .max(1_000_000_000, 'expected at most 1000000000 blocks')
    .default(Number(defaultBlocks));

const storageSchema = z
  .strictObject({
    mode: z.enum(STORAGE_MODES, { error: `expected one of ${STORAGE_MODES.join(', ')}` }).optional(),
    state_blocks: blocks(DEFAULT_WINDOW.stateBlocks),
    history_blocks: blocks(DEFAULT_WINDOW.historyBlocks),
  })
  .refine((value) => value.state_blocks <= value.history_blocks, {
    message: 'expected at least state_blocks',
    path: ['history_blocks'],
  });

const schema = z
  .strictObject({
    name: text.regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/, 'expected letters, digits, dots and hyphens'),
    genesis: text,
    data_dir: text,
    keys: z.strictObject({
      node: text,
      consensus: text.optional(),
      relayer: text.optional(),
      passphrase_file: text.optional(),
    }),
    p2p: z.strictObject({
      listen: multiaddr,
      peers: z
        .array(z.strictObject({ peer_id: peerId, address: multiaddr }))
        .max(1_000)
        .default([]),
    }),
    rpc: rpcSchema.optional(),
    l1: z.strictObject({
      urls: z.array(httpUrl).min(1, 'expected at least one L1 endpoint').max(16),
      poll_ms: ms(50, 600_000).default(500),
    }),
    consensus: consensusSchema.optional(),
    relayer: z
      .strictObject({
        exchange_listen: hostPort,
        peers: z
          .array(z.strictObject({ address, url: httpUrl }))
          .max(1_000)
          .default([]),
      })
      .optional(),
    storage: storageSchema.optional(),
    log: z
      .strictObject({
        level: z.enum(LOG_LEVELS, { error: `expected one of ${LOG_LEVELS.join(', ')}` }).default('info'),
      })
      .optional(),
  })
  .refine((value) => value.relayer === undefined || value.keys.relayer !== undefined, {
    message: 'expected the keystore of the relayer, because there is a [relayer] section',
    path: ['keys', 'relayer'],
  });

type ParsedConfig = z.output<typeof schema>;

const describeIssue = (issue: z.core.$ZodIssue, source: unknown): string => {
  const where = issue.path.length === 0 ? 'the file' : issue.path.join('.');
  if (issue.code === 'unrecognized_keys')
    return `${where}: unknown ${issue.keys.length === 1 ? 'key' : 'keys'} ${issue.keys.join(', ')}; check the spelling or remove it`;
  const found = issue.path.reduce<unknown>(
    (value, key) =>
      typeof value === 'object' && value !== null ? (value as Record<PropertyKey, unknown>)[key] : undefined,
    source,
  );
  const shown = found === undefined ? 'found nothing' : `found ${JSON.stringify(found)?.slice(0, 80)}`;
  return `${where}: ${issue.message}; ${shown}`;
};

const toStorage = (mode: StorageMode, window: PruningWindow): StorageOptions =>
  mode === 'archive' ? { mode } : { mode, window };

/** What `--mode` says wins over the file. */
export const withStorageMode = (config: NodeConfig, mode: StorageMode): NodeConfig => ({
  ...config,
  storage: toStorage(mode, config.pruningWindow),
});

const toConfig = (parsed: ParsedConfig, path: string): NodeConfig => {
  const folder = dirname(resolve(path));
  const at = (file: string): string => resolve(folder, file);
  const optionalAt = (file: string | undefined): string | null => (file === undefined ? null : at(file));
  const consensus = parsed.consensus ?? consensusSchema.parse({});
  const storage = parsed.storage ?? storageSchema.parse({});
  const pruningWindow = {
    stateBlocks: BigInt(storage.state_blocks),
    historyBlocks: BigInt(storage.history_blocks),
  };
  const mode = storage.mode ?? (parsed.keys.consensus === undefined ? 'archive' : 'pruned');
  return {
    path: resolve(path),
    name: parsed.name,
    genesisPath: at(parsed.genesis),
    dataDir: at(parsed.data_dir),
    keys: {
      node: at(parsed.keys.node),
      consensus: optionalAt(parsed.keys.consensus),
      relayer: optionalAt(parsed.keys.relayer),
      passphraseFile: optionalAt(parsed.keys.passphrase_file),
    },
    p2p: {
      listen: parsed.p2p.listen,
      peers: parsed.p2p.peers.map((peer) => ({ peerId: peer.peer_id, address: peer.address })),
    },
    rpc:
      parsed.rpc === undefined
        ? null
        : { ...parsed.rpc, adminSocket: optionalAt(parsed.rpc.adminSocket ?? undefined) },
    l1: { urls: parsed.l1.urls, pollMs: parsed.l1.poll_ms },
    consensus: {
      blockIntervalMs: consensus.block_interval_ms,
      emptyBlockIntervalMs: consensus.empty_block_interval_ms,
      importLagMs: consensus.import_lag_ms,
      timeouts: {
        ...DEFAULT_TIMEOUTS,
        proposeMs: consensus.propose_timeout_ms,
        voteMs: consensus.vote_timeout_ms,
        capMs: consensus.timeout_cap_ms,
      },
      feeRecipient: consensus.fee_recipient ?? null,
    },
    relayer:
      parsed.relayer === undefined
        ? null
        : { exchangeListen: parsed.relayer.exchange_listen, peers: parsed.relayer.peers },
    storage: toStorage(mode, pruningWindow),
    pruningWindow,
    log: { level: parsed.log?.level ?? 'info' },
  };
};

/** @param path where the text came from: relative paths are relative to its folder. @throws ConfigError BAD_TOML, BAD_CONFIG */
export const parseConfig = (source: string, path: string): NodeConfig => {
  let toml: unknown;
  try {
    toml = parseToml(source);
  } catch (error) {
    if (error instanceof TomlError)
      throw new ConfigError(
        'BAD_TOML',
        path,
        `expected TOML, found an error in line ${error.line}: ${error.message}`,
      );
    throw error;
  }
  const parsed = schema.safeParse(toml);
  if (!parsed.success)
    throw new ConfigError(
      'BAD_CONFIG',
      path,
      parsed.error.issues
        .slice(0, 8)
        .map((issue) => describeIssue(issue, toml))
        .join('\n  '),
    );
  return toConfig(parsed.data, path);
};

/** @throws ConfigError UNREADABLE, BAD_TOML, BAD_CONFIG */
export const loadConfig = async (path: string): Promise<NodeConfig> => {
  let source: string;
  try {
    source = await readFile(path, 'utf8');
  } catch (error) {
    throw new ConfigError(
      'UNREADABLE',
      path,
      `expected a readable configuration file, found ${error instanceof Error ? error.message : String(error)}: check the path and its permissions`,
    );
  }
  return parseConfig(source, path);
};
