/**
 * Validators with the real host and the real execution in one process, on the system clock: for what changes a set.
 *
 * Each has its own database; the network is in memory, consensus disks too. The pool is one list that all share, from
 * which what was committed is taken. Whoever is behind imports blocks from the peer that told it so.
 */
import { encodeFunctionData } from 'viem';
import { privateKeyToAddress, signDigest } from '#consensus/crypto/secp256k1.ts';
import { readyDigest, voteDigest } from '#consensus/digests.ts';
import { type Address, compareHex, type Hash, ZERO_HASH } from '#consensus/primitives.ts';
import { type Signer, type SignRequest, signRequestDigest } from '#consensus/signer.ts';
import { createValidatorSet, type ValidatorSet } from '#consensus/validatorSet.ts';
import { governanceAbi, validatorSetAbi } from '#genesis/contracts/artifacts/contracts.ts';
import { PREDEPLOYS } from '#genesis/predeploys.ts';
import type { Genesis } from '#genesis/spec.ts';
import type { Chain, CommittedBlock, Head } from '#node/chain.ts';
import { systemClock } from '#node/consensus/clock.ts';
import { ConsensusHost } from '#node/consensus/host.ts';
import type { Halt } from '#node/consensus/hostPorts.ts';
import { BlockExecutor, type Committed } from '#node/execution/blockExecutor.ts';
import type { BlockRecord } from '#node/storage/records.ts';
import { FakeMempool } from '#test/sim/cluster/cluster.ts';
import { LossyHub } from '#test/sim/cluster/lossyNetwork.ts';
import { TearingDisk } from '#test/sim/cluster/tearingDisk.ts';
import { seededRandom } from '#test/sim/cluster/virtualClock.ts';
import { exampleGenesis, GOVERNORS, keyOf, signTransaction, temporaryFolder } from './exampleChain.ts';

/** The real executor behind the interface that the host uses; reads come from the blocks that it has committed. */
class ExecutedChain {
  readonly #executor: BlockExecutor;
  readonly #listeners = new Set<(committed: CommittedBlock) => void>();
  readonly blocks: BlockRecord[];
  readonly sets: ValidatorSet[];
  #last: Promise<unknown> = Promise.resolve();

  constructor(executor: BlockExecutor) {
    this.#executor = executor;
    const { block, nextValidators } = executor.head();
    this.blocks = [];
    this.blocks[Number(block.height)] = block;
    this.sets = [];
    this.sets[Number(block.height) + 1] = nextValidators;
  }

  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const done = this.#last.then(work);
    this.#last = done.catch(() => undefined);
    return done;
  }

  head(): Head {
    return { block: this.blocks.at(-1)!, nextValidators: this.sets.at(-1)! };
  }

  #publish({ block, receipts, nextValidators }: Committed): CommittedBlock {
    const isNew = block.height > this.blocks.at(-1)!.height;
    if (isNew) {
      this.blocks.push(block);
      this.sets.push(nextValidators);
    }
    const committed = { block, receipts, head: this.head() };
    if (isNew) for (const listener of this.#listeners) listener(committed);
    return committed;
  }

  readonly chain = {
    head: () => this.head(),
    derive: (payload) => this.#inTurn(() => this.#executor.derive(payload)),
    commit: (valueId, certificate) =>
      this.#inTurn(async () => this.#publish(await this.#executor.commit(valueId, certificate))),
    importBlock: (block) => this.#inTurn(async () => this.#publish(await this.#executor.importBlock(block))),
    onCommitted: (listener) => {
      this.#listeners.add(listener);
      return () => this.#listeners.delete(listener);
    },
    blockAt: async (height) => this.blocks[Number(height)] ?? null,
    validatorsAt: async (height) => this.sets[Number(height)] ?? null,
    blockByHash: async () => null,
    receiptsAt: async () => null,
    transactionLocation: async () => null,
    account: async () => null,
    code: async () => new Uint8Array(0),
    storageAt: async () => ZERO_HASH,
    close: async () => {},
  } satisfies Chain as Chain;

  async close(): Promise<void> {
    await this.#last;
    await this.#executor.close();
  }
}

export type SetKey = { readonly privateKey: Uint8Array; readonly address: Address };

/** Ascending by address; other keys than the example's users, relayers and governors have. */
export const setKeys = (count: number): readonly SetKey[] =>
  Array.from({ length: count }, (_, index) => keyOf(100 + index))
    .map((privateKey) => ({ privateKey, address: privateKeyToAddress(privateKey) }))
    .sort((a, b) => compareHex(a.address, b.address));

