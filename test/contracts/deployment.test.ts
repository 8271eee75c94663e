import { createWalletClient, type Hex, http, parseEther } from 'viem';
import { pegFactoryAbi, pegVaultAbi, pegVerifierAbi } from '#bridge/contracts/artifacts/contracts.ts';
import { type DeploymentIntent, deployPeg } from '#bridge/deployment/deployPeg.ts';
import { DeploymentError } from '#bridge/deployment/errors.ts';
import { encodeDeployAll } from '#bridge/deployment/manifest.ts';
import { verifyDeployment } from '#bridge/deployment/verifyDeployment.ts';
import { type Anvil, startAnvil } from '#test/contracts/fixtures/anvil.ts';
import { connectChain, revertName, type TestChain } from '#test/contracts/fixtures/chain.ts';
import { namedKey, namedKeys } from '#test/contracts/fixtures/keys.ts';
import {
  checkpointArguments,
  checkpointAt,
  createPeg,
  deployOn,
  ETHER,
  L1_CHAIN_ID,
  memoryJournal,
  type Peg,
  submitCheckpointCall,
} from '#test/contracts/fixtures/peg.ts';

const stranger = namedKey('stranger');

let anvil: Anvil;
let chain: TestChain;
let snapshot: Hex;

beforeAll(async () => {
  anvil = await startAnvil(L1_CHAIN_ID);
  chain = connectChain(anvil.url, L1_CHAIN_ID);
  await chain.fund(stranger.address, 1_000n * ETHER);
});
afterAll(() => anvil.stop());
beforeEach(async () => {
  snapshot = await chain.client.snapshot();
});
afterEach(() => chain.client.revert({ id: snapshot }));

const verify = (peg: Peg, mode: 'fresh' | 'joining' = 'fresh') =>
  verifyDeployment({ publicClient: chain.client, manifest: peg.manifest, mode });
const optionsFor = (peg: Peg, journal = memoryJournal()) => ({
  manifest: peg.manifest,
  publicClient: chain.client,
  signer: peg.deployer.signer,
  journal,
  pollMs: 20,
  timeoutMs: 30_000,
  onProgress: (progress: { step: string }) => {
    if (progress.step === 'finality') void chain.client.mine({ blocks: 3 });
  },
});
const codeOf = (run: Promise<unknown>): Promise<string> =>
  run.then(
    () => 'no error',
    (error: unknown) => {
      if (error instanceof DeploymentError) return error.code;
      throw error;
    },
  );
const deployAllCall = (peg: Peg, change: (initCode: Hex) => Hex = (initCode) => initCode) => ({
  address: peg.manifest.addresses.factory,
  abi: pegFactoryAbi,
  functionName: 'deployAll' as const,
  args: [
    peg.manifest.creations.map(({ initCode }) => change(initCode)),
    peg.manifest.creations.map(({ valueWei }) => valueWei),
  ] as const,
  value: peg.inputs.backedWei,
});

