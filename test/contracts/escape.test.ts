/** The exit that needs nobody's permission (RULES 40, 41): when it opens, whom it pays, and nobody twice. */
import { createCustomCommon, Hardfork, Mainnet } from '@ethereumjs/common';
import { getMerkleStateProof, MerkleStateManager } from '@ethereumjs/statemanager';
import { Account, createAddressFromString } from '@ethereumjs/util';
import { type Hex, parseEventLogs } from 'viem';
import { PEG_GATEWAY } from '#bridge/addresses.ts';
import { pegEscapeAbi, pegVaultAbi, pegVerifierAbi } from '#bridge/contracts/artifacts/contracts.ts';
import { exitRecipientSlot, parkedSlot } from '#bridge/encoding/gatewaySlots.ts';
import { foldDeposit, type Leaf, leafHash } from '#bridge/encoding/leaf.ts';
import { addressToWord, mappingSlot, uintToWord } from '#bridge/encoding/storageWords.ts';
import {
  type Address,
  bytesToHash,
  type Hash,
  hexToBytes,
  parseAddress,
  parseHash,
  ZERO_ADDRESS,
  ZERO_HASH,
} from '#consensus/primitives.ts';
import type { Checkpoint } from '#consensus/types.ts';
import { type Anvil, startAnvil } from '#test/contracts/fixtures/anvil.ts';
import { connectChain, type TestChain } from '#test/contracts/fixtures/chain.ts';
import {
  anchorLeaves,
  claimCall,
  depositContext,
  leafOf,
  refusalOf,
} from '#test/contracts/fixtures/claims.ts';
import { DAY, govern, pass, vaultCall } from '#test/contracts/fixtures/governing.ts';
import { type NamedKey, namedKey } from '#test/contracts/fixtures/keys.ts';
import {
  checkpointArguments,
  checkpointAt,
  createPeg,
  deployOn,
  ETHER,
  L1_CHAIN_ID,
  type Peg,
  submitCheckpointCall,
} from '#test/contracts/fixtures/peg.ts';
import { createToken, TOKEN_ABI } from '#test/contracts/fixtures/tokens.ts';

const anyone = namedKey('anyone at all');
const alice = namedKey('alice');
const delegated = namedKey('delegated');
const tokenHolder = namedKey('token holder');
const depositor = namedKey('depositor');
const contract = namedKey('a contract').address;
const silent = namedKey('a contract without an exit').address;
const exit = namedKey('where the contract goes').address;
const DELEGATE = namedKey('delegate').address;
const BACKED = 1_000n * ETHER;
const MINUTE = 60;

let anvil: Anvil;
let chain: TestChain;
let peg: Peg;
let token: Address;
let clone: Address;
let snapshot: Hex;

const read = (address: Address, abi: unknown, functionName: string, args: readonly unknown[] = []) =>
  chain.client.readContract({ address, abi, functionName, args } as never) as Promise<unknown>;
const VERIFIER_ERRORS = pegVerifierAbi.filter(({ type }) => type === 'error');
const onVault = (functionName: string, args: readonly unknown[], value = 0n) => ({
  address: peg.manifest.addresses.vault,
  abi: [...pegVaultAbi, ...VERIFIER_ERRORS],
  functionName,
  args,
  value,
});
const onVerifier = (functionName: string, args: readonly unknown[] = []) => ({
  address: peg.manifest.addresses.verifier,
  abi: pegVerifierAbi,
  functionName,
  args,
});
const onEscape = (functionName: string, args: readonly unknown[]) => ({
  address: peg.manifest.addresses.escape,
  abi: [...pegEscapeAbi, ...pegVaultAbi.filter(({ type }) => type === 'error')],
  functionName,
  args,
});
const send = (call: object, from: NamedKey = anyone) => chain.send(from, call as never);
const refusal = (call: object, from: NamedKey = anyone) => refusalOf(chain, call, from);
const balance = (address: Address) => chain.client.getBalance({ address });

