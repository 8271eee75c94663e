/** The contracts against the vectors that the TypeScript encodings are held against too. */
import { parseEventLogs } from 'viem';
import { PEG_GATEWAY } from '#bridge/addresses.ts';
import { pegGatewayAbi, pegVaultAbi, pegVerifierAbi } from '#bridge/contracts/artifacts/contracts.ts';
import { checkpointToValueId } from '#consensus/digests.ts';
import { type Anvil, startAnvil } from '#test/contracts/fixtures/anvil.ts';
import { connectChain, type TestChain } from '#test/contracts/fixtures/chain.ts';
import { namedKey } from '#test/contracts/fixtures/keys.ts';
import {
  checkpointAt,
  createPeg,
  deployOn,
  ETHER,
  installGateway,
  L1_CHAIN_ID,
  SIDECHAIN_ID,
} from '#test/contracts/fixtures/peg.ts';
import { pegVectors } from '#test/fixtures/pegVectors.ts';

const peg = createPeg();
const { vault, verifier } = peg.manifest.addresses;
const alice = namedKey('alice');
let anvils: readonly Anvil[];
let l1: TestChain;
let side: TestChain;

beforeAll(async () => {
  anvils = await Promise.all([startAnvil(L1_CHAIN_ID), startAnvil(SIDECHAIN_ID)]);
  l1 = connectChain(anvils[0]!.url, L1_CHAIN_ID);
  side = connectChain(anvils[1]!.url, SIDECHAIN_ID);
  for (const chain of [l1, side]) await chain.fund(alice.address, 100n * ETHER);
  await deployOn(l1, peg);
  await installGateway(side, peg);
});
afterAll(() => Promise.all(anvils.map((anvil) => anvil.stop())));

test('the vault hashes deposits and folds them as the vectors say', async () => {
  expect(vault).toBe(pegVectors.depositContext.srcBridge);
  for (const { leaf, hash, chainHash } of pegVectors.deposits) {
    const receipt = await l1.send(alice, {
      address: vault,
      abi: pegVaultAbi,
      functionName: 'deposit',
      args: [leaf.recipient],
      value: leaf.amount,
    });
    const [event] = parseEventLogs({ abi: pegVaultAbi, logs: receipt.logs, eventName: 'Deposited' });
    expect(event!.args).toMatchObject({ nonce: leaf.nonce, leaf: hash, chainHash });
  }
});

test('the gateway hashes burns and grows the tree as the vectors say, and the vault hashes them the same', async () => {
  for (const { leaf, hash, root } of pegVectors.withdrawals) {
    const receipt = await side.send(alice, {
      address: PEG_GATEWAY,
      abi: pegGatewayAbi,
      functionName: 'withdraw',
      args: [leaf.recipient],
      value: leaf.amount,
    });
    const [event] = parseEventLogs({ abi: pegGatewayAbi, logs: receipt.logs, eventName: 'Burned' });
    expect(event!.args).toMatchObject({ nonce: leaf.nonce, leaf: hash });
    const read = { address: PEG_GATEWAY, abi: pegGatewayAbi, functionName: 'outboxRoot' } as const;
    expect(await side.client.readContract(read)).toBe(root);
    expect(
      await l1.client.readContract({
        address: vault,
        abi: pegVaultAbi,
        functionName: 'withdrawalHash',
        args: [leaf],
      }),
    ).toBe(hash);
  }
});

test('the contracts keep the relayer set under the hash that the vectors say', async () => {
  const { hash } = pegVectors.relayerSet;
  const read = { functionName: 'relayersHash' } as const;
  expect(await l1.client.readContract({ ...read, address: verifier, abi: pegVerifierAbi })).toBe(hash);
  expect(await side.client.readContract({ ...read, address: PEG_GATEWAY, abi: pegGatewayAbi })).toBe(hash);
});

test('the verifier’s valueId of a checkpoint is the one that validators vote on', async () => {
  const c = checkpointAt(peg, 9n, { outboxCount: 3n, importedCount: 2n });
  expect(
    await l1.client.readContract({
      address: verifier,
      abi: pegVerifierAbi,
      functionName: 'hashCheckpoint',
      args: [c],
    }),
  ).toBe(checkpointToValueId(c));
});
