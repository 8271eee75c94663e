/** Council and timelock, rotation of relayers, equivocation: who may change the peg, and what stops it (RULES 29, 30, 39). */
import { encodeFunctionData, type Hex, hashTypedData, parseEventLogs, zeroHash } from 'viem';
import { PEG_GATEWAY } from '#bridge/addresses.ts';
import {
  pegCouncilAbi,
  pegGatewayAbi,
  pegTimelockAbi,
  pegVaultAbi,
  pegVerifierAbi,
} from '#bridge/contracts/artifacts/contracts.ts';
import { readGatewayRelayers, readGatewayState } from '#bridge/encoding/gatewaySlots.ts';
import { foldDeposit, LEAF_KIND, type Leaf, leafHash } from '#bridge/encoding/leaf.ts';
import { packSignatures } from '#bridge/encoding/signatureBitmap.ts';
import { keccak256Hex } from '#consensus/crypto/keccak.ts';
import {
  anchorAttestationDigest,
  checkpointToValueId,
  depositAttestationDigest,
} from '#consensus/digests.ts';
import {
  type Address,
  bytesToHex,
  type Hash,
  hexToBytes,
  parseHash,
  ZERO_ADDRESS,
  ZERO_HASH,
} from '#consensus/primitives.ts';
import { packValidators } from '#consensus/validatorSet.ts';
import { type Anvil, startAnvil } from '#test/contracts/fixtures/anvil.ts';
import { connectChain, type TestChain } from '#test/contracts/fixtures/chain.ts';
import {
  anchorLeaves,
  claimCall,
  depositContext,
  leafOf,
  refusalOf,
} from '#test/contracts/fixtures/claims.ts';
import {
  ACTION,
  approve,
  DAY,
  executeCall,
  govern,
  operationOf,
  pass,
  schedule,
  vaultCall,
  verifierCall,
} from '#test/contracts/fixtures/governing.ts';
import { type NamedKey, namedKey, namedKeys } from '#test/contracts/fixtures/keys.ts';
import {
  checkpointArguments,
  checkpointAt,
  createPeg,
  deployOn,
  ETHER,
  hashOf,
  installGateway,
  L1_CHAIN_ID,
  type Peg,
  packedRelayers,
  precommits,
  SIDECHAIN_ID,
  setOf,
  submitCheckpointCall,
} from '#test/contracts/fixtures/peg.ts';

const alice = namedKey('alice');
let anvils: readonly Anvil[];
let chain: TestChain;
let side: TestChain;
let peg: Peg;
let deployedAt: bigint;
let snapshot: Hex;

beforeAll(async () => {
  anvils = await Promise.all([startAnvil(L1_CHAIN_ID), startAnvil(SIDECHAIN_ID)]);
  chain = connectChain(anvils[0]!.url, L1_CHAIN_ID);
  side = connectChain(anvils[1]!.url, SIDECHAIN_ID);
  peg = createPeg({ epochLength: 10n });
  for (const on of [chain, side]) await on.fund(alice.address, 1_000n * ETHER);
  deployedAt = (await deployOn(chain, peg)).deploymentBlock;
  await installGateway(side, peg);
});
afterAll(() => Promise.all(anvils.map((anvil) => anvil.stop())));
beforeEach(async () => {
  snapshot = await chain.client.snapshot();
});
afterEach(() => chain.client.revert({ id: snapshot }));

const read = (address: Address, abi: unknown, functionName: string, args: readonly unknown[] = []) =>
  chain.client.readContract({ address, abi, functionName, args } as never) as Promise<unknown>;
const refusal = (call: object, from: NamedKey = alice) => refusalOf(chain, call, from);
const onTimelock = (functionName: string, args: readonly unknown[]) => ({
  address: peg.manifest.addresses.timelock,
  abi: pegTimelockAbi,
  functionName,
  args,
});
const onCouncil = (functionName: string, args: readonly unknown[]) => ({
  address: peg.manifest.addresses.council,
  abi: [...pegCouncilAbi, ...pegTimelockAbi.filter(({ type }) => type === 'error')],
  functionName,
  args,
});

