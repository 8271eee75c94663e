/**
 * A real chain with transactions of every type that it admits, and a real server on it.
 *
 * Blocks are committed as consensus commits them. Legacy transactions without EIP-155 are refused by the chain's rules;
 * the deterministic deployer, for which tools need one, stands in the genesis instead.
 */
import {
  type Abi,
  encodeDeployData,
  encodeFunctionData,
  getContractAddress,
  type Hex,
  hexToBytes,
  keccak256,
} from 'viem';
import type { Genesis } from '#genesis/spec.ts';
import { createCallRunner } from '#node/execution/callRunner.ts';
import { openChain } from '#node/execution/openChain.ts';
import { createTransactionRules } from '#node/execution/transactionChecks.ts';
import { createPool } from '#node/mempool/pool.ts';
import type { RpcServerOptions } from '#node/rpc/server.ts';
import { compileProbe } from '#test/rpc/support/compile.ts';
import {
  commitPayload,
  ETHER,
  exampleGenesis,
  GWEI,
  payloadOn,
  signTransaction,
  temporaryFolder,
  USERS,
  type User,
} from '#test/unit/node/execution/exampleChain.ts';
import { startServer } from '#test/unit/node/rpc/fakes/server.ts';

export const [ALICE, BOB, CAROL] = USERS as [User, User, User];
/** Nothing but what transactions bring. */
export const STRANGER = `0x${'5a'.repeat(20)}` as const;

const LEGACY = { type: 'legacy', gasPrice: 3n * GWEI } as const;
const ACCESS = { type: 'eip2930', gasPrice: 3n * GWEI } as const;

export const startFilledChain = async (overrides: Partial<RpcServerOptions> = {}) => {
  const { probe } = compileProbe();
  const folder = await temporaryFolder();
  const genesis: Genesis = await exampleGenesis();
  const chain = await openChain({ dataDir: folder.path, genesis });
  const pool = createPool({ rules: createTransactionRules(genesis.spec) }, { chain });
  const calls = createCallRunner({ dataDir: folder.path, genesis, timeoutMs: 5_000 });
  const server = await startServer({ chain, calls, mempool: pool, genesis, ...overrides });

  const nonces = new Map<User, number>(USERS.map((user) => [user, 0]));
  const sign = async (user: User, fields: Record<string, unknown>): Promise<Uint8Array> => {
    const nonce = nonces.get(user)!;
    nonces.set(user, nonce + 1);
    return signTransaction(user, { nonce, ...fields });
  };
  const commit = async (...transactions: Uint8Array[]): Promise<Hex[]> => {
    const { block } = await commitPayload(chain, genesis, payloadOn(chain, transactions));
    await pool.settled();
    return [...block.transactionHashes];
  };
  const encode = (functionName: string, args: readonly unknown[] = []): Hex =>
    encodeFunctionData({ abi: probe.abi as Abi, functionName, args });

  const probeAddress = getContractAddress({ from: ALICE.address, nonce: 0n }).toLowerCase() as Hex;
  const on = (functionName: string, args: readonly unknown[] = [], fields: Record<string, unknown> = {}) => ({
    to: probeAddress,
    data: encode(functionName, args),
    gas: 500_000n,
    ...fields,
  });

  const named: Record<string, Hex> = {};
  const remember = (names: readonly string[], hashes: readonly Hex[]): void =>
    names.forEach((name, index) => {
      named[name] = hashes[index]!;
    });

  const deployment = encodeDeployData({ abi: probe.abi as Abi, bytecode: probe.bytecode });
  remember(['deploy'], await commit(await sign(ALICE, { data: deployment, gas: 2_500_000n })));
  remember(
    ['legacy', 'accessList', 'transfer', 'stranger'],
    await commit(
      await sign(ALICE, on('store', [1n, 11n], LEGACY)),
      await sign(ALICE, {
        ...on('store', [2n, 22n], ACCESS),
        accessList: [{ address: probeAddress, storageKeys: [`0x${'0'.repeat(64)}`] }],
      }),
      await sign(BOB, { to: CAROL.address, value: ETHER, gas: 21_000n }),
      await sign(CAROL, { to: STRANGER, value: 5n, gas: 21_000n }),
    ),
  );
  await commit();
  remember(
    ['make', 'makeAt'],
    await commit(
      await sign(ALICE, on('make', [], { value: 3n, gas: 1_000_000n })),
      await sign(BOB, on('makeAt', [`0x${'01'.repeat(32)}`], { gas: 1_000_000n })),
    ),
  );
  const authorization = await BOB.account.signAuthorization({
    chainId: Number(genesis.spec.chainId),
    contractAddress: probeAddress,
    nonce: nonces.get(BOB)!,
  });
  remember(
    ['everything', 'failed', 'panicked', 'brief', 'delegated'],
    await commit(
      await sign(ALICE, on('callEverything', [], { value: 2n })),
      await sign(ALICE, on('fail', ['no luck'])),
      await sign(ALICE, on('failPanic')),
      await sign(ALICE, on('makeAndDestroy', [], { value: 7n, gas: 1_000_000n })),
      await sign(CAROL, {
        type: 'eip7702',
        to: BOB.address,
        data: encode('store', [3n, 33n]),
        gas: 500_000n,
        maxFeePerGas: 3n * GWEI,
        maxPriorityFeePerGas: GWEI,
        authorizationList: [authorization],
      }),
    ),
  );
  nonces.set(BOB, nonces.get(BOB)! + 1);
  remember(
    ['overwrite', 'clear', 'spun'],
    await commit(
      await sign(ALICE, on('store', [1n, 111n])),
      await sign(ALICE, on('store', [2n, 0n])),
      await sign(CAROL, on('spin', [], { gas: 200_000n })),
    ),
  );

  return {
    ...server,
    chain,
    pool,
    calls,
    genesis,
    probe,
    probeAddress,
    named: named as Readonly<Record<string, Hex>>,
    encode,
    on,
    sign,
    commit,
    nonceOf: (user: User) => nonces.get(user)!,
    hashOf: (raw: Uint8Array): Hex => keccak256(raw),
    toBytes: hexToBytes,
    stop: async () => {
      await server.stop();
      pool.close();
      await calls.close();
      await chain.close();
      await folder.remove();
    },
  };
};

export type FilledChain = Awaited<ReturnType<typeof startFilledChain>>;
