/** An attacker at a running network: one lock stolen is not enough, in either direction. */
import { encodeFunctionData, getAddress, parseEther } from 'viem';
import { privateKeyToAccount } from 'viem/accounts';
import { PEG_GATEWAY } from '#bridge/addresses.ts';
import { pegGatewayAbi } from '#bridge/contracts/artifacts/contracts.ts';
import { foldDeposit, type Leaf, leafHash } from '#bridge/encoding/leaf.ts';
import { packRelayerSet } from '#bridge/encoding/relayerSet.ts';
import { packSignatures } from '#bridge/encoding/signatureBitmap.ts';
import { claim, waitForClaim, withdrawEth } from '#bridge/user/withdrawal.ts';
import { devnetAccounts } from '#cli/devnet/accounts.ts';
import { signDigest } from '#consensus/crypto/secp256k1.ts';
import {
  anchorAttestationDigest,
  checkpointToValueId,
  depositAttestationDigest,
  voteDigest,
} from '#consensus/digests.ts';
import {
  type Address,
  bytesToHex,
  compareHex,
  type Hash,
  parseAddress,
  parseHash,
  ZERO_HASH,
} from '#consensus/primitives.ts';
import type { Checkpoint } from '#consensus/types.ts';
import { packValidators } from '#consensus/validatorSet.ts';
import { type Devnet, eventually, heightOf, rpc, startDevnet } from '#test/e2e/support/devnet.ts';
import { depositAndFollow, genesisOf, pegAt, unrecorded, userAccount } from '#test/e2e/support/peg.ts';
import type { RpcObject } from '#test/e2e/support/recompute.ts';

const THIEF = parseAddress('0x00000000000000000000000000000000007471ef');

