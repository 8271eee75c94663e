/** Listed tokens across both chains, and tokens that misbehave (RULES 36, 37). */
import { encodeFunctionData, type Hex, parseEventLogs } from 'viem';
import { PEG_GATEWAY } from '#bridge/addresses.ts';
import { pegGatewayAbi, pegVaultAbi, wrappedTokenAbi } from '#bridge/contracts/artifacts/contracts.ts';
import { foldDeposit, type Leaf, leafHash } from '#bridge/encoding/leaf.ts';
import {
  type Address,
  type Hash,
  parseAddress,
  parseHash,
  ZERO_ADDRESS,
  ZERO_HASH,
} from '#consensus/primitives.ts';
import { type Anvil, startAnvil } from '#test/contracts/fixtures/anvil.ts';
import { connectChain, type TestChain } from '#test/contracts/fixtures/chain.ts';
import {
  anchorLeaves,
  claimCall,
  claimToCall,
  depositContext,
  leafOf,
  refusalOf,
} from '#test/contracts/fixtures/claims.ts';
import { DAY, govern, pass, vaultCall } from '#test/contracts/fixtures/governing.ts';
import { type NamedKey, namedKey } from '#test/contracts/fixtures/keys.ts';
import {
  createPeg,
  deployOn,
  depositAttestations,
  ETHER,
  installGateway,
  L1_CHAIN_ID,
  type Peg,
  packedRelayers,
  SIDECHAIN_ID,
} from '#test/contracts/fixtures/peg.ts';
import { createToken, TOKEN_ABI, type TokenName, tokenAbi } from '#test/contracts/fixtures/tokens.ts';

const alice = namedKey('alice');
const bob = namedKey('bob');
const CAP = 1_000_000n;

let anvils: readonly Anvil[];
let l1: TestChain;
let side: TestChain;
let peg: Peg;
let vault: Address;
let snapshots: readonly Hex[];

beforeAll(async () => {
  anvils = await Promise.all([startAnvil(L1_CHAIN_ID), startAnvil(SIDECHAIN_ID)]);
  l1 = connectChain(anvils[0]!.url, L1_CHAIN_ID);
  side = connectChain(anvils[1]!.url, SIDECHAIN_ID);
  for (const chain of [l1, side])
    for (const { address } of [alice, bob]) await chain.fund(address, 1_000n * ETHER);
  peg = createPeg();
  await deployOn(l1, peg);
  await installGateway(side, peg);
  vault = peg.manifest.addresses.vault;
});
afterAll(() => Promise.all(anvils.map((anvil) => anvil.stop())));
beforeEach(async () => {
  snapshots = await Promise.all([l1.client.snapshot(), side.client.snapshot()]);
});
afterEach(async () => {
  await l1.client.revert({ id: snapshots[0]! });
  await side.client.revert({ id: snapshots[1]! });
});

const onVault = (functionName: string, args: readonly unknown[], value = 0n) => ({
  address: vault,
  abi: pegVaultAbi,
  functionName,
  args,
  value,
});
const refusal = (functionName: string, args: readonly unknown[], from: NamedKey = alice) =>
  refusalOf(l1, { ...onVault(functionName, args), abi: [...pegVaultAbi, ...ERC20_ERRORS] }, from);
const ERC20_ERRORS = wrappedTokenAbi.filter(({ type }) => type === 'error');
const balanceOf = (token: Address, account: Address) =>
  l1.client.readContract({ address: token, abi: TOKEN_ABI, functionName: 'balanceOf', args: [account] });
const lockedOf = (token: Address) =>
  l1.client.readContract({ address: vault, abi: pegVaultAbi, functionName: 'locked', args: [token] });
const onToken = (
  from: NamedKey,
  token: Address,
  functionName: 'mint' | 'approve' | 'transfer',
  to: Address,
  amount: bigint,
) => l1.send(from, { address: token, abi: TOKEN_ABI, functionName, args: [to, amount] });
const faultOf = (token: Address, name: TokenName, functionName: string, args: readonly unknown[]) =>
  l1.send(alice, { address: token, abi: tokenAbi(name), functionName, args } as never);

/** Listed, with a million of its units minted to alice and approved. */
const listed = async (name: TokenName, cap = CAP): Promise<Address> => {
  const token = await createToken(l1, alice, name);
  await govern(l1, peg, vaultCall('listToken', [token, 10n, cap, 10n * CAP]));
  await onToken(alice, token, 'mint', alice.address, CAP);
  await onToken(alice, token, 'approve', vault, CAP);
  return token;
};
const deposit = (token: Address, amount: bigint, from = alice) =>
  l1.send(from, onVault('depositToken', [token, bob.address, amount]) as never);