describe('governance', () => {
  const change = vaultCall('setLimit', [ZERO_ADDRESS, 5n]);

  test('needs two thirds of the council, its own members, and the digest that EIP-712 gives', async () => {
    const operation = await operationOf(chain, peg, change);
    const { council, vault } = peg.manifest.addresses;
    const proposal = (approval: Awaited<ReturnType<typeof approve>>) =>
      onCouncil('schedule', [[vault], [change.data], zeroHash, zeroHash, approval]);
    const by = (signers: readonly NamedKey[], action: number = ACTION.schedule) =>
      approve(chain, peg, action, operation, signers);
    expect(await refusal(proposal(await by(peg.governors.slice(0, 2))))).toBe('NotEnoughMembers');
    expect(await refusal(proposal(await by(peg.governors.slice(0, 3), ACTION.cancel)))).toBe('WrongSigner');
    const good = await by(peg.governors.slice(1));
    expect(await refusal(proposal({ ...good, members: `${good.members}${alice.address.slice(2)}` }))).toBe(
      'WrongMembers',
    );
    expect(await refusal(proposal(good))).toBe('no revert');
    expect(await read(council, pegCouncilAbi, 'decisionDigest', [ACTION.schedule, operation, 0n])).toBe(
      hashTypedData({
        domain: {
          name: 'Causeway',
          version: '1',
          chainId: L1_CHAIN_ID,
          verifyingContract: council,
          salt: peg.inputs.genesisHash,
        },
        types: {
          CouncilDecision: [
            { name: 'action', type: 'uint8' },
            { name: 'subject', type: 'bytes32' },
            { name: 'nonce', type: 'uint64' },
          ],
        },
        primaryType: 'CouncilDecision',
        message: { action: ACTION.schedule, subject: operation, nonce: 0n },
      }),
    );
  });

  test('waits seven days, then anyone executes, once; the council may cancel until then', async () => {
    const operation = await schedule(chain, peg, change);
    expect(await refusal(executeCall(peg, change))).toBe('TimelockUnexpectedOperationState');
    await pass(chain, 7 * DAY - 60);
    expect(await refusal(executeCall(peg, change))).toBe('TimelockUnexpectedOperationState');
    await pass(chain, 60);
    expect(await refusal(executeCall(peg, change))).toBe('no revert');
    const cancel = onCouncil('cancel', [operation, await approve(chain, peg, ACTION.cancel, operation)]);
    await chain.send(alice, cancel as never);
    expect(await refusal(executeCall(peg, change))).toBe('TimelockUnexpectedOperationState');
    // A decision counts once.
    expect(await refusal(cancel)).toBe('WrongSigner');
  });

  test('has no administrator, no other proposer, and no shorter delay', async () => {
    const { vault, timelock } = peg.manifest.addresses;
    expect(
      await refusal(onTimelock('schedule', [vault, 0n, change.data, zeroHash, zeroHash, 604_800n])),
    ).toBe('AccessControlUnauthorizedAccount');
    expect(await refusal(onTimelock('grantRole', [ZERO_HASH, alice.address]))).toBe('RolesAreFixed');
    expect(await refusal(onTimelock('updateDelay', [604_799n]))).toBe('DelayTooShort');
    expect(await refusal(onTimelock('updateDelay', [604_800n]))).toBe('TimelockUnauthorizedCaller');
    // The timelock itself cannot either: what it decides about itself is refused when executed.
    for (const [name, args] of [
      ['grantRole', [ZERO_HASH, alice.address]],
      ['updateDelay', [1n]],
    ] as const) {
      const data = encodeFunctionData({ abi: pegTimelockAbi, functionName: name, args } as never);
      const subject = (await read(timelock, pegTimelockAbi, 'hashOperationBatch', [
        [timelock],
        [0n],
        [data],
        zeroHash,
        zeroHash,
      ])) as Hash;
      const approval = await approve(chain, peg, ACTION.schedule, parseHash(subject));
      await chain.send(
        alice,
        onCouncil('schedule', [[timelock], [data], zeroHash, zeroHash, approval]) as never,
      );
      await pass(chain, 7 * DAY);
      expect(
        await refusal(onTimelock('executeBatch', [[timelock], [0n], [data], zeroHash, zeroHash])),
      ).not.toBe('no revert');
    }
  });

  test('leaves the deployer without a role, as the events of the birth show', async () => {
    const { council, timelock, factory } = peg.manifest.addresses;
    const events = await chain.client.getContractEvents({
      address: timelock,
      abi: pegTimelockAbi,
      fromBlock: deployedAt,
      strict: true,
    });
    const granted = events.filter(({ eventName }) => eventName === 'RoleGranted');
    const holders = granted.map(({ args }) => (args as { account: string }).account.toLowerCase());
    expect(new Set(holders)).toEqual(new Set([timelock, council, ZERO_ADDRESS]));
    expect(holders).not.toContain(peg.deployer.address);
    expect(holders).not.toContain(factory);
  });
});