describe('one lock stolen', () => {
  let devnet: Devnet;
  const roles = devnetAccounts();

  beforeAll(async () => {
    devnet = await startDevnet();
  }, 200_000);
  afterAll(() => devnet?.dispose());

  test('a deposit attested by all three relayers but not on the L1 is never committed', async () => {
    const { spec, specHash, l1 } = await genesisOf(devnet);
    const peg = await pegAt(devnet, 0);
    const [count, hash] = await Promise.all([
      peg.sidechain.readContract({ ...peg.gateway, functionName: 'importedCount' }),
      peg.sidechain.readContract({ ...peg.gateway, functionName: 'importedHash' }),
    ]);
    const leaf: Leaf = {
      kind: 0,
      nonce: count,
      token: parseAddress(`0x${'00'.repeat(20)}`),
      sender: THIEF,
      recipient: THIEF,
      amount: parseEther('1000000'),
      fee: 0n,
      dataHash: ZERO_HASH,
    };
    const forged = foldDeposit(
      parseHash(hash),
      leafHash(
        { srcChainId: spec.l1ChainId, dstChainId: spec.chainId, srcBridge: l1.vault, dstBridge: PEG_GATEWAY },
        leaf,
      ),
    );
    const digest = depositAttestationDigest(
      { chainId: spec.chainId, verifyingContract: PEG_GATEWAY, salt: specHash },
      { l1ChainId: spec.l1ChainId, vault: l1.vault, n: count + 1n, hash: forged, relayerEpoch: 1n },
    );
    const set = spec.relayers.map(({ address }) => address);
    const { bitmap, signatures } = packSignatures(
      set,
      new Map(roles.relayers.map(({ address, privateKey }) => [address, signDigest(digest, privateKey)])),
    );
    const { nonce: _, ...deposit } = leaf;
    const data = encodeFunctionData({
      abi: pegGatewayAbi,
      functionName: 'importDeposits',
      args: [
        count,
        [deposit],
        {
          relayers: bytesToHex(packRelayerSet({ threshold: spec.relayerThreshold, addresses: set })),
          bitmap,
          signatures,
          data: [],
        },
      ],
    });
    // With the real signatures it would succeed: nothing but the validators' own view of the L1 stands in the way.
    const submitter = privateKeyToAccount(bytesToHex(roles.relayers[0]!.privateKey));
    await peg.sidechain.call({
      account: submitter.address,
      to: getAddress(PEG_GATEWAY),
      data,
      gas: 5_000_000n,
    });
    const raw = await submitter.signTransaction({
      type: 'eip1559',
      chainId: Number(spec.chainId),
      to: getAddress(PEG_GATEWAY),
      nonce: await peg.sidechain.getTransactionCount({ address: submitter.address }),
      gas: 1_000_000n,
      maxFeePerGas: 0n,
      maxPriorityFeePerGas: 0n,
      data,
    });
    const sent = await Promise.all(
      devnet.urls.map((url) =>
        rpc<string>(url, 'eth_sendRawTransaction', [raw]).catch((fault: Error) => fault.message),
      ),
    );
    expect(sent.some((answer) => /^0x[0-9a-f]{64}$/.test(answer))).toBe(true);
    // Every validator has proposed at least once more, and an honest deposit crossed meanwhile.
    const from = await heightOf(devnet.urls[0]!);
    await eventually('eight more blocks', async () => (await heightOf(devnet.urls[0]!)) >= from + 8);
    for (const url of devnet.urls) {
      expect(await rpc(url, 'eth_getBalance', [THIEF, 'latest'])).toBe('0x0');
      expect(await rpc<RpcObject | null>(url, 'eth_getTransactionReceipt', [sent[0]])).toBeNull();
    }
    const imported = await depositAndFollow(peg, 2, 10n ** 17n);
    expect(imported.credited).toBe(true);
    expect(await rpc(devnet.urls[1]!, 'eth_getBalance', [THIEF, 'latest'])).toBe('0x0');
  }, 180_000);

  test('a forged checkpoint needs both locks: the L1 refuses either one alone', async () => {
    const { spec, genesisHash, validators, l1 } = await genesisOf(devnet);
    const peg = await pegAt(devnet, 0);
    const [height, valueId] = await Promise.all([
      peg.l1.readContract({ ...peg.verifier, functionName: 'latestHeight' }),
      peg.l1.readContract({ ...peg.verifier, functionName: 'latestValueId' }),
    ]);
    expect(valueId).toMatch(/^0x[0-9a-f]{64}$/);
    const known = await rpc<RpcObject>(devnet.urls[0]!, 'causeway_getCheckpoint', ['latest']);
    const epochEnd = (height / spec.epochLength + 1n) * spec.epochLength;
    const forged: Checkpoint = {
      ...(Object.fromEntries(Object.entries(known.checkpoint)) as unknown as Checkpoint),
      height: height + 1n < epochEnd ? height + 1n : epochEnd,
      outboxRoot: parseHash(`0x${'66'.repeat(32)}`),
      outboxCount: BigInt(known.checkpoint.outboxCount) + 1n,
      importedCount: BigInt(known.checkpoint.importedCount),
    };
    const forgedId = checkpointToValueId(forged);
    const precommit = voteDigest(
      { chainId: spec.chainId, genesisHash },
      { type: 'precommit', height: forged.height, round: 0, valueId: forgedId },
    );
    const anchor = anchorAttestationDigest(
      { chainId: spec.l1ChainId, verifyingContract: l1.verifier, salt: genesisHash },
      { valueId: forgedId, relayerEpoch: 1n },
    );
    const keys = new Map<Address, Uint8Array>(
      [...roles.validators, ...roles.relayers].map(({ address, privateKey }) => [address, privateKey]),
    );
    const byAddress = (addresses: readonly Address[]) => [...addresses].sort(compareHex);
    const validatorAddresses = byAddress(validators.validators.map(({ address }) => address));
    const relayerAddresses = byAddress(spec.relayers.map(({ address }) => address));
    const sign = (set: readonly Address[], signers: readonly Address[], digest: Hash) =>
      packSignatures(
        set,
        new Map(signers.map((address) => [address, signDigest(digest, keys.get(address)!)])),
      );
    const submit = (validatorSigners: readonly Address[], relayerSigners: readonly Address[]) => {
      const seals = sign(validatorAddresses, validatorSigners, precommit);
      const attestations = sign(relayerAddresses, relayerSigners, anchor);
      return peg.l1.simulateContract({
        ...peg.verifier,
        functionName: 'submitCheckpoint',
        account: userAccount(3).address,
        args: [
          forged,
          0,
          bytesToHex(packValidators(validators.validators)),
          seals.bitmap,
          seals.signatures,
          bytesToHex(packRelayerSet({ threshold: spec.relayerThreshold, addresses: relayerAddresses })),
          attestations.bitmap,
          attestations.signatures,
        ],
      });
    };
    await expect(submit(validatorAddresses, [])).rejects.toThrow(/NotEnoughRelayers/);
    await expect(submit(validatorAddresses, relayerAddresses.slice(0, 1))).rejects.toThrow(
      /NotEnoughRelayers/,
    );
    await expect(submit(validatorAddresses.slice(0, 2), relayerAddresses)).rejects.toThrow(/NotEnoughPower/);
    await expect(submit([], relayerAddresses)).rejects.toThrow(/NotEnoughPower/);
    // The same checkpoint with both locks would pass: what was refused above was the missing lock, nothing else.
    await submit(validatorAddresses.slice(0, 3), relayerAddresses.slice(0, 2));
  }, 60_000);

  test('a claim pays once', async () => {
    const peg = await pegAt(devnet, 2);
    const account = userAccount(4);
    const recipient = parseAddress('0x00000000000000000000000000000000c0ffee00');
    const record = unrecorded('claims once');
    const burned = await withdrawEth(peg, { account, recipient, amountWei: parseEther('0.3'), record });
    const proof = await waitForClaim(peg, burned.burnTx, { index: burned.index, timeoutMs: 90_000 });
    await claim(peg, { account, claim: proof, record });
    expect(await peg.l1.getBalance({ address: getAddress(recipient) })).toBe(parseEther('0.3'));
    const again = peg.l1.simulateContract({
      ...peg.vault,
      functionName: 'claim',
      account: account.address,
      args: [proof.leaf, proof.index, proof.proof as never, proof.outboxRoot],
    });
    await expect(again).rejects.toThrow(/AlreadyClaimed/);
    expect(await peg.l1.getBalance({ address: getAddress(recipient) })).toBe(parseEther('0.3'));
  }, 180_000);
});
