/** What the peg costs its users on both chains; the figures are in bridge/README.md, the limits are here. */
import { encodeFunctionData } from 'viem';
import { PEG_GATEWAY } from '#bridge/addresses.ts';
import { pegGatewayAbi, pegVaultAbi } from '#bridge/contracts/artifacts/contracts.ts';
import { foldDeposit, type Leaf, leafHash } from '#bridge/encoding/leaf.ts';
import { outboxProof, outboxRoot } from '#bridge/encoding/outboxTree.ts';
import { type Address, type Hash, parseAddress, ZERO_ADDRESS, ZERO_HASH } from '#consensus/primitives.ts';
import { type Anvil, startAnvil } from '#test/contracts/fixtures/anvil.ts';
import { creationOf, REJECTOR } from '#test/contracts/fixtures/bytecode.ts';
import { connectChain, type TestChain } from '#test/contracts/fixtures/chain.ts';
import { anchorLeaves, claimCall, leafOf } from '#test/contracts/fixtures/claims.ts';
import { govern, vaultCall } from '#test/contracts/fixtures/governing.ts';
import { namedKey, namedKeys } from '#test/contracts/fixtures/keys.ts';
import {
  checkpointArguments,
  checkpointAt,
  createPeg,
  deployOn,
  depositAttestations,
  ETHER,
  hashOf,
  installGateway,
  L1_CHAIN_ID,
  packedRelayers,
  SIDECHAIN_ID,
  submitCheckpointCall,
} from '#test/contracts/fixtures/peg.ts';
import { createToken, TOKEN_ABI } from '#test/contracts/fixtures/tokens.ts';

const user = namedKey('user');
let anvil: Anvil;
let chain: TestChain;

beforeAll(async () => {
  anvil = await startAnvil(L1_CHAIN_ID);
  chain = connectChain(anvil.url, L1_CHAIN_ID);
  await chain.fund(user.address, 10_000n * ETHER);
});
afterAll(() => anvil.stop());

/** Gas of the first checkpoint and of a later one; with as few signers as the locks need. */
const checkpointGas = async (
  validators: number,
  relayers: number,
): Promise<readonly [first: bigint, steady: bigint]> => {
  const peg = createPeg({
    deployer: `deployer of ${validators}/${relayers}`,
    validators: namedKeys('validator', validators),
    relayers: namedKeys('relayer', relayers),
    threshold: Math.floor(relayers / 2) + 1,
  });
  await deployOn(chain, peg);
  const signers = {
    validators: peg.validators.slice(0, Math.floor((2 * validators) / 3) + 1),
    relayers: peg.relayers.slice(0, peg.inputs.relayers.threshold),
  };
  const gas: bigint[] = [];
  for (const height of [1n, 2n, 3n]) {
    const c = checkpointAt(peg, height, { outboxCount: height, outboxRoot: hashOf(`root ${height}`) });
    gas.push(
      (await chain.send(user, submitCheckpointCall(peg, checkpointArguments(peg, c, signers)))).gasUsed,
    );
  }
  return [gas[0]!, gas[2]!];
};

test.each([
  [4, 3, 165_000n, 120_000n],
  [7, 5, 180_000n, 135_000n],
  [21, 7, 240_000n, 200_000n],
  [50, 7, 350_000n, 310_000n],
])(
  'a checkpoint of %i validators and %i relayers stays within its limit',
  async (validators, relayers, first, steady) => {
    const gas = await checkpointGas(validators, relayers);
    console.info(`gas: checkpoint ${validators}/${relayers}: first ${gas[0]}, steady ${gas[1]}`);
    expect(gas[0]).toBeLessThan(first);
    expect(gas[1]).toBeLessThan(steady);
  },
);