describe('a rotation of relayers', () => {
  const next = { threshold: 3, addresses: namedKeys('new relayer', 4).map(({ address }) => address) };
  const nextKeys = namedKeys('new relayer', 4);

  test('is governance’s, of a well-formed set, and never while anybody else asks', async () => {
    const { verifier, vault } = peg.manifest.addresses;
    const rotate = (packed: Hex) => ({
      address: verifier,
      abi: pegVerifierAbi,
      functionName: 'rotateRelayers',
      args: [packed],
    });
    expect(await refusal(rotate(packedRelayers(next)))).toBe('NotTimelock');
    expect(
      await refusal({
        address: vault,
        abi: pegVaultAbi,
        functionName: 'appendRelayerSet',
        args: [2n, packedRelayers(next)],
      }),
    ).toBe('NotVerifier');
    const lone = `0x01${alice.address.slice(2)}` as Hex;
    await expect(govern(chain, peg, verifierCall('rotateRelayers', [lone]))).rejects.toThrow('BadThreshold');
  });

  test('case 19: in mid-flight strands no withdrawal, and the old set anchors nothing more', async () => {
    const leaf = leafOf(0, alice.address, ETHER);
    const hashes = await anchorLeaves(chain, peg, [leaf]);
    await govern(chain, peg, verifierCall('rotateRelayers', [packedRelayers(next)]));
    const c = checkpointAt(peg, 2n, { outboxCount: 1n, outboxRoot: claimCall(peg, leaf, hashes).args[3] });
    const old = checkpointArguments(peg, c);
    expect(await refusal(submitCheckpointCall(peg, old))).toBe('WrongRelayers');
    const digest = anchorAttestationDigest(
      {
        chainId: peg.inputs.l1ChainId,
        verifyingContract: peg.manifest.addresses.verifier,
        salt: peg.inputs.genesisHash,
      },
      { valueId: checkpointToValueId(c), relayerEpoch: 2n },
    );
    const { bitmap, signatures } = packSignatures(
      next.addresses,
      new Map(nextKeys.map(({ address, sign }) => [address, sign(digest)])),
    );
    await chain.send(
      alice,
      submitCheckpointCall(peg, [
        old[0],
        old[1],
        old[2],
        old[3],
        old[4],
        packedRelayers(next),
        bitmap,
        signatures,
      ]),
    );
    await chain.send(alice, claimCall(peg, leaf, hashes));
  });

  test('reaches the sidechain as a leaf that the new set attests, in its place among the deposits', async () => {
    const { vault } = peg.manifest.addresses;
    const deposit = {
      address: vault,
      abi: pegVaultAbi,
      functionName: 'deposit' as const,
      args: [alice.address] as const,
      value: ETHER,
    };
    await chain.send(alice, deposit);
    const receipt = await govern(chain, peg, verifierCall('rotateRelayers', [packedRelayers(next)]));
    const [told] = parseEventLogs({ abi: pegVaultAbi, logs: receipt.logs, eventName: 'DepositData' });
    expect(told!.args).toEqual({ nonce: 1n, data: packedRelayers(next) });
    const leaves: Leaf[] = [
      leafOf(0, alice.address, ETHER),
      {
        ...leafOf(1, ZERO_ADDRESS, 2n),
        kind: LEAF_KIND.relayerSet,
        sender: vault,
        dataHash: keccak256Hex(hexToBytes(packedRelayers(next))),
      },
    ];
    const hash = leaves.map((leaf) => leafHash(depositContext(peg), leaf)).reduce(foldDeposit, ZERO_HASH);
    expect(await read(vault, pegVaultAbi, 'depositHash')).toBe(hash);
    const attested = (
      keys: readonly NamedKey[],
      set: typeof next,
      relayerEpoch: bigint,
      data: readonly Hex[],
    ) => {
      const digest = depositAttestationDigest(
        { chainId: peg.inputs.sidechainId, verifyingContract: PEG_GATEWAY, salt: peg.specHash },
        { l1ChainId: peg.inputs.l1ChainId, vault, n: 2n, hash, relayerEpoch },
      );
      const packed = packSignatures(
        set.addresses,
        new Map(keys.map(({ address, sign }) => [address, sign(digest)])),
      );
      return {
        address: PEG_GATEWAY,
        abi: pegGatewayAbi,
        functionName: 'importDeposits' as const,
        args: [
          0n,
          leaves.map(({ nonce: _, ...rest }) => rest),
          { relayers: packedRelayers(set), ...packed, data },
        ] as const,
      };
    };
    const data = [packedRelayers(next)];
    const old = peg.inputs.relayers as typeof next;
    expect(await refusalOf(side, attested(peg.relayers, old, 1n, data), alice)).toBe('WrongRelayers');
    expect(await refusalOf(side, attested(nextKeys, next, 1n, data), alice)).toBe('WrongSigner');
    expect(await refusalOf(side, attested(nextKeys, next, 2n, []), alice)).toBe('WrongData');
    expect(await refusalOf(side, attested(nextKeys, next, 2n, [packedRelayers(old)]), alice)).toBe(
      'WrongData',
    );
    await side.send(alice, attested(nextKeys, next, 2n, data));
    const slot = async (at: Hash): Promise<Hash> =>
      parseHash((await side.client.getStorageAt({ address: PEG_GATEWAY, slot: at })) ?? ZERO_HASH);
    expect(await readGatewayRelayers(slot)).toEqual(next);
    expect(await readGatewayState(slot)).toMatchObject({ importedCount: 2n, relayerEpoch: 2n });
  });
});

