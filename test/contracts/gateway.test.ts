import { type ContractFunctionArgs, encodeFunctionData, type Hex, parseEventLogs } from 'viem';
import { PEG_GATEWAY } from '#bridge/addresses.ts';
import { pegGatewayAbi } from '#bridge/contracts/artifacts/contracts.ts';
import {
  type GatewayState,
  parkedSlot,
  readGatewayRelayers,
  readGatewayState,
} from '#bridge/encoding/gatewaySlots.ts';
import {
  EMPTY_DEPOSIT_HASH,
  foldDeposit,
  type Leaf,
  type LeafContext,
  leafHash,
} from '#bridge/encoding/leaf.ts';
import { EMPTY_OUTBOX_ROOT, outboxRoot } from '#bridge/encoding/outboxTree.ts';
import { packSignatures } from '#bridge/encoding/signatureBitmap.ts';
import { importGasLimit } from '#bridge/relayer/importBatch.ts';
import { anchorAttestationDigest, depositAttestationDigest } from '#consensus/digests.ts';
import {
  type Address,
  type Hash,
  parseAddress,
  parseHash,
  ZERO_ADDRESS,
  ZERO_HASH,
} from '#consensus/primitives.ts';
import { type Anvil, startAnvil } from '#test/contracts/fixtures/anvil.ts';
import {
  caller,
  creationOf,
  GAS_BURNER,
  REJECTOR,
  RETURN_BOMB,
  REVERT_BOMB,
  refusingCaller,
} from '#test/contracts/fixtures/bytecode.ts';
import { connectChain, revertName, type TestChain } from '#test/contracts/fixtures/chain.ts';
import { namedKey, namedKeys } from '#test/contracts/fixtures/keys.ts';
import {
  createPeg,
  depositAttestations,
  ETHER,
  hashOf,
  installGateway,
  type Peg,
  packedRelayers,
  SIDECHAIN_ID,
} from '#test/contracts/fixtures/peg.ts';

const relayer = namedKey('submitting relayer');
const alice = namedKey('alice');
const BACKED = 1_000n * ETHER;
const PREFUND = 1n << 128n;

let anvil: Anvil;
let chain: TestChain;
let peg: Peg;
let context: LeafContext;
let snapshot: Hex;

beforeAll(async () => {
  anvil = await startAnvil(SIDECHAIN_ID);
  chain = connectChain(anvil.url, SIDECHAIN_ID);
  for (const { address } of [relayer, alice]) await chain.fund(address, 1_000n * ETHER);
  peg = createPeg({ backedWei: BACKED });
  await installGateway(chain, peg);
  context = {
    srcChainId: peg.inputs.l1ChainId,
    dstChainId: peg.inputs.sidechainId,
    srcBridge: peg.manifest.addresses.vault,
    dstBridge: PEG_GATEWAY,
  };
});
afterAll(() => anvil.stop());
beforeEach(async () => {
  snapshot = await chain.client.snapshot();
});
afterEach(() => chain.client.revert({ id: snapshot }));

const readSlot = async (slot: Hash): Promise<Hash> =>
  parseHash((await chain.client.getStorageAt({ address: PEG_GATEWAY, slot })) ?? ZERO_HASH);
const state = (): Promise<GatewayState> => readGatewayState(readSlot);

const depositOf = (nonce: number, recipient: Address, amount = ETHER): Leaf => ({
  kind: 0,
  nonce: BigInt(nonce),
  token: ZERO_ADDRESS,
  sender: alice.address,
  recipient,
  amount,
  fee: 0n,
  dataHash: ZERO_HASH,
});
const fold = (leaves: readonly Leaf[], from: Hash = EMPTY_DEPOSIT_HASH): Hash =>
  leaves.map((leaf) => leafHash(context, leaf)).reduce(foldDeposit, from);

type ImportArguments = ContractFunctionArgs<typeof pegGatewayAbi, 'nonpayable', 'importDeposits'>;