/** The sidechain's last state: a real trie, from which proofs come as a node would give them. */
const createState = async () => {
  const state = new MerkleStateManager({
    common: createCustomCommon({ chainId: 42424 }, Mainnet, { hardfork: Hardfork.Osaka }),
  });
  const at = createAddressFromString;
  const put = async (address: Address, wei: bigint, code?: Hex): Promise<void> => {
    await state.putAccount(at(address), new Account(1n, wei));
    if (code !== undefined) await state.putCode(at(address), hexToBytes(code));
  };
  const store = (address: Address, slot: Hash, value: Hash) =>
    state.putStorage(at(address), hexToBytes(slot), hexToBytes(value));
  for (let index = 0; index < 40; index++) await put(namedKey(`other ${index}`).address, 1n);
  await put(alice.address, 5n * ETHER);
  await put(delegated.address, 4n * ETHER, `0xef0100${DELEGATE.slice(2)}`);
  await put(contract, 3n * ETHER, '0x00');
  await put(silent, 2n * ETHER, '0x00');
  await put(PEG_GATEWAY, 1n << 128n, '0x00');
  await put(clone, 0n, '0x00');
  await store(PEG_GATEWAY, exitRecipientSlot(contract), addressToWord(exit));
  await store(PEG_GATEWAY, parkedSlot(contract), uintToWord(7n));
  const balanceSlot = (account: Address): Hash => mappingSlot(addressToWord(account), 0n);
  await store(clone, balanceSlot(tokenHolder.address), uintToWord(600n));
  await store(clone, balanceSlot(alice.address), uintToWord(300n));
  await store(clone, balanceSlot(contract), uintToWord(50n));
  await state.flush();
  const root = bytesToHash(await state.getStateRoot());
  const proofOf = async (address: Address, slot?: Hash) =>
    getMerkleStateProof(state, at(address), slot === undefined ? [] : [hexToBytes(slot)]);
  return {
    root,
    account: async (address: Address): Promise<readonly Hex[]> =>
      (await proofOf(address)).accountProof as Hex[],
    word: async (address: Address, slot: Hash): Promise<readonly Hex[]> =>
      (await proofOf(address, slot)).storageProof[0]!.proof as Hex[],
    balanceSlot,
  };
};
let state: Awaited<ReturnType<typeof createState>>;

const ownerOf = async (account: Address, fields: Record<string, unknown> = {}) => ({
  account,
  accountProof: await state.account(account),
  delegate: ZERO_ADDRESS,
  exitProof: [] as readonly Hex[],
  ...fields,
});

beforeAll(async () => {
  anvil = await startAnvil(L1_CHAIN_ID);
  chain = connectChain(anvil.url, L1_CHAIN_ID);
  peg = createPeg({ backedWei: BACKED });
  for (const { address } of [anyone, alice, depositor, tokenHolder, ...peg.sentries])
    await chain.fund(address, 100n * ETHER);
  await deployOn(chain, peg);
  const { vault } = peg.manifest.addresses;
  token = await createToken(chain, anyone, 'PlainToken');
  await govern(chain, peg, vaultCall('listToken', [token, 1n, 0n, 1_000n]));
  clone = parseAddress(await read(vault, pegVaultAbi, 'wrappedOf', [token]));
  for (const [functionName, to] of [
    ['mint', depositor.address],
    ['approve', vault],
  ] as const)
    await chain.send(depositor, { address: token, abi: TOKEN_ABI, functionName, args: [to, 10_000n] });
  await send(onVault('depositToken', [token, tokenHolder.address, 1_000n]), depositor);
  state = await createState();
});
afterAll(() => anvil.stop());
beforeEach(async () => {
  snapshot = await chain.client.snapshot();
});
afterEach(() => chain.client.revert({ id: snapshot }));

/** The listing and the tokens are imported; what comes later is not. */
const IMPORTED = 2n;
const lastCheckpoint = (fields: Partial<Checkpoint> = {}): Checkpoint =>
  checkpointAt(peg, 1n, { stateRoot: state.root, importedCount: IMPORTED, ...fields });
const anchor = (checkpoint: Checkpoint) =>
  send(submitCheckpointCall(peg, checkpointArguments(peg, checkpoint)));

