/** A chain in a folder of its own whose only work is one loop: deploys it, and measures deriving blocks full of it. */
import type { Address, Hex } from '#consensus/primitives.ts';
import { BlockExecutor } from '#node/execution/blockExecutor.ts';
import { deploying } from '#test/unit/node/execution/contracts.ts';
import {
  exampleGenesis,
  FEE_RECIPIENT,
  requireValid,
  sealValue,
  signTransaction,
  temporaryFolder,
  USERS,
  type User,
} from '#test/unit/node/execution/exampleChain.ts';
import { type Operation, runtimeOf } from './worstCaseOperations.ts';

export type Call = {
  readonly to: Address;
  readonly data: Hex;
  readonly gas: bigint;
  readonly count?: number;
};
export type Measured = { readonly gasUsed: bigint; readonly cpuMs: number };

export type WorstCaseChain = {
  deploy(operation: Operation): Promise<Address>;
  /** One block of such calls, derived and not committed. */
  measure(call: Call): Promise<Measured>;
  close(): Promise<void>;
};

export const openWorstCaseChain = async (): Promise<WorstCaseChain> => {
  const [alice] = USERS as [User];
  const genesis = await exampleGenesis();
  const folder = await temporaryFolder();
  const executor = await BlockExecutor.open({ dataDir: folder.path, genesis });
  let nonce = 0;
  let seconds = 0n;

  const derive = async (transactions: readonly Uint8Array[]) => {
    const { block } = executor.head();
    seconds += 1n;
    const payload = {
      parentHash: block.hash,
      timestamp: block.timestamp + seconds,
      feeRecipient: FEE_RECIPIENT,
      transactions,
    };
    const before = process.cpuUsage();
    const derivation = requireValid(await executor.derive(payload));
    const { user, system } = process.cpuUsage(before);
    return { derivation, cpuMs: (user + system) / 1_000 };
  };

  const deployCode = async (runtime: string): Promise<Address> => {
    const data = deploying(`0x${runtime}`);
    const { derivation } = await derive([await signTransaction(alice, { nonce, data, gas: 16_000_000n })]);
    const { valueId, checkpoint } = derivation;
    const { receipts } = await executor.commit(valueId, sealValue(genesis, checkpoint.height, valueId));
    seconds = 0n;
    nonce += 1;
    const [receipt] = receipts;
    if (receipt?.status !== 1 || receipt.contractAddress === null)
      throw new Error(`expected ${runtime.slice(0, 40)}… to be deployed, found status ${receipt?.status}`);
    return receipt.contractAddress;
  };

  return {
    deploy: async ({ callee, ...operation }) => {
      if (callee === undefined) return deployCode(runtimeOf(operation));
      const address = await deployCode(callee);
      return deployCode(
        runtimeOf({ ...operation, body: operation.body.replaceAll('CALLEE', address.slice(2)) }),
      );
    },
    measure: async ({ to, data, gas, count = 1 }) => {
      const transactions = [];
      for (let i = 0; i < count; i++)
        transactions.push(await signTransaction(alice, { nonce: nonce + i, to, data, gas }));
      const { derivation, cpuMs } = await derive(transactions);
      if (derivation.dropped.length > 0)
        throw new Error(`expected no drops, found ${derivation.dropped[0]?.code}`);
      return { gasUsed: derivation.gasUsed, cpuMs };
    },
    close: async () => {
      await executor.close();
      await folder.remove();
    },
  };
};