const importArguments = (
  leaves: readonly Leaf[],
  options: { before?: Hash; signers?: Peg['relayers']; hash?: Hash; data?: readonly Hex[] } = {},
): ImportArguments => {
  const first = leaves[0]?.nonce ?? 0n;
  const hash = options.hash ?? fold(leaves, options.before);
  const { bitmap, signatures } = depositAttestations(
    peg,
    options.signers ?? peg.relayers,
    first + BigInt(leaves.length),
    hash,
  );
  const deposits = leaves.map(({ nonce: _, ...deposit }) => deposit);
  return [
    first,
    deposits,
    { relayers: packedRelayers(peg.inputs.relayers), bitmap, signatures, data: options.data ?? [] },
  ];
};
const importCall = (args: ImportArguments) => ({
  address: PEG_GATEWAY,
  abi: pegGatewayAbi,
  functionName: 'importDeposits' as const,
  args,
});
const refusal = (args: ImportArguments, gas?: bigint) =>
  revertName(
    chain.client.simulateContract({
      ...importCall(args),
      account: relayer.account,
      ...(gas === undefined ? {} : { gas }),
    }),
  );
const importAll = (args: ImportArguments) => chain.send(relayer, importCall(args));
const balance = (address: Address) => chain.client.getBalance({ address });
const misbehaving = async (runtime: Hex): Promise<Address> =>
  parseAddress((await chain.create(alice, creationOf(runtime))).contractAddress);

test('starts as the genesis wrote it, and the node reads the same as the views say', async () => {
  expect(await state()).toEqual({
    importedCount: 0n,
    importedHash: ZERO_HASH,
    outboxRoot: EMPTY_OUTBOX_ROOT,
    outboxCount: 0n,
    relayerEpoch: 1n,
    mintedWei: BACKED,
    burnedWei: 0n,
  });
  expect(await readGatewayRelayers(readSlot)).toEqual(peg.inputs.relayers);
  const view = (functionName: never) =>
    chain.client.readContract({ address: PEG_GATEWAY, abi: pegGatewayAbi, functionName }) as Promise<unknown>;
  const views = {
    relayerThreshold: 2,
    relayerEpoch: 1n,
    mintedWei: BACKED,
    l1ChainId: peg.inputs.l1ChainId,
    specHash: peg.specHash,
    outboxRoot: EMPTY_OUTBOX_ROOT,
  };
  for (const [name, value] of Object.entries(views)) expect(await view(name as never)).toBe(value);
  expect(String(await view('vault' as never)).toLowerCase()).toBe(peg.manifest.addresses.vault);
  const addresses = (await view('relayerAddresses' as never)) as string[];
  expect(addresses.map((address) => address.toLowerCase())).toEqual(peg.inputs.relayers.addresses);
});

