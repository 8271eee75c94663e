/**
 * Governance and the validator set over JSON-RPC: reading them, and sending to them from a keystore.
 *
 * Owns how a refusal is told: every call is simulated first, and a custom error of Governance or of what it acts on
 * comes back by its name.
 */
import {
  BaseError,
  ContractFunctionRevertedError,
  createPublicClient,
  createWalletClient,
  defineChain,
  type Hex,
  http,
  type LocalAccount,
} from 'viem';
import { CliError, EXIT } from '#cli/errors.ts';
import type { Address } from '#consensus/primitives.ts';
import { governanceAbi, upgradePlanAbi, validatorSetAbi } from '#genesis/contracts/artifacts/contracts.ts';
import { loadGenesis } from '#genesis/genesisFile.ts';
import { PREDEPLOYS } from '#genesis/predeploys.ts';
import type { Genesis } from '#genesis/spec.ts';

/** Everything that both contracts do and refuse; no two items of the same name and kind matter to a caller. */
const SYSTEM_ABI = [
  ...governanceAbi,
  ...[...validatorSetAbi, ...upgradePlanAbi].filter(({ type }) => type === 'error'),
] as const;
const RECEIPT_TIMEOUT_MS = 120_000;

export type SystemSources = { readonly genesis: string; readonly rpcUrl: string };
export type SystemSession = Awaited<ReturnType<typeof openSystem>>;

/** @throws GenesisError; CliError WRONG_CHAIN */
export const openSystem = async ({ genesis: path, rpcUrl }: SystemSources) => {
  const genesis: Genesis = await loadGenesis(path);
  const chain = defineChain({
    id: Number(genesis.spec.chainId),
    name: genesis.spec.name,
    nativeCurrency: { name: 'Ether', symbol: 'ETH', decimals: 18 },
    rpcUrls: { default: { http: [rpcUrl] } },
  });
  const client = createPublicClient({ chain, transport: http(rpcUrl), pollingInterval: 500 });
  const found = (await client.getBlock({ blockNumber: 0n })).hash;
  if (found !== genesis.genesisHash)
    throw new CliError(`expected a node of genesis ${genesis.genesisHash} at ${rpcUrl}, found ${found}`, {
      code: 'WRONG_CHAIN',
      exitCode: EXIT.config,
      hint: 'Use the genesis file of the chain that this endpoint belongs to.',
    });

  const send = async (account: LocalAccount, address: Address, data: SystemCall): Promise<Hex> => {
    const abi = address === PREDEPLOYS.governance ? SYSTEM_ABI : validatorSetAbi;
    const request = { address, abi, account, ...data };
    try {
      await client.simulateContract(request as never);
    } catch (error) {
      throw refusalOf(error);
    }
    const wallet = createWalletClient({ account, chain, transport: http(rpcUrl) });
    const hash = await wallet.writeContract(request as never);
    const { status } = await client.waitForTransactionReceipt({ hash, timeout: RECEIPT_TIMEOUT_MS });
    if (status !== 'success')
      throw new CliError(`expected transaction ${hash} to succeed, found it reverted`, {
        code: 'REVERTED',
        exitCode: EXIT.denied,
        hint: 'Something else was decided meanwhile: run the same command again to read what.',
      });
    return hash;
  };
  return {
    genesis,
    client,
    governance: { address: PREDEPLOYS.governance, abi: governanceAbi } as const,
    validatorSet: { address: PREDEPLOYS.validatorSet, abi: validatorSetAbi } as const,
    govern: (account: LocalAccount, data: SystemCall) => send(account, PREDEPLOYS.governance, data),
    tellSet: (account: LocalAccount, data: SystemCall) => send(account, PREDEPLOYS.validatorSet, data),
  };
};

export type SystemCall = { readonly functionName: string; readonly args: readonly unknown[] };

const refusalOf = (error: unknown): unknown => {
  if (!(error instanceof BaseError)) return error;
  const reverted = error.walk((cause) => cause instanceof ContractFunctionRevertedError);
  if (!(reverted instanceof ContractFunctionRevertedError)) return error;
  const { errorName = 'no reason', args = [] } = reverted.data ?? {};
  return new CliError(
    `expected the chain to accept this, found it refused: ${errorName}(${args.join(', ')})`,
    {
      code: 'REFUSED',
      exitCode: EXIT.denied,
      hint: 'Look at the state of things with: causeway validators list',
      cause: error,
    },
  );
};