/** Everything that the vault has taken, imported on the sidechain. */
const importAll = async (): Promise<void> => {
  const logs = await l1.client.getContractEvents({
    address: vault,
    abi: pegVaultAbi,
    fromBlock: 0n,
    strict: true,
  });
  const leaves: Leaf[] = [];
  const data: Hex[] = [];
  for (const log of logs) {
    if (log.eventName === 'DepositData') data.push(log.args.data);
    if (log.eventName !== 'Deposited') continue;
    const { kind, nonce, amount, fee } = log.args;
    leaves.push({
      kind,
      nonce,
      token: parseAddress(log.args.token),
      sender: parseAddress(log.args.sender),
      recipient: parseAddress(log.args.recipient),
      amount,
      fee,
      dataHash: parseHash(log.args.dataHash),
    });
  }
  const hash: Hash = leaves.map((leaf) => leafHash(depositContext(peg), leaf)).reduce(foldDeposit, ZERO_HASH);
  const { bitmap, signatures } = depositAttestations(peg, peg.relayers, BigInt(leaves.length), hash);
  await side.send(bob, {
    address: PEG_GATEWAY,
    abi: pegGatewayAbi,
    functionName: 'importDeposits',
    args: [
      0n,
      leaves.map(({ nonce: _, ...rest }) => rest),
      { relayers: packedRelayers(peg.inputs.relayers), bitmap, signatures, data },
    ],
  });
};
const clone = (address: Address, functionName: string, args: readonly unknown[] = []): Promise<unknown> =>
  side.client.readContract({ address, abi: wrappedTokenAbi, functionName, args } as never);

describe('a listed token', () => {
  test('crosses and comes back: its clone has its name, its decimals, and the address that the L1 computed', async () => {
    const token = await listed('PlainToken');
    await deposit(token, 1_000n);
    await importAll();
    const wrapped = parseAddress(
      await l1.client.readContract({
        address: vault,
        abi: pegVaultAbi,
        functionName: 'wrappedOf',
        args: [token],
      }),
    );
    expect(
      parseAddress(
        await side.client.readContract({
          address: PEG_GATEWAY,
          abi: pegGatewayAbi,
          functionName: 'wrappedOf',
          args: [token],
        }),
      ),
    ).toBe(wrapped);
    expect([
      await clone(wrapped, 'name'),
      await clone(wrapped, 'symbol'),
      await clone(wrapped, 'decimals'),
    ]).toEqual(['Plain', 'PLN', 6]);
    expect(parseAddress((await clone(wrapped, 'l1Token')) as string)).toBe(token);
    expect(await clone(wrapped, 'balanceOf', [bob.address])).toBe(1_000n);

    const receipt = await side.send(bob, {
      address: PEG_GATEWAY,
      abi: pegGatewayAbi,
      functionName: 'withdrawToken',
      args: [token, alice.address, 400n],
    });
    expect(await clone(wrapped, 'totalSupply')).toBe(600n);
    const [burned] = parseEventLogs({ abi: pegGatewayAbi, logs: receipt.logs, eventName: 'Burned' });
    const leaf = { ...leafOf(0, alice.address, 400n, token), sender: bob.address };
    const hashes = await anchorLeaves(l1, peg, [leaf]);
    expect(burned!.args.leaf).toBe(hashes[0]);
    const before = await balanceOf(token, alice.address);
    await l1.send(bob, claimCall(peg, leaf, hashes));
    expect(await balanceOf(token, alice.address)).toBe(before + 400n);
    expect([await lockedOf(token), await balanceOf(token, vault)]).toEqual([600n, 600n]);
    expect(await refusalOf(l1, claimCall(peg, leaf, hashes), bob)).toBe('AlreadyClaimed');
  });

  test('is minted and burned by the gateway alone, and burned only from who has it', async () => {
    const token = await listed('PlainToken');
    await deposit(token, 1_000n);
    await importAll();
    const wrapped = parseAddress(
      await l1.client.readContract({
        address: vault,
        abi: pegVaultAbi,
        functionName: 'wrappedOf',
        args: [token],
      }),
    );
    for (const functionName of ['mint', 'burn'] as const)
      expect(
        await refusalOf(
          side,
          { address: wrapped, abi: wrappedTokenAbi, functionName, args: [bob.address, 1n] },
          bob,
        ),
      ).toBe('NotGateway');
    const abi = [...pegGatewayAbi, ...ERC20_ERRORS];
    const withdraw = (from: NamedKey, args: readonly unknown[]) =>
      refusalOf(side, { address: PEG_GATEWAY, abi, functionName: 'withdrawToken', args }, from);
    expect(await withdraw(alice, [token, alice.address, 1n])).toBe('ERC20InsufficientBalance');
    expect(await withdraw(bob, [alice.address, alice.address, 1n])).toBe('NotListed');
    expect(await withdraw(bob, [token, token, 1n])).toBe('RecipientRefused');
    expect(await withdraw(bob, [token, alice.address, 0n])).toBe('AmountOutOfRange');
  });

  test('is listed by governance alone, once, and refused if it is none', async () => {
    expect(await refusal('listToken', [alice.address, 1n, 0n, 0n])).toBe('NotTimelock');
    const token = await listed('PlainToken');
    await expect(govern(l1, peg, vaultCall('listToken', [token, 1n, 0n, 0n]))).rejects.toThrow(
      'AlreadyListed',
    );
    await expect(govern(l1, peg, vaultCall('listToken', [bob.address, 1n, 0n, 0n]))).rejects.toThrow(
      'TokenRefused',
    );
    const { weth } = peg.manifest.addresses;
    await expect(govern(l1, peg, vaultCall('listToken', [weth, 1n, 0n, 0n]))).rejects.toThrow('TokenRefused');
  });

  test('that was delisted takes no deposits and pays every claim; relisting makes no second clone', async () => {
    const token = await listed('PlainToken');
    await deposit(token, 1_000n);
    await govern(l1, peg, vaultCall('delistToken', [token]));
    expect(await refusal('depositToken', [token, bob.address, 100n])).toBe('NotListed');
    const leaf = leafOf(0, bob.address, 1_000n, token);
    const hashes = await anchorLeaves(l1, peg, [leaf]);
    await l1.send(alice, claimCall(peg, leaf, hashes));
    expect(await balanceOf(token, bob.address)).toBe(1_000n);
    const count = await l1.client.readContract({
      address: vault,
      abi: pegVaultAbi,
      functionName: 'depositCount',
    });
    await govern(l1, peg, vaultCall('listToken', [token, 1n, CAP, CAP]));
    expect(
      await l1.client.readContract({ address: vault, abi: pegVaultAbi, functionName: 'depositCount' }),
    ).toBe(count);
  });

  test('case 43: zero, the bridge, the token and its clone are refused as recipients, of ether too', async () => {
    const token = await listed('PlainToken');
    const wrapped = await l1.client.readContract({
      address: vault,
      abi: pegVaultAbi,
      functionName: 'wrappedOf',
      args: [token],
    });
    const { weth, escape: exit, timelock, council } = peg.manifest.addresses;
    for (const recipient of [
      ZERO_ADDRESS,
      PEG_GATEWAY,
      vault,
      token,
      wrapped,
      weth,
      exit,
      timelock,
      council,
    ]) {
      expect(await refusal('depositToken', [token, recipient, 100n])).toBe('RecipientRefused');
      expect(await refusalOf(l1, onVault('deposit', [recipient], ETHER), alice)).toBe('RecipientRefused');
    }
    expect(await refusal('depositToken', [token, bob.address, 9n])).toBe('AmountOutOfRange');
  });

  test('without a cap has every claim queued; another token’s bucket is untouched', async () => {
    const token = await listed('PlainToken', 0n);
    await deposit(token, 1_000n);
    const leaf = leafOf(0, bob.address, 10n, token);
    const hashes = await anchorLeaves(l1, peg, [leaf]);
    await l1.send(alice, claimCall(peg, leaf, hashes));
    expect(await balanceOf(token, bob.address)).toBe(0n);
    await pass(l1, DAY);
    await l1.send(alice, claimCall(peg, leaf, hashes));
    expect(await balanceOf(token, bob.address)).toBe(10n);
  });
});

