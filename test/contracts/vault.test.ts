import { encodeFunctionData, type Hex, parseEventLogs } from 'viem';
import { PEG_GATEWAY } from '#bridge/addresses.ts';
import { pegVaultAbi, wrappedEtherAbi } from '#bridge/contracts/artifacts/contracts.ts';
import {
  EMPTY_DEPOSIT_HASH,
  foldDeposit,
  type Leaf,
  type LeafContext,
  leafHash,
} from '#bridge/encoding/leaf.ts';
import { EMPTY_OUTBOX_ROOT, outboxProof, outboxRoot } from '#bridge/encoding/outboxTree.ts';
import { type Address, type Hash, parseAddress, ZERO_ADDRESS, ZERO_HASH } from '#consensus/primitives.ts';
import { type Anvil, startAnvil } from '#test/contracts/fixtures/anvil.ts';
import {
  caller,
  creationOf,
  GAS_BURNER,
  REJECTOR,
  RETURN_BOMB,
  REVERT_BOMB,
} from '#test/contracts/fixtures/bytecode.ts';
import { connectChain, creationRevert, revertName, type TestChain } from '#test/contracts/fixtures/chain.ts';
import { createdAddress } from '#test/contracts/fixtures/created.ts';
import { type NamedKey, namedKey } from '#test/contracts/fixtures/keys.ts';
import {
  checkpointArguments,
  checkpointAt,
  createPeg,
  deployOn,
  ETHER,
  hashOf,
  L1_CHAIN_ID,
  type Peg,
  submitCheckpointCall,
} from '#test/contracts/fixtures/peg.ts';

const alice = namedKey('alice');
const bob = namedKey('bob');
const BACKED = 1_000n * ETHER;

let anvil: Anvil;
let chain: TestChain;
let peg: Peg;
let vault: Address;
let deposits: LeafContext;
let withdrawals: LeafContext;
let snapshot: Hex;

beforeAll(async () => {
  anvil = await startAnvil(L1_CHAIN_ID);
  chain = connectChain(anvil.url, L1_CHAIN_ID);
  for (const { address } of [alice, bob]) await chain.fund(address, 1_000n * ETHER);
  peg = createPeg({ backedWei: BACKED });
  await deployOn(chain, peg);
  vault = peg.manifest.addresses.vault;
  deposits = {
    srcChainId: peg.inputs.l1ChainId,
    dstChainId: peg.inputs.sidechainId,
    srcBridge: vault,
    dstBridge: PEG_GATEWAY,
  };
  withdrawals = {
    srcChainId: peg.inputs.sidechainId,
    dstChainId: peg.inputs.l1ChainId,
    srcBridge: PEG_GATEWAY,
    dstBridge: vault,
  };
});
afterAll(() => anvil.stop());
beforeEach(async () => {
  snapshot = await chain.client.snapshot();
});
afterEach(() => chain.client.revert({ id: snapshot }));

const nativeLeaf = (nonce: bigint, sender: Address, recipient: Address, amount: bigint): Leaf => ({
  kind: 0,
  nonce,
  token: ZERO_ADDRESS,
  sender,
  recipient,
  amount,
  fee: 0n,
  dataHash: ZERO_HASH,
});

const depositCall = (recipient: Address, value: bigint) => ({
  address: vault,
  abi: pegVaultAbi,
  functionName: 'deposit' as const,
  args: [recipient] as const,
  value,
});
const locked = () =>
  chain.client.readContract({
    address: vault,
    abi: pegVaultAbi,
    functionName: 'locked',
    args: [ZERO_ADDRESS],
  });
const depositHash = () =>
  chain.client.readContract({ address: vault, abi: pegVaultAbi, functionName: 'depositHash' });
const depositCount = () =>
  chain.client.readContract({ address: vault, abi: pegVaultAbi, functionName: 'depositCount' });