/** Anchored, silent for seven days, announced, silent for seven more, activated. */
const escapeWith = async (checkpoint: Checkpoint): Promise<void> => {
  await pass(chain, 7 * DAY);
  await send(onVerifier('announceEscape'));
  await pass(chain, 7 * DAY);
  await send(onVerifier('activateEscape', [checkpoint]));
};
const escapeNow = async (): Promise<void> => {
  const checkpoint = lastCheckpoint();
  await anchor(checkpoint);
  await escapeWith(checkpoint);
};

describe('the escape opens', () => {
  test('case 48: not before seven days of silence, and not before seven more', async () => {
    const checkpoint = lastCheckpoint();
    await anchor(checkpoint);
    expect(await refusal(onVerifier('announceEscape'))).toBe('TooEarly');
    expect(await refusal(onVerifier('activateEscape', [checkpoint]))).toBe('EscapeNotAnnounced');
    await pass(chain, 7 * DAY - MINUTE);
    expect(await refusal(onVerifier('announceEscape'))).toBe('TooEarly');
    await pass(chain, MINUTE);
    await send(onVerifier('announceEscape'));
    expect(await refusal(onVerifier('announceEscape'))).toBe('EscapeUnderway');
    await pass(chain, 7 * DAY - MINUTE);
    expect(await refusal(onVerifier('activateEscape', [checkpoint]))).toBe('TooEarly');
    expect(await refusal(onEscape('claimEther', [await ownerOf(alice.address)]))).toBe('NotEscaping');
    await pass(chain, MINUTE);
    expect(await refusal(onVerifier('activateEscape', [lastCheckpoint({ height: 2n })]))).toBe('NotLatest');
    await send(onVerifier('activateEscape', [checkpoint]));
    expect(await refusal(onVerifier('activateEscape', [checkpoint]))).toBe('Escaping');
  });

  test('case 50: announced, closes deposits, until a checkpoint cancels it', async () => {
    await anchor(lastCheckpoint());
    await pass(chain, 7 * DAY);
    await send(onVerifier('announceEscape'));
    expect(await refusal(onVault('deposit', [alice.address], ETHER))).toBe('EscapeUnderway');
    const receipt = await anchor(lastCheckpoint({ height: 2n }));
    expect(
      parseEventLogs({ abi: pegVerifierAbi, logs: receipt.logs, eventName: 'EscapeCancelled' }),
    ).toHaveLength(1);
    await send(onVault('deposit', [alice.address], ETHER));
    expect(await refusal(onVerifier('announceEscape'))).toBe('TooEarly');
  });

  test('for good: checkpoints, deposits, limits, pauses, vetoes and governance end', async () => {
    const leaves = [leafOf(0, alice.address, 900n * ETHER), leafOf(1, alice.address, 99n, token)];
    const hashes = await anchorLeaves(chain, peg, leaves, 1n, {
      stateRoot: state.root,
      importedCount: IMPORTED,
    });
    const [sentry] = peg.sentries;
    await send(onVault('veto', [hashes[0]]), sentry!);
    await pass(chain, 7 * DAY);
    await send(onVerifier('announceEscape'));
    await pass(chain, 7 * DAY);
    const everything = parseAddress(`0x${'ff'.repeat(20)}`);
    await send(onVault('pause', [everything, BigInt(DAY)]), sentry!);
    const latest = {
      ...lastCheckpoint(),
      outboxCount: 2n,
      outboxRoot: claimCall(peg, leaves[0]!, hashes).args[3],
    };
    await send(onVerifier('activateEscape', [latest]));
    for (const leaf of leaves) await send(claimCall(peg, leaf, hashes));
    expect(await read(token, TOKEN_ABI, 'balanceOf', [alice.address])).toBe(99n);
    const next = checkpointArguments(peg, lastCheckpoint({ height: 2n }));
    expect(await refusal(submitCheckpointCall(peg, next))).toBe('Escaping');
    await pass(chain, DAY);
    expect(await refusal(onVault('deposit', [alice.address], ETHER))).toBe('EscapeUnderway');
    expect(await refusal(onVault('pause', [everything, 1n]), peg.sentries[1])).toBe('EscapeIsActive');
    await expect(govern(chain, peg, vaultCall('setLimit', [ZERO_ADDRESS, 1n]))).rejects.toThrow();
  });
});