test('deposits and claims stay within their limits', async () => {
  const peg = createPeg();
  await deployOn(chain, peg);
  const { vault } = peg.manifest.addresses;
  const deposit = () =>
    chain.send(user, {
      address: vault,
      abi: pegVaultAbi,
      functionName: 'deposit',
      args: [user.address],
      value: ETHER,
    });
  const firstDeposit = (await deposit()).gasUsed;
  const steadyDeposit = (await deposit()).gasUsed;

  const context = {
    srcChainId: peg.inputs.sidechainId,
    dstChainId: peg.inputs.l1ChainId,
    srcBridge: PEG_GATEWAY,
    dstBridge: vault,
  };
  const recipients: Address[] = [namedKey('new account').address, user.address, user.address];
  const leaves = recipients.map(
    (recipient, index): Leaf => ({
      kind: 0,
      nonce: BigInt(index),
      token: ZERO_ADDRESS,
      sender: user.address,
      recipient,
      amount: ETHER,
      fee: 0n,
      dataHash: ZERO_HASH,
    }),
  );
  const hashes = leaves.map((leaf) => leafHash(context, leaf));
  const c = checkpointAt(peg, 1n, { outboxCount: 3n, outboxRoot: outboxRoot(hashes) });
  await chain.send(user, submitCheckpointCall(peg, checkpointArguments(peg, c)));
  const claimer = namedKey('claimer');
  await chain.fund(claimer.address, 10n * ETHER);
  const claims: bigint[] = [];
  for (const leaf of leaves) {
    const { siblings, root } = outboxProof(hashes, Number(leaf.nonce));
    const call = {
      address: vault,
      abi: pegVaultAbi,
      functionName: 'claim' as const,
      args: [leaf, leaf.nonce, siblings as never, root] as const,
    };
    expect(encodeFunctionData(call).length).toBe(2 + 2 * (4 + 32 * (8 + 1 + 32 + 1)));
    claims.push((await chain.send(claimer, call)).gasUsed);
  }
  console.info(
    `gas: deposit first ${firstDeposit}, steady ${steadyDeposit}; claim first ${claims[0]}, steady ${claims[2]}`,
  );
  expect(firstDeposit).toBeLessThan(100_000n);
  expect(steadyDeposit).toBeLessThan(65_000n);
  expect(claims[0]).toBeLessThan(145_000n);
  expect(claims[2]).toBeLessThan(120_000n);
});

test('tokens, and wrapped ether for who takes none, stay within their limits', async () => {
  const peg = createPeg({ deployer: 'deployer with tokens' });
  await deployOn(chain, peg);
  const { vault } = peg.manifest.addresses;
  const token = await createToken(chain, user, 'PlainToken');
  await govern(chain, peg, vaultCall('listToken', [token, 1n, 1_000_000n, 1_000_000n]));
  for (const [functionName, to] of [
    ['mint', user.address],
    ['approve', vault],
  ] as const)
    await chain.send(user, { address: token, abi: TOKEN_ABI, functionName, args: [to, 1_000_000n] });
  const gasOf = async (functionName: string, args: readonly unknown[]): Promise<bigint> =>
    (await chain.send(user, { address: vault, abi: pegVaultAbi, functionName, args } as never)).gasUsed;
  const deposit = [token, user.address, 1_000n] as const;
  const first = await gasOf('depositToken', deposit);
  const steady = await gasOf('depositToken', deposit);
  const permits: bigint[] = [];
  for (const nonce of [0n, 1n]) {
    const deadline = 2n ** 64n;
    const signature = await user.account.signTypedData({
      domain: { name: 'Plain', version: '1', chainId: L1_CHAIN_ID, verifyingContract: token },
      types: {
        Permit: [
          { name: 'owner', type: 'address' },
          { name: 'spender', type: 'address' },
          { name: 'value', type: 'uint256' },
          { name: 'nonce', type: 'uint256' },
          { name: 'deadline', type: 'uint256' },
        ],
      },
      primaryType: 'Permit',
      message: { owner: user.address, spender: vault, value: 1_000n, nonce, deadline },
    });
    const parts = [
      Number(`0x${signature.slice(130)}`),
      signature.slice(0, 66),
      `0x${signature.slice(66, 130)}`,
    ];
    permits.push(await gasOf('depositTokenWithPermit', [...deposit, deadline, ...parts]));
  }

  const refuser = parseAddress((await chain.create(user, creationOf(REJECTOR))).contractAddress);
  const leaves = [
    leafOf(0, namedKey('new holder').address, 100n, token),
    leafOf(1, user.address, 100n, token),
    leafOf(2, refuser, ETHER),
  ];
  const hashes = await anchorLeaves(chain, peg, leaves);
  const claims: bigint[] = [];
  for (const leaf of leaves) claims.push((await chain.send(user, claimCall(peg, leaf, hashes))).gasUsed);
  console.info(
    `gas: token deposit first ${first}, steady ${steady}, permit ${permits.join(', ')}; token claim new holder ${claims[0]}, steady ${claims[1]}; wrapped ether ${claims[2]}`,
  );
  expect(first).toBeLessThan(110_000n);
  expect(steady).toBeLessThan(90_000n);
  expect(permits[0]).toBeLessThan(135_000n);
  expect(permits[1]).toBeLessThan(105_000n);
  expect(claims[1]).toBeLessThan(145_000n);
  expect(claims[2]).toBeLessThan(220_000n);
});