describe('a permit deposit', () => {
  const signPermit = async (token: Address, amount: bigint) => {
    const deadline = (await l1.client.getBlock()).timestamp + 3_600n;
    const signature = await alice.account.signTypedData({
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
      message: { owner: alice.address, spender: vault, value: amount, nonce: 0n, deadline },
    });
    const [r, s, v] = [
      `0x${signature.slice(2, 66)}`,
      `0x${signature.slice(66, 130)}`,
      Number(`0x${signature.slice(130)}`),
    ];
    return { deadline, r: r as Hex, s: s as Hex, v };
  };
  const unapproved = async (): Promise<Address> => {
    const token = await listed('PlainToken');
    await onToken(alice, token, 'approve', vault, 0n);
    return token;
  };

  test('needs no approval', async () => {
    const token = await unapproved();
    const { deadline, v, r, s } = await signPermit(token, 500n);
    expect(await refusal('depositToken', [token, bob.address, 500n])).toBe('ERC20InsufficientAllowance');
    await l1.send(
      alice,
      onVault('depositTokenWithPermit', [token, bob.address, 500n, deadline, v, r, s]) as never,
    );
    expect(await lockedOf(token)).toBe(500n);
  });

  test('case 47: whose permit somebody else used first still deposits', async () => {
    const token = await unapproved();
    const { deadline, v, r, s } = await signPermit(token, 500n);
    await l1.send(bob, {
      address: token,
      abi: tokenAbi('PlainToken'),
      functionName: 'permit',
      args: [alice.address, vault, 500n, deadline, v, r, s],
    } as never);
    await l1.send(
      alice,
      onVault('depositTokenWithPermit', [token, bob.address, 500n, deadline, v, r, s]) as never,
    );
    expect(await lockedOf(token)).toBe(500n);
  });

  test('takes nothing from anybody but its caller, where a token says yes to every permit too', async () => {
    const token = await listed('PhantomPermit');
    const args = [token, bob.address, 500n, 0n, 27, ZERO_HASH, ZERO_HASH];
    // Alice has approved the vault; bob's call finds bob's allowance.
    expect(await refusal('depositTokenWithPermit', args, bob)).toBe('ERC20InsufficientAllowance');
    expect(await refusal('depositTokenWithPermit', args, alice)).toBe('no revert');
  });
});