describe('an import', () => {
  const [one, two] = [namedKey('one').address, namedKey('two').address];

  test('credits each deposit, identical ones too, and moves count, hash and minted', async () => {
    const leaves = [depositOf(0, one), depositOf(1, one), depositOf(2, two, 5n * ETHER)];
    const receipt = await importAll(importArguments(leaves));
    expect(await balance(one)).toBe(2n * ETHER);
    expect(await balance(two)).toBe(5n * ETHER);
    expect(await state()).toMatchObject({
      importedCount: 3n,
      importedHash: fold(leaves),
      mintedWei: BACKED + 7n * ETHER,
    });
    const events = parseEventLogs({ abi: pegGatewayAbi, logs: receipt.logs, eventName: 'Imported' });
    expect(events.map(({ args }) => [args.nonce, args.credited])).toEqual([
      [0n, true],
      [1n, true],
      [2n, true],
    ]);
    expect(await balance(PEG_GATEWAY)).toBe(PREFUND - 7n * ETHER);
  });

  test('a second time, with a gap, or overlapping is refused', async () => {
    const first = [depositOf(0, one)];
    await importAll(importArguments(first));
    expect(await refusal(importArguments(first))).toBe('NotContiguous');
    expect(await refusal(importArguments([depositOf(2, one)], { before: fold(first) }))).toBe(
      'NotContiguous',
    );
    expect(await refusal(importArguments([depositOf(1, one)], { before: fold(first) }))).toBe('no revert');
  });

  test('with fewer relayers than the threshold, or of another hash, count, epoch, chain or contract is refused', async () => {
    const leaves = [depositOf(0, one)];
    expect(await refusal(importArguments(leaves, { signers: peg.relayers.slice(0, 1) }))).toBe(
      'NotEnoughRelayers',
    );
    expect(await refusal(importArguments(leaves, { hash: hashOf('forged') }))).toBe('WrongSigner');
    const args = importArguments(leaves);
    const domain = { chainId: peg.inputs.sidechainId, verifyingContract: PEG_GATEWAY, salt: peg.specHash };
    const attestation = {
      l1ChainId: peg.inputs.l1ChainId,
      vault: peg.manifest.addresses.vault,
      n: 1n,
      hash: fold(leaves),
      relayerEpoch: 1n,
    };
    const signed = (over: Partial<typeof domain>, message: Partial<typeof attestation>): ImportArguments => {
      const digest = depositAttestationDigest({ ...domain, ...over }, { ...attestation, ...message });
      const { signatures } = packSignatures(
        peg.relayers.map(({ address }) => address),
        new Map(peg.relayers.map(({ address, sign }) => [address, sign(digest)])),
      );
      return [args[0], args[1], { ...args[2], signatures }];
    };
    expect(await refusal(signed({}, {}))).toBe('no revert');
    for (const changed of [
      signed({ chainId: 1n }, {}),
      signed({ verifyingContract: alice.address }, {}),
      signed({ salt: peg.inputs.genesisHash }, {}),
      signed({}, { l1ChainId: 1n }),
      signed({}, { vault: alice.address }),
      signed({}, { n: 2n }),
      signed({}, { relayerEpoch: 2n }),
    ])
      expect(await refusal(changed)).toBe('WrongSigner');
    const anchor = anchorAttestationDigest(domain, { valueId: fold(leaves), relayerEpoch: 1n });
    const anchors = packSignatures(
      peg.relayers.map(({ address }) => address),
      new Map(peg.relayers.map(({ address, sign }) => [address, sign(anchor)])),
    );
    expect(await refusal([args[0], args[1], { ...args[2], signatures: anchors.signatures }])).toBe(
      'WrongSigner',
    );
  });

  test('with another relayer set, a bit too many, or spare bytes is refused', async () => {
    const [first, deposits, word] = importArguments([depositOf(0, one)]);
    const changed = (change: Partial<typeof word>) => refusal([first, deposits, { ...word, ...change }]);
    expect(await changed({ relayers: `0x01${word.relayers.slice(4)}` })).toBe('WrongRelayers');
    expect(await changed({ bitmap: word.bitmap | 8n })).toBe('BitmapTooWide');
    expect(await changed({ signatures: `${word.signatures}00` })).toBe('BadSignaturesLength');
    expect(await changed({ data: ['0x'] })).toBe('WrongData');
  });

  test('of a deposit other than the attested one is refused', async () => {
    const [first, deposits, word] = importArguments([depositOf(0, one)]);
    for (const change of [{ amount: 2n * ETHER }, { recipient: two }, { sender: two }])
      expect(await refusal([first, [{ ...deposits[0]!, ...change }], word])).toBe('WrongSigner');
  });

  test('of a kind that the vault never makes is refused', async () => {
    for (const change of [
      { kind: 1 },
      { kind: 2 },
      { kind: 3, token: one },
      { kind: 4 },
      { token: one },
      { fee: 1n },
      { dataHash: hashOf('x') },
    ])
      expect(await refusal(importArguments([{ ...depositOf(0, one), ...change }]))).toBe(
        'UnsupportedDeposit',
      );
  });

  test('of nothing, or of more than 300, is refused', async () => {
    expect(await refusal(importArguments([]))).toBe('BatchOutOfRange');
    const many = Array.from({ length: 301 }, (_, nonce) => depositOf(nonce, one));
    expect(await refusal(importArguments(many))).toBe('BatchOutOfRange');
    await importAll(importArguments(many.slice(0, 300)));
    expect(await balance(one)).toBe(300n * ETHER);
  });

  test('through a contract, or from an account with code, is refused: every import is a visible top-level call', async () => {
    const data = encodeFunctionData(importCall(importArguments([depositOf(0, one)])));
    const relay = await misbehaving(caller(PEG_GATEWAY, data));
    await chain.transfer(alice, relay, 0n);
    expect(BigInt((await chain.client.getStorageAt({ address: relay, slot: '0x0' }))!)).toBe(1n);
    expect((await state()).importedCount).toBe(0n);
    // An EIP-7702 delegation is code at the sender.
    await chain.client.setCode({ address: relayer.address, bytecode: `0xef0100${one.slice(2)}` });
    expect(await refusal(importArguments([depositOf(0, one)]))).toBe('NotTopLevel');
  });

  test('parks what recipients do not take, and credits the others all the same', async () => {
    const recipients: Address[] = [];
    for (const runtime of [REJECTOR, GAS_BURNER, REVERT_BOMB, RETURN_BOMB])
      recipients.push(await misbehaving(runtime));
    const leaves = [...recipients, one].map((recipient, nonce) => depositOf(nonce, recipient));
    const receipt = await importAll(importArguments(leaves));
    const events = parseEventLogs({ abi: pegGatewayAbi, logs: receipt.logs, eventName: 'Imported' });
    expect(events.map(({ args }) => args.credited)).toEqual([false, false, false, true, true]);
    expect(await balance(one)).toBe(ETHER);
    expect(await state()).toMatchObject({ importedCount: 5n, mintedWei: BACKED + 5n * ETHER });
    for (const [at, recipient] of recipients.slice(0, 3).entries()) {
      expect(BigInt(await readSlot(parkedSlot(recipient)))).toBe(ETHER);
      expect(await balance(recipients[at]!)).toBe(0n);
    }
  });

  test('whose recipient calls back into the gateway still succeeds, and moves nothing twice', async () => {
    const data = encodeFunctionData({
      abi: pegGatewayAbi,
      functionName: 'withdrawParked',
      args: [alice.address],
    });
    const attacker = await misbehaving(caller(PEG_GATEWAY, data));
    await importAll(importArguments([depositOf(0, attacker), depositOf(1, attacker)]));
    const parked = BigInt(await readSlot(parkedSlot(attacker)));
    expect(parked + (await balance(attacker))).toBe(2n * ETHER);
    expect(await balance(PEG_GATEWAY)).toBe(PREFUND - 2n * ETHER + parked);
  });

  test('with too little gas for a full credit reverts as a whole, so stinginess parks nothing', async () => {
    const args = importArguments([depositOf(0, one)]);
    const used = await chain.client.estimateContractGas({ ...importCall(args), account: relayer.account });
    const outcomes = new Set<string>();
    for (let gas = used - 60_000n; gas <= used; gas += 10_000n) outcomes.add(await refusal(args, gas));
    expect(outcomes).toEqual(new Set(['NotEnoughGas', 'no revert']));
  });

  test('the gas that relayers ask for is enough in the worst case, whatever their number', async () => {
    const usual = peg;
    try {
      for (const [count, deposits] of [
        [3, 20],
        [100, 20],
        [255, 1],
      ] as const) {
        peg = createPeg({ backedWei: BACKED, relayers: namedKeys('relayer', count), threshold: count });
        await installGateway(chain, peg);
        const leaves = Array.from({ length: deposits }, (_, nonce) =>
          depositOf(nonce, namedKey(`burner ${nonce}`).address),
        );
        for (const { recipient } of leaves)
          await chain.client.setCode({ address: recipient, bytecode: GAS_BURNER });
        const gas = importGasLimit(BigInt(deposits), 16_000_000n, count);
        expect(await refusal(importArguments(leaves), gas)).toBe('no revert');
      }
    } finally {
      peg = usual;
    }
  });
});