describe('the escape pays', () => {
  test('ether of plain and of delegated accounts to themselves, whoever claims, and once (case 49)', async () => {
    await escapeNow();
    const before = await balance(alice.address);
    const { gasUsed } = await send(onEscape('claimEther', [await ownerOf(alice.address)]));
    expect(await balance(alice.address)).toBe(before + 5n * ETHER);
    expect(gasUsed).toBeLessThan(320_000n);
    expect(await refusal(onEscape('claimEther', [await ownerOf(alice.address)]))).toBe('AlreadyPaid');
    expect(await refusal(onEscape('claimEther', [await ownerOf(delegated.address)]))).toBe('NoExitRecipient');
    await send(onEscape('claimEther', [await ownerOf(delegated.address, { delegate: DELEGATE })]));
    expect(await balance(delegated.address)).toBe(4n * ETHER);
    expect(await read(peg.manifest.addresses.vault, pegVaultAbi, 'locked', [ZERO_ADDRESS])).toBe(
      BACKED - 9n * ETHER,
    );
  });

  test('what a contract owns only where the contract itself said', async () => {
    await escapeNow();
    const exitProof = await state.word(PEG_GATEWAY, exitRecipientSlot(contract));
    const owner = await ownerOf(contract, { exitProof });
    expect(await refusal(onEscape('claimEther', [owner]))).toBe('StorageNotProven');
    await send(onEscape('proveStorage', [PEG_GATEWAY, await state.account(PEG_GATEWAY)]));
    await send(onEscape('claimEther', [owner]));
    const parkedProof = await state.word(PEG_GATEWAY, parkedSlot(contract));
    await send(onEscape('claimParked', [owner, parkedProof]));
    expect(await refusal(onEscape('claimParked', [owner, parkedProof]))).toBe('AlreadyPaid');
    expect(await balance(exit)).toBe(3n * ETHER + 7n);
    expect(await refusal(onEscape('claimEther', [await ownerOf(silent)]))).toBe('NoExitRecipient');
    // Another contract's exit is not this one's.
    expect(await refusal(onEscape('claimEther', [await ownerOf(silent, { exitProof })]))).toMatch(
      /TrieProofTraversalError|RLP/,
    );
  });

  test('never the gateway', async () => {
    await escapeNow();
    expect(await refusal(onEscape('claimEther', [await ownerOf(PEG_GATEWAY)]))).toBe('Excluded');
  });

  test('tokens by the clone’s storage, proven once, also to a holder that the state has no account of', async () => {
    await escapeNow();
    await send(onEscape('proveStorage', [clone, await state.account(clone)]));
    await send(onEscape('proveStorage', [PEG_GATEWAY, await state.account(PEG_GATEWAY)]));
    const proof = (account: Address) => state.word(clone, state.balanceSlot(account));
    const ofAlice = [token, await ownerOf(alice.address), await proof(alice.address)];
    const { gasUsed } = await send(onEscape('claimToken', ofAlice));
    expect(gasUsed).toBeLessThan(320_000n);
    expect(await refusal(onEscape('claimToken', ofAlice))).toBe('AlreadyPaid');
    const absent = await ownerOf(tokenHolder.address, { accountProof: [] });
    const ofHolder = [token, absent, await proof(tokenHolder.address)];
    expect(await refusal(onEscape('claimToken', ofHolder))).toBe('KeyMustCall');
    await send(onEscape('claimToken', ofHolder), tokenHolder);
    const exitProof = await state.word(PEG_GATEWAY, exitRecipientSlot(contract));
    await send(
      onEscape('claimToken', [token, await ownerOf(contract, { exitProof }), await proof(contract)]),
    );
    const held = (account: Address) => read(token, TOKEN_ABI, 'balanceOf', [account]);
    expect([await held(alice.address), await held(tokenHolder.address), await held(exit)]).toEqual([
      300n,
      600n,
      50n,
    ]);
    expect(await read(peg.manifest.addresses.vault, pegVaultAbi, 'locked', [token])).toBe(50n);
  });

  test('nothing for a proof of another account, a shortened one, or another state', async () => {
    await escapeNow();
    const honest = await ownerOf(alice.address);
    const foreign = await ownerOf(alice.address, { accountProof: await state.account(delegated.address) });
    const short = { ...honest, accountProof: honest.accountProof.slice(0, -1) };
    const changed = {
      ...honest,
      accountProof: [
        ...honest.accountProof.slice(0, -1),
        `${honest.accountProof.at(-1)!.slice(0, -2)}00` as Hex,
      ],
    };
    for (const owner of [foreign, short, changed])
      expect(await refusal(onEscape('claimEther', [owner]))).toMatch(/TrieProofTraversalError|RLP/);
    expect(await refusal(onEscape('claimEther', [{ ...honest, accountProof: [] }]), alice)).toBe(
      'NothingOwed',
    );
    expect(await refusal(onVault('payEscape', [ZERO_ADDRESS, alice.address, 1n]))).toBe('NotEscape');
  });
});

