/**
 * Deploys the peg's contracts from an account that is used for nothing else (RULES 34).
 *
 * Two transactions: the factory (deployer's nonce 0), then `deployAll`, atomic, which may be repeated when it
 * reverted. Each signed transaction is given to the journal before it is broadcast; a run after a crash at any step
 * finds out from the chain and the journal where it was, and broadcasts again what it had signed. Ends when the
 * result is verified at finality. Does not own keys or the journal's file.
 */
import { BaseError, type Hex as EthHex, keccak256, type PublicClient, serializeTransaction } from 'viem';
import { pegFactoryAbi } from '#bridge/contracts/artifacts/contracts.ts';
import { DeploymentError } from '#bridge/deployment/errors.ts';
import { encodeDeployAll, type PegManifest } from '#bridge/deployment/manifest.ts';
import { replayDeployment } from '#bridge/deployment/replay.ts';
import { verifyDeployment } from '#bridge/deployment/verifyDeployment.ts';
import { type Hash, type Hex, hexToBytes, parseHash, type Signature } from '#consensus/primitives.ts';
import type { Signer } from '#consensus/signer.ts';

/** The transaction gas cap of Osaka (EIP-7825). */
export const MAX_TRANSACTION_GAS = 16_777_216n;

export type DeploymentStep = 'factory' | 'deployAll';

/** A transaction signed and about to be broadcast. */
export type DeploymentIntent = {
  readonly step: DeploymentStep;
  readonly nonce: number;
  readonly raw: Hex;
  readonly hash: Hash;
};

export interface DeploymentJournal {
  /** Every intent saved so far, oldest first. */
  load(): Promise<readonly DeploymentIntent[]>;
  /** Durable when it resolves: nothing is broadcast before. */
  save(intent: DeploymentIntent): Promise<void>;
}

export type DeploymentProgress =
  | { readonly step: DeploymentStep; readonly state: 'broadcast'; readonly hash: Hash }
  | { readonly step: DeploymentStep; readonly state: 'done' }
  | { readonly step: 'finality'; readonly state: 'waiting'; readonly reason: string };

export type DeployPegOptions = {
  readonly manifest: PegManifest;
  readonly publicClient: PublicClient;
  readonly signer: Signer;
  readonly journal: DeploymentJournal;
  readonly onProgress?: (progress: DeploymentProgress) => void;
  readonly pollMs?: number;
  /** For the whole deployment, finality included. */
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal;
};

export type DeployedPeg = {
  readonly deploymentBlock: bigint;
  readonly finalizedBlock: bigint;
  /** Null for a step that an earlier run had finished without a journal. */
  readonly transactions: Readonly<Record<DeploymentStep, Hash | null>>;
};

/** @throws DeploymentError */
export const deployPeg = async (options: DeployPegOptions): Promise<DeployedPeg> => {
  const { manifest, publicClient: client, signer } = options;
  if (signer.address !== manifest.deployer)
    throw new DeploymentError(
      'WRONG_SIGNER',
      `expected the key of deployer ${manifest.deployer}, found ${signer.address}: the specification names the deployer`,
    );
  const chainId = BigInt(await client.getChainId());
  if (chainId !== manifest.l1ChainId)
    throw new DeploymentError(
      'WRONG_CHAIN',
      `expected L1 chain id ${manifest.l1ChainId}, found ${chainId}: point at the right L1`,
    );
  const factoryCode = (await replayDeployment(manifest))[0]!.code;
  const timer = createPoller(options);

  if (!(await hasFactory(options, factoryCode))) await finishStep('factory', options, timer, factoryCode);
  options.onProgress?.({ step: 'factory', state: 'done' });
  if (!(await isDeployed(options))) await finishStep('deployAll', options, timer, factoryCode);
  options.onProgress?.({ step: 'deployAll', state: 'done' });
  return finishAtFinality(options, timer);
};

/** Refuses a deployer that was used for anything else, because then no address is where the genesis says. */
const hasFactory = async (options: DeployPegOptions, factoryCode: Hex): Promise<boolean> => {
  const { publicClient: client, manifest } = options;
  const [nonce, found] = await Promise.all([
    client.getTransactionCount({ address: manifest.deployer }),
    client.getCode({ address: manifest.addresses.factory }),
  ]);
  if (found?.toLowerCase() === factoryCode) return true;
  if (nonce === 0 && (found === undefined || found === '0x')) return false;
  throw new DeploymentError(
    'DEPLOYER_USED',
    `expected deployer ${manifest.deployer} unused, or with our factory at ${manifest.addresses.factory}, found nonce ${nonce} and ${found === undefined || found === '0x' ? 'no' : 'other'} code there: make a new deployer key and build the genesis again with it`,
  );
};

const isDeployed = ({ publicClient, manifest }: DeployPegOptions): Promise<boolean> =>
  publicClient.readContract({
    address: manifest.addresses.factory,
    abi: pegFactoryAbi,
    functionName: 'deployed',
  });

type Poller = { readonly pause: (waitingFor: string) => Promise<void> };

const createPoller = ({ pollMs = 500, timeoutMs = 600_000, signal }: DeployPegOptions): Poller => {
  const limit = AbortSignal.timeout(timeoutMs);
  const stop = signal === undefined ? limit : AbortSignal.any([signal, limit]);
  return {
    pause: (waitingFor) =>
      new Promise((resolve, reject) => {
        const fail = () => {
          clearTimeout(timer);
          reject(
            signal?.aborted
              ? signal.reason
              : new DeploymentError(
                  'TIMED_OUT',
                  `expected ${waitingFor} within ${timeoutMs} ms: check that the L1 makes blocks, then run the command again, it resumes`,
                ),
          );
        };
        const timer = setTimeout(() => {
          stop.removeEventListener('abort', fail);
          resolve();
        }, pollMs);
        if (stop.aborted) fail();
        else stop.addEventListener('abort', fail, { once: true });
      }),
  };
};