describe('parked credits', () => {
  test('go where their owner says, once', async () => {
    const data = encodeFunctionData({
      abi: pegGatewayAbi,
      functionName: 'withdrawParked',
      args: [namedKey('elsewhere').address],
    });
    // Refuses value, and calls the gateway when poked without value.
    const owner = await misbehaving(refusingCaller(PEG_GATEWAY, data));
    await importAll(importArguments([depositOf(0, owner)]));
    expect(BigInt(await readSlot(parkedSlot(owner)))).toBe(ETHER);
    await chain.transfer(alice, owner, 0n);
    expect(await balance(namedKey('elsewhere').address)).toBe(ETHER);
    expect(BigInt(await readSlot(parkedSlot(owner)))).toBe(0n);
    await chain.transfer(alice, owner, 0n);
    expect(await balance(namedKey('elsewhere').address)).toBe(ETHER);
  });

  test('of nobody are nothing', async () => {
    const of = (to: Address) =>
      revertName(
        chain.client.simulateContract({
          address: PEG_GATEWAY,
          abi: pegGatewayAbi,
          functionName: 'withdrawParked',
          args: [to],
          account: alice.account,
        }),
      );
    expect(await of(alice.address)).toBe('NothingParked');
    expect(await of(ZERO_ADDRESS)).toBe('RecipientRefused');
  });
});