describe('deposits that were not imported', () => {
  const leaves: Leaf[] = [];
  /** Ether, a token, ether; the chain's hash before each of them. */
  const depositThree = async (): Promise<readonly Hash[]> => {
    const { vault } = peg.manifest.addresses;
    const hashes = [parseHash(await read(vault, pegVaultAbi, 'depositHash'))];
    leaves.length = 0;
    for (const [nonce, amount, of] of [
      [2n, ETHER, ZERO_ADDRESS],
      [3n, 500n, token],
      [4n, 2n * ETHER, ZERO_ADDRESS],
    ] as const) {
      await send(
        of === ZERO_ADDRESS
          ? onVault('deposit', [alice.address], amount)
          : onVault('depositToken', [token, alice.address, amount]),
        depositor,
      );
      const leaf = { ...leafOf(Number(nonce), alice.address, amount, of), sender: depositor.address };
      leaves.push(leaf);
      hashes.push(foldDeposit(hashes.at(-1)!, leafHash(depositContext(peg), leaf)));
    }
    expect(await read(vault, pegVaultAbi, 'depositHash')).toBe(hashes[3]);
    return hashes.slice(0, 3);
  };
  const refundCall = (from: number, to: number, before: readonly Hash[]) => {
    const newestFirst = leaves.slice(to, from + 1).reverse();
    return onEscape('refund', [
      newestFirst.map(({ nonce: _, ...rest }) => rest),
      before.slice(to, from + 1).reverse(),
    ]);
  };

  test('go back to their senders, newest first, each once', async () => {
    await anchor(lastCheckpoint());
    const before = await depositThree();
    await escapeWith(lastCheckpoint());
    const ether = await balance(depositor.address);
    expect(await refusal(refundCall(1, 1, before))).toBe('WrongDeposit');
    const { gasUsed } = await send(refundCall(2, 2, before));
    console.info(`gas: refund alone ${gasUsed}`);
    expect(await refusal(refundCall(2, 2, before))).toBe('WrongDeposit');
    await send(refundCall(1, 0, before));
    expect(await balance(depositor.address)).toBe(ether + 3n * ETHER);
    expect(await read(token, TOKEN_ABI, 'balanceOf', [depositor.address])).toBe(9_000n);
    expect(await read(peg.manifest.addresses.escape, pegEscapeAbi, 'unwoundTo')).toBe(IMPORTED);
    // Below lies what the last checkpoint had imported: it is paid as balances, never as a refund.
    expect(await refusal(refundCall(0, 0, [ZERO_HASH]))).toBe('NothingToRefund');
  });

  test('are never lost for want of gas: with too little the refund reverts', async () => {
    await anchor(lastCheckpoint());
    const before = await depositThree();
    await escapeWith(lastCheckpoint());
    expect(await refusal({ ...refundCall(2, 2, before), gas: 300_000n })).toBe('NotEnoughGas');
  });
});