describe('deploying', () => {
  test('creates what a local replay says, at the predicted addresses, in one transaction under the gas cap', async () => {
    const peg = createPeg();
    const { deploymentBlock, transactions } = await deployOn(chain, peg);
    expect(await verify(peg)).toMatchObject({ ok: true, deploymentBlock });
    expect(await verify(peg, 'joining')).toMatchObject({ ok: true });
    const receipt = await chain.client.getTransactionReceipt({ hash: transactions.deployAll! });
    console.info(`deployAll ${receipt.gasUsed}`);
    expect(receipt.gasUsed).toBeLessThan(16_777_216n);
  });

  test('again does nothing more than verify', async () => {
    const peg = createPeg();
    await deployOn(chain, peg);
    const nonce = await chain.client.getTransactionCount({ address: peg.deployer.address });
    await deployPeg(optionsFor(peg));
    expect(await chain.client.getTransactionCount({ address: peg.deployer.address })).toBe(nonce);
  });

  test('is refused for a deployer that was used before, for another key, another chain, and without funds', async () => {
    const peg = createPeg();
    expect(await codeOf(deployPeg({ ...optionsFor(peg), signer: stranger.signer }))).toBe('WRONG_SIGNER');
    expect(
      await codeOf(deployPeg({ ...optionsFor(peg), manifest: { ...peg.manifest, l1ChainId: 1n } })),
    ).toBe('WRONG_CHAIN');
    expect(await codeOf(deployPeg(optionsFor(peg)))).toBe('NOT_FUNDED');
    await chain.fund(peg.deployer.address, 2_000n * ETHER);
    await chain.transfer(peg.deployer, stranger.address, 1n);
    expect(await codeOf(deployPeg(optionsFor(peg)))).toBe('DEPLOYER_USED');
  });

  test('a wei sent to the predicted addresses beforehand changes nothing', async () => {
    const peg = createPeg();
    for (const address of Object.values(peg.manifest.addresses)) await chain.transfer(stranger, address, 1n);
    await deployOn(chain, peg);
    expect(await verify(peg)).toMatchObject({ ok: true });
  });

  test('resumes after a crash before or after each broadcast, with one effect', async () => {
    const peg = createPeg();
    await chain.fund(peg.deployer.address, 2_000n * ETHER);
    const journal = memoryJournal();
    class Crash extends Error {}
    /** Dies right after the intent is durable, before it is broadcast. */
    const dyingAfterSave = {
      ...journal,
      save: async (intent: DeploymentIntent) => {
        await journal.save(intent);
        throw new Crash();
      },
    };
    await expect(deployPeg({ ...optionsFor(peg), journal: dyingAfterSave })).rejects.toThrow(Crash);
    expect(await chain.client.getTransactionCount({ address: peg.deployer.address })).toBe(0);
    // Dies after the factory's broadcast.
    const dyingAt = (step: string) => (progress: { step: string; state: string }) => {
      if (progress.step === step && progress.state === 'done') throw new Crash();
    };
    await expect(deployPeg({ ...optionsFor(peg, journal), onProgress: dyingAt('factory') })).rejects.toThrow(
      Crash,
    );
    await expect(deployPeg({ ...optionsFor(peg), journal: dyingAfterSave })).rejects.toThrow(Crash);
    await expect(
      deployPeg({ ...optionsFor(peg, journal), onProgress: dyingAt('deployAll') }),
    ).rejects.toThrow(Crash);
    await deployPeg(optionsFor(peg, journal));
    expect(journal.intents.map(({ step, nonce }) => [step, nonce])).toEqual([
      ['factory', 0],
      ['deployAll', 1],
    ]);
    expect(await chain.client.getTransactionCount({ address: peg.deployer.address })).toBe(2);
  });

  test('ends with what the L1 answered when it never takes the transaction', async () => {
    const peg = createPeg();
    await chain.fund(peg.deployer.address, 2_000n * ETHER);
    const journal = memoryJournal();
    const drained = {
      ...journal,
      save: async (intent: DeploymentIntent) => {
        await journal.save(intent);
        await chain.fund(peg.deployer.address, 0n);
      },
    };
    await expect(deployPeg({ ...optionsFor(peg, drained as never), timeoutMs: 2_000 })).rejects.toMatchObject(
      {
        code: 'TIMED_OUT',
        message: expect.stringMatching(/[Ii]nsufficient funds/) as unknown,
      },
    );
  });

  test('succeeds at the same addresses after an attempt that reverted', async () => {
    const peg = createPeg();
    await chain.fund(peg.deployer.address, 2_000n * ETHER);
    await chain.create(peg.deployer, peg.manifest.factoryInitCode);
    const broken = deployAllCall(peg, () => '0x5f5ffd');
    expect(
      await revertName(chain.client.simulateContract({ ...broken, account: peg.deployer.account })),
    ).toBe('CreationFailed');
    await chain.client.setNonce({ address: peg.deployer.address, nonce: 5 });
    await deployPeg(optionsFor(peg));
    expect(await verify(peg)).toMatchObject({ ok: true });
  });
});