describe('a token that misbehaves', () => {
  test('case 39: returning nothing crosses; returning false, or reverting, moves nothing', async () => {
    const nothing = await listed('ReturnsNothing');
    await deposit(nothing, 100n);
    const leaf = leafOf(0, bob.address, 40n, nothing);
    const hashes = await anchorLeaves(l1, peg, [leaf]);
    await l1.send(alice, claimCall(peg, leaf, hashes));
    expect([await balanceOf(nothing, bob.address), await lockedOf(nothing)]).toEqual([40n, 60n]);
    const no = await listed('ReturnsFalse');
    expect(await refusal('depositToken', [no, bob.address, 100n])).not.toBe('no revert');
  });

  test('case 40: taking a fee is rejected at the deposit', async () => {
    const token = await listed('TakesFee');
    expect(await refusal('depositToken', [token, bob.address, 1_000n])).toBe('WrongTransfer');
  });

  test('case 40: hooks cannot enter again, neither at the deposit nor at the claim', async () => {
    const token = await listed('Hooked');
    const again = encodeFunctionData({ abi: pegVaultAbi, functionName: 'deposit', args: [bob.address] });
    await faultOf(token, 'Hooked', 'setHook', [vault, again]);
    await deposit(token, 100n);
    const outcome = () =>
      l1.client.readContract({ address: token, abi: tokenAbi('Hooked'), functionName: 'outcome' });
    expect(await outcome()).toBe(false);
    const leaves = [leafOf(0, bob.address, 40n, token), leafOf(1, bob.address, 40n, token)];
    const hashes = await anchorLeaves(l1, peg, leaves);
    await faultOf(token, 'Hooked', 'setHook', [
      vault,
      encodeFunctionData(claimCall(peg, leaves[1]!, hashes)),
    ]);
    await l1.send(alice, claimCall(peg, leaves[0]!, hashes));
    expect([await outcome(), await balanceOf(token, bob.address)]).toEqual([false, 40n]);
  });

  test('case 40: a rebase stops that token alone until it is made good', async () => {
    const token = await listed('Rebases');
    await deposit(token, 1_000n);
    await faultOf(token, 'Rebases', 'shrink', [vault, 1n]);
    const leaves = [leafOf(0, bob.address, 100n, token), leafOf(1, bob.address, ETHER)];
    const hashes = await anchorLeaves(l1, peg, leaves);
    expect(await refusalOf(l1, claimCall(peg, leaves[0]!, hashes), alice)).toBe('TokenShort');
    expect(await refusal('depositToken', [token, bob.address, 100n])).toBe('TokenShort');
    await l1.send(alice, claimCall(peg, leaves[1]!, hashes));
    await onToken(alice, token, 'mint', vault, 1n);
    await l1.send(alice, claimCall(peg, leaves[0]!, hashes));
    expect(await balanceOf(token, bob.address)).toBe(100n);
  });

  test('case 44: whoever it blacklists redirects, and nobody else may', async () => {
    const token = await listed('Blacklists');
    await deposit(token, 1_000n);
    await faultOf(token, 'Blacklists', 'setBlocked', [bob.address, true]);
    const leaf = leafOf(0, bob.address, 100n, token);
    const hashes = await anchorLeaves(l1, peg, [leaf]);
    expect(await refusalOf(l1, claimCall(peg, leaf, hashes), alice)).not.toBe('no revert');
    const fresh = namedKey('fresh').address;
    expect(await refusalOf(l1, claimToCall(peg, leaf, hashes, fresh), alice)).toBe('NotRecipient');
    await l1.send(bob, claimToCall(peg, leaf, hashes, fresh));
    expect(await balanceOf(token, fresh)).toBe(100n);
  });

  test('case 41: the same address cannot be listed twice; another address of one token is for governance to see', async () => {
    const token = await listed('PlainToken');
    await expect(govern(l1, peg, vaultCall('listToken', [token, 1n, 0n, 0n]))).rejects.toThrow(
      'AlreadyListed',
    );
  });
});