test('imports and burns stay within their limits', async () => {
  const anvilOfSide = await startAnvil(SIDECHAIN_ID);
  try {
    const side = connectChain(anvilOfSide.url, SIDECHAIN_ID);
    const peg = createPeg();
    await installGateway(side, peg);
    await side.fund(user.address, 1_000n * ETHER);
    const context = {
      srcChainId: peg.inputs.l1ChainId,
      dstChainId: peg.inputs.sidechainId,
      srcBridge: peg.manifest.addresses.vault,
      dstBridge: PEG_GATEWAY,
    };
    let hash: Hash = ZERO_HASH;
    let next = 0n;
    const importTo = async (recipients: readonly Address[]): Promise<bigint> => {
      const first = next;
      const deposits = recipients.map((recipient) => ({
        kind: 0,
        token: ZERO_ADDRESS,
        sender: user.address,
        recipient,
        amount: ETHER,
        fee: 0n,
        dataHash: ZERO_HASH,
      }));
      for (const deposit of deposits)
        hash = foldDeposit(hash, leafHash(context, { ...deposit, nonce: next++ }));
      const { bitmap, signatures } = depositAttestations(peg, peg.relayers.slice(0, 2), next, hash);
      const { gasUsed } = await side.send(user, {
        address: PEG_GATEWAY,
        abi: pegGatewayAbi,
        functionName: 'importDeposits',
        args: [
          first,
          deposits,
          { relayers: packedRelayers(peg.inputs.relayers), bitmap, signatures, data: [] },
        ],
      });
      return gasUsed;
    };
    const fresh = namedKeys('fresh', 20).map(({ address }) => address);
    const first = await importTo([user.address]);
    const one = await importTo([user.address]);
    const manyNew = await importTo(fresh);
    const manyExisting = await importTo(fresh);
    const perNew = (manyNew - one) / 19n;
    const perExisting = (manyExisting - one) / 19n;
    const burns: bigint[] = [];
    for (let nonce = 0; nonce < 4; nonce++)
      burns.push(
        (
          await side.send(user, {
            address: PEG_GATEWAY,
            abi: pegGatewayAbi,
            functionName: 'withdraw',
            args: [user.address],
            value: ETHER,
          })
        ).gasUsed,
      );
    console.info(
      `gas: import first ${first}, one ${one}, each further ${perNew} new / ${perExisting} existing; burns ${burns.join(', ')}`,
    );
    expect(perNew).toBeLessThan(45_000n);
    expect(perExisting).toBeLessThan(20_000n);
    expect(burns.at(-1)!).toBeLessThan(100_000n);
  } finally {
    await anvilOfSide.stop();
  }
});