describe('the factory', () => {
  test('obeys its deployer alone, once, for exactly the values named', async () => {
    const peg = createPeg();
    await chain.fund(peg.deployer.address, 3_000n * ETHER);
    await chain.fund(stranger.address, 3_000n * ETHER);
    await chain.create(peg.deployer, peg.manifest.factoryInitCode);
    const of = (call: ReturnType<typeof deployAllCall>, from = peg.deployer) =>
      revertName(chain.client.simulateContract({ ...call, account: from.account }));
    const call = deployAllCall(peg);
    expect(await of(call, stranger)).toBe('NotDeployer');
    expect(await of({ ...call, value: call.value + 1n })).toBe('ValueMismatch');
    expect(await of({ ...call, args: [call.args[0], [call.value]] })).toBe('ValueMismatch');
    await chain.send(peg.deployer, call);
    expect(await of(call)).toBe('AlreadyDeployed');
    expect(await of({ ...call, args: [[], []], value: 0n })).toBe('AlreadyDeployed');
  });
});

describe('verification', () => {
  test('says not final before the deployment, and before its finality', async () => {
    const peg = createPeg();
    expect(await verify(peg)).toMatchObject({ ok: false, code: 'NOT_FINAL' });
    await chain.fund(peg.deployer.address, 2_000n * ETHER);
    await chain.create(peg.deployer, peg.manifest.factoryInitCode);
    await chain.send(peg.deployer, deployAllCall(peg));
    expect(await verify(peg)).toMatchObject({ ok: false, code: 'NOT_FINAL' });
    await chain.client.mine({ blocks: 3 });
    expect(await verify(peg)).toMatchObject({ ok: true });
  });

  test('finds a contract whose immutables differ by the specification', async () => {
    const peg = createPeg();
    await deployOn(chain, peg);
    const other = createPeg({ epochLength: 7n });
    expect(await verify(other)).toMatchObject({ ok: false, code: 'CODE_DIFFERS' });
  });

  test('finds storage that the code does not show: other relayers, other validators, other backing', async () => {
    const peg = createPeg();
    await deployOn(chain, peg);
    const others = [
      createPeg({ relayers: namedKeys('other relayer', 3) }),
      createPeg({ threshold: 3 }),
      createPeg({ validators: namedKeys('other validator', 4) }),
      createPeg({ backedWei: 999n * ETHER }),
    ];
    for (const other of others)
      expect(await verify(other)).toMatchObject({ ok: false, code: 'STORAGE_DIFFERS' });
  });

  test('finds a planted storage word beside the right ones', async () => {
    const peg = createPeg();
    await chain.fund(peg.deployer.address, 2_000n * ETHER);
    await chain.create(peg.deployer, peg.manifest.factoryInitCode);
    await chain.send(peg.deployer, deployAllCall(peg));
    await chain.client.setStorageAt({
      address: peg.manifest.addresses.verifier,
      index: 0x77,
      value: `0x${'00'.repeat(31)}01`,
    });
    await chain.client.mine({ blocks: 3 });
    expect(await verify(peg)).toMatchObject({ ok: false, code: 'STORAGE_DIFFERS' });
    // The code is right all the same: storage is what a joining node does not see.
    expect(await verify(peg, 'joining')).toMatchObject({ ok: true });
  });

  test('finds other signers behind the right code, for a joining node too', async () => {
    const peg = createPeg();
    await deployOn(chain, peg);
    await chain.client.setStorageAt({
      address: peg.manifest.addresses.verifier,
      index: 3,
      value: `0x${'11'.repeat(32)}`,
    });
    await chain.client.mine({ blocks: 3 });
    expect(await verify(peg, 'joining')).toMatchObject({ ok: false, code: 'STORAGE_DIFFERS' });
    expect(await verify(peg, 'fresh')).toMatchObject({ ok: false, code: 'STORAGE_DIFFERS' });
  });

  test('is not disturbed by a stranger’s deposits, in the deployment’s block or later', async () => {
    const peg = createPeg();
    await chain.fund(peg.deployer.address, 2_000n * ETHER);
    await chain.create(peg.deployer, peg.manifest.factoryInitCode);
    await chain.client.setAutomine(false);
    const wallet = (key: typeof stranger) =>
      createWalletClient({ account: key.account, chain: chain.client.chain, transport: http(chain.url) });
    await wallet(peg.deployer).sendTransaction({
      to: peg.manifest.addresses.factory,
      data: encodeDeployAll(peg.manifest),
      value: peg.inputs.backedWei,
      gas: 16_000_000n,
      maxFeePerGas: parseEther('100', 'gwei'),
      maxPriorityFeePerGas: parseEther('50', 'gwei'),
    });
    const deposit = (value: bigint) =>
      wallet(stranger).writeContract({
        address: peg.manifest.addresses.vault,
        abi: pegVaultAbi,
        functionName: 'deposit',
        args: [stranger.address],
        value,
        gas: 200_000n,
      });
    const hash = await deposit(2n * ETHER);
    await chain.client.mine({ blocks: 1 });
    await chain.client.setAutomine(true);
    const receipt = await chain.client.getTransactionReceipt({ hash });
    expect(receipt.status).toBe('success');
    await chain.client.waitForTransactionReceipt({ hash: await deposit(ETHER) });
    await chain.client.mine({ blocks: 3 });
    expect(await verify(peg)).toMatchObject({ ok: true, deploymentBlock: receipt.blockNumber });
  });

  test('without the deployment block’s state, compares the finalised one with the deposits replayed', async () => {
    const peg = createPeg();
    await deployOn(chain, peg);
    const deposit = {
      address: peg.manifest.addresses.vault,
      abi: pegVaultAbi,
      functionName: 'deposit' as const,
      args: [stranger.address] as const,
      value: ETHER,
    };
    await chain.send(stranger, deposit);
    await chain.send(stranger, deposit);
    await chain.client.mine({ blocks: 3 });
    // An L1 restored from a dump keeps blocks and logs, and only its newest state.
    const dump = await chain.client.dumpState();
    const restored = await startAnvil(L1_CHAIN_ID);
    try {
      const after = connectChain(restored.url, L1_CHAIN_ID);
      await after.client.loadState({ state: dump });
      await after.client.mine({ blocks: 3 });
      const verdict = () =>
        verifyDeployment({ publicClient: after.client, manifest: peg.manifest, mode: 'fresh' });
      expect(await verdict()).toMatchObject({ ok: true });

      // Planted words are found as long as nothing else can have moved storage.
      const clean = await after.client.snapshot();
      await after.client.setStorageAt({
        address: peg.manifest.addresses.verifier,
        index: 0x77,
        value: `0x${'00'.repeat(31)}01`,
      });
      await after.client.mine({ blocks: 3 });
      expect(await verdict()).toMatchObject({ ok: false, code: 'HISTORY_UNAVAILABLE' });
      // A height that the planter wrote as well is no proof that anybody verified anything.
      await after.client.setStorageAt({
        address: peg.manifest.addresses.verifier,
        index: 0,
        value: `0x${'1'.padStart(16, '0')}${'0'.repeat(32)}${'1'.padStart(16, '0')}`,
      });
      await after.client.mine({ blocks: 3 });
      expect(
        await after.client.readContract({
          address: peg.manifest.addresses.verifier,
          abi: pegVerifierAbi,
          functionName: 'latestHeight',
        }),
      ).toBe(1n);
      expect(await verdict()).toMatchObject({ ok: false, code: 'HISTORY_UNAVAILABLE' });
      await after.client.revert({ id: clean });

      // Once anchored by the genesis' own signers, they have verified it: a wiped node may join.
      const args = checkpointArguments(peg, checkpointAt(peg, 1n));
      await after.send(stranger, submitCheckpointCall(peg, args));
      await after.client.mine({ blocks: 3 });
      expect(await verdict()).toMatchObject({ ok: true });
    } finally {
      await restored.stop();
    }
  });
});