describe('a withdrawal', () => {
  const withdrawCall = (recipient: Address, value: bigint) => ({
    address: PEG_GATEWAY,
    abi: pegGatewayAbi,
    functionName: 'withdraw' as const,
    args: [recipient] as const,
    value,
  });

  test('burns into the outbox tree exactly as our own encoding builds it', async () => {
    const out: LeafContext = {
      srcChainId: context.dstChainId,
      dstChainId: context.srcChainId,
      srcBridge: context.dstBridge,
      dstBridge: context.srcBridge,
    };
    const hashes: Hash[] = [];
    for (let nonce = 0; nonce < 9; nonce++) {
      const amount = BigInt(nonce + 1) * ETHER;
      const receipt = await chain.send(alice, withdrawCall(alice.address, amount));
      const leaf = leafHash(out, depositOf(nonce, alice.address, amount));
      hashes.push(leaf);
      const [event] = parseEventLogs({ abi: pegGatewayAbi, logs: receipt.logs, eventName: 'Burned' });
      expect(event!.args).toMatchObject({
        nonce: BigInt(nonce),
        kind: 0,
        amount,
        fee: 0n,
        dataHash: ZERO_HASH,
        leaf,
      });
      expect(await state()).toMatchObject({ outboxCount: BigInt(nonce + 1), outboxRoot: outboxRoot(hashes) });
    }
    expect(await state()).toMatchObject({ burnedWei: 45n * ETHER, mintedWei: BACKED });
    expect(await balance(PEG_GATEWAY)).toBe(PREFUND + 45n * ETHER);
  });

  test('to zero, a low address or an L1 contract of the peg, or below the minimum, is refused', async () => {
    const of = (recipient: Address, value: bigint) =>
      revertName(
        chain.client.simulateContract({ ...withdrawCall(recipient, value), account: alice.account }),
      );
    for (const recipient of [ZERO_ADDRESS, PEG_GATEWAY, ...Object.values(peg.manifest.addresses)])
      expect(await of(recipient, ETHER)).toBe('RecipientRefused');
    expect(await of(alice.address, 0n)).toBe('AmountOutOfRange');
    const minimum = await chain.client.readContract({
      address: PEG_GATEWAY,
      abi: pegGatewayAbi,
      functionName: 'MIN_AMOUNT',
    });
    expect(await of(alice.address, minimum - 1n)).toBe('AmountOutOfRange');
    expect(await of(alice.address, minimum)).toBe('no revert');
    await chain.fund(alice.address, 1n << 130n);
    expect(await of(alice.address, 1n << 128n)).toBe('AmountOutOfRange');
  });

  test('ether sent without a withdrawal is refused', async () => {
    await expect(
      chain.client.call({ account: alice.address, to: PEG_GATEWAY, value: ETHER }),
    ).rejects.toThrow();
  });
});
