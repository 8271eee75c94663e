/** Both chains, end to end: what one contract writes the other accepts, with nothing in between but signatures. */
import { parseEventLogs } from 'viem';
import { PEG_GATEWAY } from '#bridge/addresses.ts';
import { pegGatewayAbi, pegVaultAbi } from '#bridge/contracts/artifacts/contracts.ts';
import { readGatewayState } from '#bridge/encoding/gatewaySlots.ts';
import type { Leaf } from '#bridge/encoding/leaf.ts';
import { outboxProof } from '#bridge/encoding/outboxTree.ts';
import {
  type Address,
  type Hash,
  parseAddress,
  parseHash,
  ZERO_ADDRESS,
  ZERO_HASH,
} from '#consensus/primitives.ts';
import { type Anvil, startAnvil } from '#test/contracts/fixtures/anvil.ts';
import { connectChain, revertName, type TestChain } from '#test/contracts/fixtures/chain.ts';
import { namedKey } from '#test/contracts/fixtures/keys.ts';
import {
  checkpointArguments,
  checkpointAt,
  createPeg,
  deployOn,
  depositAttestations,
  ETHER,
  installGateway,
  L1_CHAIN_ID,
  packedRelayers,
  SIDECHAIN_ID,
  submitCheckpointCall,
} from '#test/contracts/fixtures/peg.ts';

const BACKED = 7n * ETHER;
const peg = createPeg({ backedWei: BACKED });
const { vault } = peg.manifest.addresses;
const alice = namedKey('alice');
const bob = namedKey('bob');

let anvils: readonly Anvil[];
let l1: TestChain;
let side: TestChain;

beforeAll(async () => {
  anvils = await Promise.all([startAnvil(L1_CHAIN_ID), startAnvil(SIDECHAIN_ID)]);
  l1 = connectChain(anvils[0]!.url, L1_CHAIN_ID);
  side = connectChain(anvils[1]!.url, SIDECHAIN_ID);
  for (const { address } of [alice, bob]) {
    await l1.fund(address, 100n * ETHER);
    await side.fund(address, ETHER);
  }
  await deployOn(l1, peg);
  await installGateway(side, peg);
});
afterAll(() => Promise.all(anvils.map((anvil) => anvil.stop())));

const gateway = () =>
  readGatewayState(async (slot) =>
    parseHash((await side.client.getStorageAt({ address: PEG_GATEWAY, slot })) ?? ZERO_HASH),
  );
const locked = () =>
  l1.client.readContract({ address: vault, abi: pegVaultAbi, functionName: 'locked', args: [ZERO_ADDRESS] });

/** locked − circulating = (deposited − imported) + (burned − released). */
const inFlight = async () => {
  const { mintedWei, burnedWei } = await gateway();
  return (await locked()) - (mintedWei - burnedWei);
};

const deposit = async (recipient: Address, value: bigint): Promise<Leaf> => {
  const receipt = await l1.send(alice, {
    address: vault,
    abi: pegVaultAbi,
    functionName: 'deposit',
    args: [recipient],
    value,
  });
  const [event] = parseEventLogs({ abi: pegVaultAbi, logs: receipt.logs, eventName: 'Deposited' });
  const { args } = event!;
  return {
    kind: args.kind,
    nonce: args.nonce,
    token: parseAddress(args.token),
    sender: parseAddress(args.sender),
    recipient: parseAddress(args.recipient),
    amount: args.amount,
    fee: args.fee,
    dataHash: parseHash(args.dataHash),
  };
};

const importDeposits = async (leaves: readonly Leaf[]) => {
  const hash = parseHash(
    await l1.client.readContract({ address: vault, abi: pegVaultAbi, functionName: 'depositHash' }),
  );
  const n = leaves[0]!.nonce + BigInt(leaves.length);
  const { bitmap, signatures } = depositAttestations(peg, peg.relayers.slice(1), n, hash);
  await side.send(bob, {
    address: PEG_GATEWAY,
    abi: pegGatewayAbi,
    functionName: 'importDeposits',
    args: [
      leaves[0]!.nonce,
      leaves.map(({ nonce: _, ...rest }) => rest),
      { relayers: packedRelayers(peg.inputs.relayers), bitmap, signatures, data: [] },
    ],
  });
};

const burn = async (recipient: Address, value: bigint): Promise<{ leaf: Leaf; hash: Hash }> => {
  const receipt = await side.send(alice, {
    address: PEG_GATEWAY,
    abi: pegGatewayAbi,
    functionName: 'withdraw',
    args: [recipient],
    value,
  });
  const [event] = parseEventLogs({ abi: pegGatewayAbi, logs: receipt.logs, eventName: 'Burned' });
  const { leaf: hash, ...args } = event!.args;
  return {
    hash: parseHash(hash),
    leaf: {
      ...args,
      token: parseAddress(args.token),
      sender: parseAddress(args.sender),
      recipient: parseAddress(args.recipient),
      dataHash: parseHash(args.dataHash),
    },
  };
};

test('ether deposited on the L1 is minted, burned, and claimed back, and the books agree at every step', async () => {
  expect(await inFlight()).toBe(0n);
  const leaves = [await deposit(alice.address, 3n * ETHER), await deposit(alice.address, 3n * ETHER)];
  expect(await inFlight()).toBe(6n * ETHER);

  const before = await side.client.getBalance({ address: alice.address });
  await importDeposits(leaves);
  expect((await side.client.getBalance({ address: alice.address })) - before).toBe(6n * ETHER);
  expect(await inFlight()).toBe(0n);

  const target = namedKey('target').address;
  const burns = [await burn(target, ETHER), await burn(target, 2n * ETHER), await burn(bob.address, ETHER)];
  expect(await inFlight()).toBe(4n * ETHER);

  const { outboxRoot, outboxCount, importedCount, importedHash } = await gateway();
  const c = checkpointAt(peg, 12n, { outboxRoot, outboxCount, importedCount, importedHash });
  await l1.send(
    bob,
    submitCheckpointCall(peg, checkpointArguments(peg, c, { validators: peg.validators.slice(1), round: 3 })),
  );

  for (const { leaf } of burns) {
    const proof = outboxProof(
      burns.map(({ hash }) => hash),
      Number(leaf.nonce),
    );
    const claim = {
      address: vault,
      abi: pegVaultAbi,
      functionName: 'claim' as const,
      args: [leaf, leaf.nonce, proof.siblings as never, outboxRoot] as const,
    };
    await l1.send(bob, claim);
    expect(await revertName(l1.client.simulateContract({ ...claim, account: bob.account }))).toBe(
      'AlreadyClaimed',
    );
  }
  expect(await l1.client.getBalance({ address: target })).toBe(3n * ETHER);
  expect(await inFlight()).toBe(0n);
  expect(await locked()).toBe(BACKED + 2n * ETHER);
});