export const setOf = (keys: readonly SetKey[]): ValidatorSet =>
  createValidatorSet(keys.map(({ address }) => ({ address, power: 1n })));

export const genesisOf = (keys: readonly SetKey[], epochLength: bigint): Promise<Genesis> =>
  exampleGenesis({
    epochLength,
    validators: keys.map(({ address }, index) => ({
      name: `validator-${index}`,
      address,
      power: 1n,
      peerId: `validator-peer-${index}`,
    })),
  });

/** All transactions have this limit, so that a round's bound on gas is a number of them. */
const TRANSACTION_GAS = 600_000n;

/** Offers what fits into the round, as the real pool does (RULES 4). */
class BoundedPool extends FakeMempool {
  override pick(limits: { maxGas: bigint; allowImport: boolean }): readonly Uint8Array[] {
    return super.pick(limits).slice(0, Number(limits.maxGas / TRANSACTION_GAS));
  }
}

export type SetMember = {
  readonly name: string;
  readonly key: SetKey;
  readonly signed: SignRequest[];
  readonly halts: Halt[];
  readonly folder: { path: string; remove(): Promise<void> };
  executed: ExecutedChain | null;
  host: ConsensusHost | null;
};

const silent = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };

export class SetCluster {
  readonly genesis: Genesis;
  readonly members: SetMember[] = [];
  readonly #hub: LossyHub;
  readonly #pools = new Map<string, FakeMempool>();
  #pending: Uint8Array[] = [];
  readonly #nonces = new Map<Address, number>();

  constructor(genesis: Genesis) {
    this.genesis = genesis;
    this.#hub = new LossyHub(systemClock, seededRandom(1), { loss: 0, minLatencyMs: 0, maxLatencyMs: 2 });
  }

  async add(name: string, key: SetKey, supportedRules?: bigint): Promise<SetMember> {
    const folder = await temporaryFolder();
    const member: SetMember = { name, key, signed: [], halts: [], folder, executed: null, host: null };
    this.members.push(member);
    await this.start(member, supportedRules);
    return member;
  }