/** The vault passes on what the verifier reverts with. */
const PEG_ABI = [...pegVaultAbi, ...pegVerifierAbi.filter(({ type }) => type === 'error')];

describe('equivocation', () => {
  const { verifier } = createPeg({ epochLength: 10n }).manifest.addresses;
  const A = hashOf('one value');
  const B = hashOf('another value');
  const report = (
    height: bigint,
    first: readonly [round: number, valueId: Hash],
    second: readonly [round: number, valueId: Hash],
    signers = peg.validators,
    set = peg.inputs.validators,
  ) => {
    const side = ([round, valueId]: readonly [number, Hash]) => ({
      round,
      valueId,
      ...precommits(peg, set, signers, height, round, valueId),
    });
    return {
      address: verifier,
      abi: pegVerifierAbi,
      functionName: 'reportEquivocation' as const,
      args: [height, bytesToHex(packValidators(set.validators)), side(first), side(second)] as const,
    };
  };

  test('case 21: proven by anyone, in whatever rounds, stops claims, deposits and checkpoints by itself', async () => {
    const leaf = leafOf(0, alice.address, ETHER);
    const hashes = await anchorLeaves(chain, peg, [leaf]);
    const { gasUsed } = await chain.send(alice, report(5n, [0, A], [3, B]));
    console.info(`gas: reportEquivocation of 4 validators ${gasUsed}`);
    expect(await refusal({ ...claimCall(peg, leaf, hashes), abi: PEG_ABI })).toBe('HaltedByEquivocation');
    const deposit = {
      address: peg.manifest.addresses.vault,
      abi: PEG_ABI,
      functionName: 'deposit',
      args: [alice.address],
      value: ETHER,
    };
    expect(await refusal(deposit)).toBe('HaltedByEquivocation');
    expect(await refusal(submitCheckpointCall(peg, checkpointArguments(peg, checkpointAt(peg, 2n))))).toBe(
      'HaltedByEquivocation',
    );
    await govern(chain, peg, verifierCall('resume', []));
    await chain.send(alice, claimCall(peg, leaf, hashes));
    // Evidence that governance has seen is spent; newer is not.
    expect(await refusal(report(5n, [0, A], [3, B]))).toBe('EvidenceForgiven');
    expect(await refusal(report(6n, [0, A], [3, B]))).toBe('no revert');
  });

  test('is not: one value in two rounds, nil in one of them, or fewer than a quorum', async () => {
    expect(await refusal(report(5n, [0, A], [1, A]))).toBe('NoConflict');
    expect(await refusal(report(5n, [0, ZERO_HASH], [1, A]))).toBe('NoConflict');
    expect(await refusal(report(5n, [0, A], [1, B], peg.validators.slice(0, 2)))).toBe('NotEnoughPower');
    expect(await refusal(report(0n, [0, A], [1, B]))).toBe('EvidenceForgiven');
    expect(await refusal(report(11n, [0, A], [1, B]))).toBe('UnknownEpoch');
    const call = report(5n, [0, A], [1, B]);
    const [height, set, first, second] = call.args;
    expect(await refusal({ ...call, args: [height, set, { ...first, round: 7 }, second] })).toBe(
      'WrongSigner',
    );
  });

  test('of a set that was replaced counts for seven days, of an older one no more', async () => {
    const others = namedKeys('later validator', 4);
    const next = setOf(others);
    await chain.send(
      alice,
      submitCheckpointCall(
        peg,
        checkpointArguments(peg, checkpointAt(peg, 10n, { nextValidatorsHash: next.hash })),
      ),
    );
    expect(await refusal(report(5n, [0, A], [1, B]))).toBe('no revert');
    expect(await refusal(report(15n, [0, A], [1, B], others, next))).toBe('no revert');
    await pass(chain, 7 * DAY + 1);
    expect(await refusal(report(5n, [0, A], [1, B]))).toBe('EvidenceTooOld');
    expect(await refusal(report(15n, [0, A], [1, B], others, next))).toBe('no revert');
  });

  test('leads to the escape when nobody resumes', async () => {
    const c = checkpointAt(peg, 1n);
    await chain.send(alice, submitCheckpointCall(peg, checkpointArguments(peg, c)));
    await chain.send(alice, report(5n, [0, A], [3, B]));
    const call = (functionName: string, args: readonly unknown[] = []) => ({
      address: verifier,
      abi: pegVerifierAbi,
      functionName,
      args,
    });
    await pass(chain, 7 * DAY);
    await chain.send(alice, call('announceEscape') as never);
    await pass(chain, 7 * DAY);
    await chain.send(alice, call('activateEscape', [c]) as never);
    expect(await refusal(call('reportEquivocation', report(6n, [0, A], [3, B]).args))).toBe('Escaping');
  });
});