describe('a deposit', () => {
  test('to zero, a precompile, a predeploy, the peg or a system contract is refused', async () => {
    const { verifier } = peg.manifest.addresses;
    const refused: Address[] = [
      ZERO_ADDRESS,
      parseAddress('0x0000000000000000000000000000000000000001'),
      PEG_GATEWAY,
      parseAddress('0x000000000000000000000000000000000000ffff'),
      vault,
      verifier,
      parseAddress('0x4e59b44847b379578588920cA78FbF26c0B4956C'),
      parseAddress('0x0000F90827F1C53a10cb7A02335B175320002935'),
      parseAddress('0x000F3df6D732807Ef1319fB7B8bB8522d0Beac02'),
    ];
    for (const recipient of refused)
      expect(
        await revertName(
          chain.client.simulateContract({ ...depositCall(recipient, ETHER), account: alice.account }),
        ),
      ).toBe('RecipientRefused');
    await chain.client.simulateContract({
      ...depositCall(parseAddress('0x0000000000000000000000000000000000010000'), ETHER),
      account: alice.account,
    });
  });

  test('below the minimum is refused, and ether sent without a deposit too', async () => {
    const minimum = await chain.client.readContract({
      address: vault,
      abi: pegVaultAbi,
      functionName: 'MIN_AMOUNT',
    });
    const of = (value: bigint) =>
      revertName(
        chain.client.simulateContract({ ...depositCall(bob.address, value), account: alice.account }),
      );
    expect(await of(0n)).toBe('AmountOutOfRange');
    expect(await of(minimum - 1n)).toBe('AmountOutOfRange');
    expect(await of(minimum)).toBe('no revert');
    await expect(chain.client.call({ account: alice.address, to: vault, value: ETHER })).rejects.toThrow();
    await chain.fund(alice.address, 1n << 130n);
    expect(await of((1n << 128n) - 1n - BACKED)).toBe('no revert');
    expect(await of((1n << 128n) - BACKED)).toBe('AmountOutOfRange');
  });

  test('is locked, numbered, and folded into the hash chain as our own encoding folds it', async () => {
    let chainHash = EMPTY_DEPOSIT_HASH;
    expect(await depositHash()).toBe(chainHash);
    for (const [nonce, amount] of [ETHER, ETHER, 3n * ETHER].entries()) {
      const receipt = await chain.send(alice, depositCall(bob.address, amount));
      const leaf = leafHash(deposits, nativeLeaf(BigInt(nonce), alice.address, bob.address, amount));
      chainHash = foldDeposit(chainHash, leaf);
      const [event] = parseEventLogs({ abi: pegVaultAbi, logs: receipt.logs, eventName: 'Deposited' });
      expect(event!.args).toMatchObject({ nonce: BigInt(nonce), kind: 0, amount, fee: 0n, leaf, chainHash });
      expect(await depositHash()).toBe(chainHash);
    }
    expect(await depositCount()).toBe(3n);
    expect(await locked()).toBe(BACKED + 5n * ETHER);
  });

  test('made twice in one transaction, identically, counts twice', async () => {
    const data = encodeFunctionData({ abi: pegVaultAbi, functionName: 'deposit', args: [bob.address] });
    const { contractAddress } = await chain.create(alice, creationOf(caller(vault, data, 2, ETHER)));
    const twice = parseAddress(contractAddress);
    await chain.transfer(alice, twice, 2n * ETHER);
    expect(await depositCount()).toBe(2n);
    const folded = [0n, 1n]
      .map((nonce) => leafHash(deposits, nativeLeaf(nonce, twice, bob.address, ETHER)))
      .reduce(foldDeposit, EMPTY_DEPOSIT_HASH);
    expect(await depositHash()).toBe(folded);
    expect(await locked()).toBe(BACKED + 2n * ETHER);
  });
});

/** Burns that an honest sidechain would show, anchored by a checkpoint. */
const anchor = async (leaves: readonly Leaf[], height = 1n): Promise<readonly Hash[]> => {
  const hashes = leaves.map((leaf) => leafHash(withdrawals, leaf));
  const c = checkpointAt(peg, height, { outboxCount: BigInt(leaves.length), outboxRoot: outboxRoot(hashes) });
  await chain.send(alice, submitCheckpointCall(peg, checkpointArguments(peg, c)));
  return hashes;
};