  async start(member: SetMember, supportedRules?: bigint): Promise<void> {
    const { genesis } = this;
    const executor = await BlockExecutor.open({
      dataDir: member.folder.path,
      genesis,
      ...(supportedRules === undefined ? {} : { supportedRules }),
    });
    const executed = new ExecutedChain(executor);
    member.executed = executed;
    const pool = new BoundedPool();
    pool.pending = [...this.#pending];
    this.#pools.set(member.name, pool);
    executed.chain.onCommitted(({ block }) => {
      const hashes = new Set(block.transactions.map((raw) => Buffer.from(raw).toString('hex')));
      const isOpen = (raw: Uint8Array): boolean => !hashes.has(Buffer.from(raw).toString('hex'));
      pool.pending = pool.pending.filter(isOpen);
      this.#pending = this.#pending.filter(isOpen);
    });
    const signer: Signer = {
      address: member.key.address,
      sign: async (request) => {
        member.signed.push(request);
        return signDigest(signRequestDigest(request), member.key.privateKey);
      },
    };
    const host = new ConsensusHost(
      {
        domain: { chainId: genesis.spec.chainId, genesisHash: genesis.genesisHash },
        feeRecipient: member.key.address,
        blockIntervalMs: 10,
        emptyBlockIntervalMs: 20,
        importLagMs: 1_000,
        timeouts: { proposeMs: 3_000, proposeStepMs: 500, voteMs: 1_000, voteStepMs: 500, capMs: 10_000 },
        blockGasLimit: genesis.spec.blockGasLimit,
      },
      {
        chain: executed.chain,
        mempool: pool,
        network: this.#hub.join(member.name, member.key.address),
        l1View: null,
        signer,
        disk: new TearingDisk(),
        clock: systemClock,
        logger: silent,
      },
      {
        onHalted: (halt) => member.halts.push(halt),
        onBehind: (peerId) => void this.catchUp(member, peerId),
        onEvidence: () => undefined,
      },
    );
    member.host = host;
    await host.start();
  }

  /** What block sync does. */
  async catchUp(member: SetMember, peerId: string): Promise<void> {
    const source = this.members.find(({ name }) => name === peerId)?.executed;
    const own = member.executed;
    if (source == null || own === null) return;
    for (let height = own.head().block.height + 1n; height <= source.head().block.height; height++) {
      const { header, transactions, checkpoint, certificate } = source.blocks[Number(height)]!;
      try {
        await own.chain.importBlock({ header, transactions, checkpoint, certificate: certificate! });
      } catch {
        return; // committed by consensus meanwhile, stopped, or halted: the member's own words say which
      }
    }
  }

  async stop(member: SetMember): Promise<void> {
    this.#hub.leave(member.name);
    await member.host?.stop();
    member.host = null;
    await member.executed?.close();
    member.executed = null;
  }

  async dispose(): Promise<void> {
    for (const member of this.members) await this.stop(member);
    for (const { folder } of this.members) await folder.remove();
  }

  submit(raw: Uint8Array): void {
    this.#pending.push(raw);
    for (const pool of this.#pools.values()) pool.submit(raw);
  }

  async #send(governor: number, to: Address, data: Hash | `0x${string}`): Promise<void> {
    const user = GOVERNORS[governor]!;
    const nonce = this.#nonces.get(user.address) ?? 0;
    this.#nonces.set(user.address, nonce + 1);
    this.submit(await signTransaction(user, { nonce, to, data, gas: TRANSACTION_GAS }));
  }

  #proposals = 0n;
  /** Proposed by one organisation, voted for by two more, executed: in the order of the pool, so in one block or few. */
  async decide(change: {
    readonly action: number;
    readonly account?: Address;
    readonly value?: bigint;
    readonly height?: bigint;
  }): Promise<void> {
    const { action, account = `0x${'00'.repeat(20)}` as Address, value = 0n, height = 0n } = change;
    const id = this.#proposals++;
    const call = (data: `0x${string}`, governor: number) => this.#send(governor, PREDEPLOYS.governance, data);
    await call(
      encodeFunctionData({
        abi: governanceAbi,
        functionName: 'propose',
        args: [{ action, account, value, height }],
      }),
      0,
    );
    for (const governor of [1, 2])
      await call(encodeFunctionData({ abi: governanceAbi, functionName: 'vote', args: [id] }), governor);
    await call(encodeFunctionData({ abi: governanceAbi, functionName: 'execute', args: [id] }), 2);
  }

  /** Signed by the joiner for this epoch, brought by an organisation. */
  async sayReady({ key }: SetMember, epoch: bigint): Promise<void> {
    const { genesisHash, spec } = this.genesis;
    const signature = signDigest(readyDigest({ chainId: spec.chainId, genesisHash }, epoch), key.privateKey);
    const data = encodeFunctionData({
      abi: validatorSetAbi,
      functionName: 'ready',
      args: [key.address, signature],
    });
    await this.#send(3, PREDEPLOYS.validatorSet, data);
  }

  /** Two precommits of one key for one round of height 1, brought to the chain. */
  async report({ address, privateKey }: SetKey): Promise<void> {
    const { genesisHash, spec } = this.genesis;
    const signed = [`0x${'01'.repeat(32)}` as Hash, `0x${'02'.repeat(32)}` as Hash].map((valueId) => {
      const vote = { type: 'precommit' as const, height: 1n, round: 9, valueId };
      const digest = voteDigest({ chainId: spec.chainId, genesisHash }, vote);
      return { step: 2, height: 1n, round: 9, valueId, signature: signDigest(digest, privateKey) };
    });
    const data = encodeFunctionData({
      abi: validatorSetAbi,
      functionName: 'reportDoubleVote',
      args: [address, signed[0]!, signed[1]!],
    });
    await this.#send(3, PREDEPLOYS.validatorSet, data);
  }

  /** Resolves when every named member has this height; the bound is for a hang only. */
  async until(height: bigint, members: readonly SetMember[] = this.members, boundMs = 90_000): Promise<void> {
    const isThere = (): boolean =>
      members.every(({ executed }) => executed !== null && executed.head().block.height >= height);
    if (isThere()) return;
    await new Promise<void>((resolve, reject) => {
      const cancels: (() => void)[] = [];
      const end = (): void => {
        clearTimeout(timer);
        for (const cancel of cancels) cancel();
      };
      const timer = setTimeout(() => {
        end();
        const seen = members.map(
          ({ name, executed, host, halts }) =>
            `${name} ${executed?.head().block.height} ${halts[0]?.message ?? host?.status().waitingFor ?? ''}`,
        );
        reject(new Error(`expected height ${height} within ${boundMs} ms, found ${seen.join('; ')}`));
      }, boundMs);
      for (const { executed } of members)
        cancels.push(
          executed!.chain.onCommitted(() => {
            if (!isThere()) return;
            end();
            resolve();
          }),
        );
    });
  }
}