/** Signs or takes up the step's transaction, and broadcasts until its effect shows. */
const finishStep = async (
  step: DeploymentStep,
  options: DeployPegOptions,
  timer: Poller,
  factoryCode: Hex,
): Promise<void> => {
  const { publicClient: client, manifest, journal, onProgress } = options;
  const isDone = () => (step === 'factory' ? hasFactory(options, factoryCode) : isDeployed(options));
  const nonce = await client.getTransactionCount({ address: manifest.deployer });
  const known = (await journal.load()).findLast((intent) => intent.step === step && intent.nonce === nonce);
  const intent = known ?? (await signStep(step, nonce, options));
  if (known === undefined) await journal.save(intent);
  onProgress?.({ step, state: 'broadcast', hash: intent.hash });
  for (;;) {
    const refusal = await broadcast(client, intent);
    const receipt = await client.getTransactionReceipt({ hash: intent.hash }).catch(() => null);
    if (receipt?.status === 'reverted') throw revertedError(step, intent);
    if (receipt !== null && (await isDone())) return;
    await timer.pause(
      `${step} transaction ${intent.hash} in a block${refusal === null ? '' : ` (the L1 answered: ${refusal})`}`,
    );
  }
};

const revertedError = (step: DeploymentStep, { hash }: DeploymentIntent): DeploymentError =>
  step === 'factory'
    ? new DeploymentError(
        'FACTORY_FAILED',
        `expected ${hash} to create the factory, found it reverted: its nonce is spent; make a new deployer key and build the genesis again`,
      )
    : new DeploymentError(
        'DEPLOY_REVERTED',
        `expected ${hash} to create the contracts, found it reverted: nothing was created; run the command again`,
      );

/**
 * An endpoint that has it already, or that has mined it, refuses: the receipt tells, so a refusal is not an end.
 * @returns what the endpoint answered instead of taking it, for the error that may follow
 */
const broadcast = async (client: PublicClient, { raw, hash }: DeploymentIntent): Promise<string | null> => {
  if ((await client.getTransactionReceipt({ hash }).catch(() => null)) !== null) return null;
  return client.sendRawTransaction({ serializedTransaction: raw }).then(
    () => null,
    (error: unknown) => (error instanceof BaseError ? error.details : String(error)),
  );
};

const signStep = async (
  step: DeploymentStep,
  nonce: number,
  options: DeployPegOptions,
): Promise<DeploymentIntent> => {
  const { publicClient: client, manifest, signer } = options;
  const call =
    step === 'factory'
      ? { data: manifest.factoryInitCode, value: 0n }
      : { to: manifest.addresses.factory, data: encodeDeployAll(manifest), value: manifest.backedWei };
  const [fees, balance] = await Promise.all([
    client.estimateFeesPerGas(),
    client.getBalance({ address: manifest.deployer }),
  ]);
  if (balance < call.value) throw notFunded(manifest, call.value, balance);
  const estimated = await client.estimateGas({ account: manifest.deployer, ...call });
  const gas = (estimated * 12n) / 10n;
  if (gas > MAX_TRANSACTION_GAS)
    throw new DeploymentError(
      'TOO_MUCH_GAS',
      `expected ${step} to need at most ${MAX_TRANSACTION_GAS} gas, found ${gas}: too many validators or relayers for one transaction`,
    );
  const needed = call.value + gas * fees.maxFeePerGas;
  if (balance < needed) throw notFunded(manifest, needed, balance);
  const transaction = {
    type: 'eip1559' as const,
    chainId: Number(manifest.l1ChainId),
    nonce,
    gas,
    maxFeePerGas: fees.maxFeePerGas,
    maxPriorityFeePerGas: fees.maxPriorityFeePerGas,
    ...call,
  };
  const unsigned = serializeTransaction(transaction);
  const signature = await signer.sign({ kind: 'transaction', unsigned: hexToBytes(unsigned) });
  const raw = serializeTransaction(transaction, splitSignature(signature)) as Hex;
  return { step, nonce, raw, hash: parseHash(keccak256(raw)) };
};

const notFunded = (manifest: PegManifest, needed: bigint, found: bigint): DeploymentError =>
  new DeploymentError(
    'NOT_FUNDED',
    `expected deployer ${manifest.deployer} to hold at least ${needed} wei on the L1 (backing and gas), found ${found}: fund it and run the command again`,
  );

const splitSignature = (signature: Signature): { r: EthHex; s: EthHex; yParity: 0 | 1 } => ({
  r: `0x${signature.slice(2, 66)}`,
  s: `0x${signature.slice(66, 130)}`,
  yParity: signature.endsWith('1c') ? 1 : 0,
});

const finishAtFinality = async (options: DeployPegOptions, timer: Poller): Promise<DeployedPeg> => {
  const { publicClient, manifest, journal } = options;
  for (;;) {
    const verdict = await verifyDeployment({ publicClient, manifest, mode: 'fresh' });
    if (verdict.ok) {
      const intents = await journal.load();
      const hashOf = (step: DeploymentStep) =>
        intents.findLast((intent) => intent.step === step)?.hash ?? null;
      return {
        deploymentBlock: verdict.deploymentBlock!,
        finalizedBlock: verdict.finalizedBlock,
        transactions: { factory: hashOf('factory'), deployAll: hashOf('deployAll') },
      };
    }
    if (verdict.code !== 'NOT_FINAL') throw new DeploymentError('VERIFICATION_FAILED', verdict.message);
    options.onProgress?.({ step: 'finality', state: 'waiting', reason: verdict.message });
    await timer.pause('the deployment at a finalized L1 block');
  }
};