type Proof = readonly Hash[] & { readonly length: 32 };
const claimArguments = (leaf: Leaf, hashes: readonly Hash[], index = Number(leaf.nonce)) => {
  const { siblings, root } = outboxProof(hashes, index);
  return [leaf, BigInt(index), siblings as never as Proof as never, root] as const;
};
const claimCall = (args: ReturnType<typeof claimArguments>) => ({
  address: vault,
  abi: pegVaultAbi,
  functionName: 'claim' as const,
  args,
});
const claimToCall = (args: ReturnType<typeof claimArguments>, to: Address) => ({
  address: vault,
  abi: pegVaultAbi,
  functionName: 'claimTo' as const,
  args: [...args, to] as const,
});
const refusal = (args: ReturnType<typeof claimArguments>, from: NamedKey = alice) =>
  revertName(chain.client.simulateContract({ ...claimCall(args), account: from.account }));
const balance = (address: Address) => chain.client.getBalance({ address });
const isClaimed = (index: bigint) =>
  chain.client.readContract({ address: vault, abi: pegVaultAbi, functionName: 'isClaimed', args: [index] });

describe('a claim', () => {
  const fresh = namedKey('fresh recipient').address;

  test('works once, for anyone who calls, and pays exactly the amount to the recipient', async () => {
    const leaves = [0n, 1n, 2n].map((nonce) => nativeLeaf(nonce, bob.address, fresh, (nonce + 1n) * ETHER));
    const hashes = await anchor(leaves);
    const args = claimArguments(leaves[1]!, hashes);
    const receipt = await chain.send(alice, claimCall(args));
    const [event] = parseEventLogs({ abi: pegVaultAbi, logs: receipt.logs, eventName: 'Claimed' });
    expect(event!.args).toMatchObject({ index: 1n, leaf: hashes[1], amount: 2n * ETHER });
    expect(await balance(fresh)).toBe(2n * ETHER);
    expect(await locked()).toBe(BACKED - 2n * ETHER);
    expect(await balance(vault)).toBe(BACKED - 2n * ETHER);
    expect([await isClaimed(0n), await isClaimed(1n), await isClaimed(2n)]).toEqual([false, true, false]);
    expect(await refusal(args)).toBe('AlreadyClaimed');
  });

  test('under a later root pays what an earlier burn is owed, and not again under the old root', async () => {
    const first = [nativeLeaf(0n, bob.address, fresh, ETHER)];
    const early = await anchor(first);
    const both = [...first, nativeLeaf(1n, bob.address, fresh, ETHER)];
    const late = await anchor(both, 2n);
    await chain.send(alice, claimCall(claimArguments(both[0]!, late)));
    expect(await refusal(claimArguments(first[0]!, early))).toBe('AlreadyClaimed');
    expect(await refusal(claimArguments(both[1]!, late))).toBe('no revert');
  });

  test('is refused for any changed field of the leaf', async () => {
    const leaf = nativeLeaf(0n, bob.address, fresh, ETHER);
    const hashes = await anchor([leaf]);
    const args = claimArguments(leaf, hashes);
    const changed = (fields: Partial<Leaf>) => refusal([{ ...leaf, ...fields }, args[1], args[2], args[3]]);
    expect(await changed({ amount: 2n * ETHER })).toBe('ProofInvalid');
    expect(await changed({ recipient: alice.address })).toBe('ProofInvalid');
    expect(await changed({ sender: alice.address })).toBe('ProofInvalid');
    expect(await changed({ fee: 1n })).toBe('ProofInvalid');
    expect(await changed({ dataHash: hashOf('data') })).toBe('ProofInvalid');
    expect(await changed({ nonce: 1n })).toBe('WrongIndex');
    expect(await changed({ token: alice.address })).toBe('UnsupportedKind');
    expect(await changed({ kind: 1 })).toBe('UnsupportedKind');
  });

  test('against a root never accepted, zero, empty, or too short for the index is refused', async () => {
    const leaves = [0n, 1n].map((nonce) => nativeLeaf(nonce, bob.address, fresh, ETHER));
    const hashes = await anchor(leaves.slice(0, 1));
    const all = leaves.map((leaf) => leafHash(withdrawals, leaf));
    const args = claimArguments(leaves[0]!, hashes);
    expect(await refusal(claimArguments(leaves[1]!, all))).toBe('NotCovered');
    for (const root of [ZERO_HASH, EMPTY_OUTBOX_ROOT, hashOf('never')])
      expect(await refusal([args[0], args[1], args[2], root])).toBe('NotCovered');
    expect(await refusal([args[0], 2n ** 64n - 1n, args[2], args[3]])).toBe('NotCovered');
  });

  test('with an inner node or an empty place as the leaf, or a proof of another length, is refused', async () => {
    const leaves = [0n, 1n].map((nonce) => nativeLeaf(nonce, bob.address, fresh, ETHER));
    const hashes = await anchor(leaves);
    const args = claimArguments(leaves[0]!, hashes);
    const lifted = [...outboxProof(hashes, 0).siblings.slice(1), ZERO_HASH];
    expect(await refusal([args[0], args[1], lifted as never, args[3]])).toBe('ProofInvalid');
    const data = encodeFunctionData(claimCall(args));
    const call = (changed: Hex) => chain.client.call({ account: alice.address, to: vault, data: changed });
    await call(data);
    await expect(call(data.slice(0, -64) as Hex)).rejects.toThrow();
  });

  test('of a deposit leaf, of another vault, or from another chain is refused', async () => {
    const leaf = nativeLeaf(0n, bob.address, fresh, ETHER);
    const foreign: LeafContext[] = [
      deposits,
      { ...withdrawals, dstBridge: bob.address },
      { ...withdrawals, dstChainId: 1n },
      { ...withdrawals, srcChainId: 1n },
      { ...withdrawals, srcBridge: bob.address },
    ];
    for (const [at, context] of foreign.entries()) {
      const hashes = [leafHash(context, leaf)];
      const c = checkpointAt(peg, BigInt(at + 1), {
        outboxCount: BigInt(at + 1),
        outboxRoot: outboxRoot(hashes),
      });
      await chain.send(alice, submitCheckpointCall(peg, checkpointArguments(peg, c)));
      expect(await refusal(claimArguments(leaf, hashes))).toBe('ProofInvalid');
    }
  });

  test('above what is locked is refused', async () => {
    const leaf = nativeLeaf(0n, bob.address, fresh, BACKED + 1n);
    expect(await refusal(claimArguments(leaf, await anchor([leaf])))).toBe('LockedTooLow');
  });

  test('repeated from inside the payment pays once', async () => {
    const attacker = createdAddress(
      alice.address,
      (await chain.client.getTransactionCount({ address: alice.address })) + 1,
    );
    const leaves = [0n, 1n].map((nonce) => nativeLeaf(nonce, bob.address, attacker, ETHER));
    const hashes = await anchor(leaves);
    const data = encodeFunctionData(claimCall(claimArguments(leaves[1]!, hashes)));
    const { contractAddress } = await chain.create(alice, creationOf(caller(vault, data)));
    expect(contractAddress!.toLowerCase()).toBe(attacker);
    await chain.send(bob, claimCall(claimArguments(leaves[0]!, hashes)));
    // The inner claim ran and failed (1 + 0); the outer one paid.
    expect(BigInt((await chain.client.getStorageAt({ address: attacker, slot: '0x0' }))!)).toBe(1n);
    expect(await balance(attacker)).toBe(ETHER);
    expect([await isClaimed(0n), await isClaimed(1n)]).toEqual([true, false]);
  });

  test('repeated by the recipient itself, with all the gas there is, pays once', async () => {
    const nonce = await chain.client.getTransactionCount({ address: alice.address });
    const attacker = createdAddress(alice.address, nonce + 1);
    const leaf = nativeLeaf(0n, bob.address, attacker, ETHER);
    const hashes = await anchor([leaf]);
    const data = encodeFunctionData(claimCall(claimArguments(leaf, hashes)));
    await chain.create(alice, creationOf(caller(vault, data)));
    await chain.transfer(alice, attacker, 0n);
    // The outer claim succeeded (1 + 1) after the inner one, which had stored 1 + 0.
    expect(BigInt((await chain.client.getStorageAt({ address: attacker, slot: '0x0' }))!)).toBe(2n);
    expect(await balance(attacker)).toBe(ETHER);
    expect(await locked()).toBe(BACKED - ETHER);
  });

  test('for a recipient that refuses, burns its gas or reverts with a bomb pays wrapped ether', async () => {
    const faults: readonly Hex[] = [REJECTOR, GAS_BURNER, REVERT_BOMB];
    const recipients: Address[] = [];
    for (const runtime of faults)
      recipients.push(parseAddress((await chain.create(alice, creationOf(runtime))).contractAddress));
    const leaves = recipients.map((recipient, index) =>
      nativeLeaf(BigInt(index), bob.address, recipient, ETHER),
    );
    const hashes = await anchor(leaves);
    const { weth } = peg.manifest.addresses;
    const wrapped = (address: Address) =>
      chain.client.readContract({
        address: weth,
        abi: wrappedEtherAbi,
        functionName: 'balanceOf',
        args: [address],
      });
    for (const leaf of leaves) {
      const { gasUsed } = await chain.send(bob, claimCall(claimArguments(leaf, hashes)));
      expect(await isClaimed(leaf.nonce)).toBe(true);
      expect([await balance(leaf.recipient), await wrapped(leaf.recipient)]).toEqual([0n, ETHER]);
      expect(gasUsed).toBeLessThan(280_000n);
    }
    expect(await locked()).toBe(BACKED - 3n * ETHER);
    expect(await balance(weth)).toBe(3n * ETHER);
  });

  test('for a recipient that returns a bomb pays, and its bytes are never copied', async () => {
    const bomb = parseAddress((await chain.create(alice, creationOf(RETURN_BOMB))).contractAddress);
    const leaf = nativeLeaf(0n, bob.address, bomb, ETHER);
    const receipt = await chain.send(alice, claimCall(claimArguments(leaf, await anchor([leaf]))));
    expect(await balance(bomb)).toBe(ETHER);
    expect(receipt.gasUsed).toBeLessThan(160_000n);
  });

  test('with too little gas for the recipient says so', async () => {
    const leaf = nativeLeaf(0n, bob.address, fresh, ETHER);
    const call = { ...claimCall(claimArguments(leaf, await anchor([leaf]))), account: alice.account };
    expect(await revertName(chain.client.simulateContract({ ...call, gas: 170_000n }))).toBe('NotEnoughGas');
    expect(await revertName(chain.client.simulateContract({ ...call, gas: 230_000n }))).toBe('no revert');
  });

  test('may be redirected by the recipient alone, never to a refused address', async () => {
    const leaf = nativeLeaf(0n, alice.address, bob.address, ETHER);
    const args = claimArguments(leaf, await anchor([leaf]));
    const to = (from: NamedKey, target: Address) =>
      revertName(chain.client.simulateContract({ ...claimToCall(args, target), account: from.account }));
    expect(await to(alice, fresh)).toBe('NotRecipient');
    expect(await to(bob, ZERO_ADDRESS)).toBe('RecipientRefused');
    expect(await to(bob, vault)).toBe('RecipientRefused');
    await chain.send(bob, claimToCall(args, fresh));
    expect(await balance(fresh)).toBe(ETHER);
    expect(await refusal(args)).toBe('AlreadyClaimed');
  });

  test('ether forced into the vault is surplus and pays nobody', async () => {
    await chain.fund(vault, BACKED + 5n * ETHER);
    expect(await locked()).toBe(BACKED);
    const leaf = nativeLeaf(0n, bob.address, fresh, BACKED + ETHER);
    expect(await refusal(claimArguments(leaf, await anchor([leaf])))).toBe('LockedTooLow');
  });
});

test('the constructor takes exactly the backed sum', async () => {
  const [creation] = peg.manifest.creations;
  await chain.fund(ZERO_ADDRESS, 2n * BACKED);
  expect(await creationRevert(chain, creation!.initCode, pegVaultAbi, BACKED)).toBe('no revert');
  expect(await creationRevert(chain, creation!.initCode, pegVaultAbi, BACKED - 1n)).toBe('WrongBacking');
  expect(await creationRevert(chain, creation!.initCode, pegVaultAbi, BACKED + 1n)).toBe('WrongBacking');
});
