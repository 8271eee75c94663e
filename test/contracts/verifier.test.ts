import { encodeFunctionData, parseEventLogs } from 'viem';
import { pegVaultAbi, pegVerifierAbi } from '#bridge/contracts/artifacts/contracts.ts';
import { createManifest, type PegInputs } from '#bridge/deployment/manifest.ts';
import { packSignatures } from '#bridge/encoding/signatureBitmap.ts';
import { keccak256Hex } from '#consensus/crypto/keccak.ts';
import { anchorAttestationDigest, checkpointToValueId, voteDigest } from '#consensus/digests.ts';
import {
  bytesToHex,
  concatBytes,
  type Hex,
  hexToBytes,
  toBigEndian,
  ZERO_HASH,
} from '#consensus/primitives.ts';
import type { Checkpoint } from '#consensus/types.ts';
import { packValidators, type Validator } from '#consensus/validatorSet.ts';
import { type Anvil, startAnvil } from '#test/contracts/fixtures/anvil.ts';
import { connectChain, creationRevert, revertName, type TestChain } from '#test/contracts/fixtures/chain.ts';
import { namedKey, namedKeys } from '#test/contracts/fixtures/keys.ts';
import {
  anchors,
  type CheckpointArguments,
  checkpointArguments,
  checkpointAt,
  createPeg,
  deployOn,
  depositAttestations,
  ETHER,
  hashOf,
  L1_CHAIN_ID,
  type Peg,
  setOf,
  submitCheckpointCall,
} from '#test/contracts/fixtures/peg.ts';

const EPOCH = 10n;
const ORDER = 0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141n;
const anyone = namedKey('anyone');

let anvil: Anvil;
let chain: TestChain;
let peg: Peg;
let snapshot: Hex;

beforeAll(async () => {
  anvil = await startAnvil(L1_CHAIN_ID);
  chain = connectChain(anvil.url, L1_CHAIN_ID);
  await chain.fund(anyone.address, 1_000n * ETHER);
  peg = createPeg({ epochLength: EPOCH });
  await deployOn(chain, peg);
});
afterAll(() => anvil.stop());
beforeEach(async () => {
  snapshot = await chain.client.snapshot();
});
afterEach(() => chain.client.revert({ id: snapshot }));

const submit = (args: CheckpointArguments, of = peg) =>
  chain.client.simulateContract({ ...submitCheckpointCall(of, args), account: anyone.account });
const accept = (args: CheckpointArguments, of = peg) => chain.send(anyone, submitCheckpointCall(of, args));
const refusal = (args: CheckpointArguments, of = peg) => revertName(submit(args, of));

/** Replaces some of submitCheckpoint's arguments by position. */
const replaced = (
  args: CheckpointArguments,
  changes: Readonly<Record<number, unknown>>,
): CheckpointArguments =>
  args.map((value, index) => (index in changes ? changes[index] : value)) as unknown as CheckpointArguments;

const read = (functionName: 'latestHeight' | 'relayerEpoch' | 'latestValueId') =>
  chain.client.readContract({ address: peg.manifest.addresses.verifier, abi: pegVerifierAbi, functionName });

const highS = (signature: Hex): Hex => {
  const bytes = hexToBytes(signature);
  const s = BigInt(bytesToHex(bytes.slice(32, 64)));
  return bytesToHex(
    concatBytes(bytes.slice(0, 32), toBigEndian(ORDER - s, 32), Uint8Array.of(bytes[64] === 27 ? 28 : 27)),
  );
};

describe('the validators’ lock', () => {
  test('a checkpoint signed by all validators but no relayer is refused', async () => {
    expect(await refusal(checkpointArguments(peg, checkpointAt(peg, 1n), { relayers: [] }))).toBe(
      'NotEnoughRelayers',
    );
  });

  test('a checkpoint signed by all relayers but only half of the power is refused', async () => {
    const validators = peg.validators.slice(0, 2);
    expect(await refusal(checkpointArguments(peg, checkpointAt(peg, 1n), { validators }))).toBe(
      'NotEnoughPower',
    );
  });

  test('exactly two thirds of the power is refused, a little more is accepted', async () => {
    const validators = namedKeys('weighted', 3);
    const weighted = createPeg({ deployer: 'weighted deployer', validators, powers: [1n, 2n, 3n] });
    await deployOn(chain, weighted);
    const [one, two, three] = validators as [never, never, never];
    const c = checkpointAt(weighted, 1n);
    expect(await refusal(checkpointArguments(weighted, c, { validators: [one, three] }), weighted)).toBe(
      'NotEnoughPower',
    );
    await submit(checkpointArguments(weighted, c, { validators: [two, three] }), weighted);
  });

  test('precommits of another round, height, chain or genesis, and prevotes, are refused', async () => {
    const c = checkpointAt(peg, 1n);
    const args = checkpointArguments(peg, c);
    const valueId = checkpointToValueId(c);
    const sealed = (
      domain: { chainId: bigint; genesisHash: typeof valueId },
      type: 'prevote' | 'precommit',
      height = 1n,
    ) =>
      packSignatures(
        peg.validators.map(({ address }) => address),
        new Map(
          peg.validators.map(({ address, sign }) => [
            address,
            sign(voteDigest(domain, { type, height, round: 0, valueId })),
          ]),
        ),
      ).signatures;
    const domain = { chainId: peg.inputs.sidechainId, genesisHash: peg.inputs.genesisHash };
    await submit(replaced(args, { 4: sealed(domain, 'precommit') }));
    for (const signatures of [
      sealed(domain, 'prevote'),
      sealed(domain, 'precommit', 2n),
      sealed({ ...domain, chainId: 1n }, 'precommit'),
      sealed({ ...domain, genesisHash: hashOf('other') }, 'precommit'),
    ])
      expect(await refusal(replaced(args, { 4: signatures }))).toBe('WrongSigner');
    expect(await refusal(replaced(args, { 1: 1 }))).toBe('WrongSigner');
  });

  test('another validator set, or one packed with a spare byte, is refused', async () => {
    const args = checkpointArguments(peg, checkpointAt(peg, 1n));
    const set = setOf(namedKeys('stranger', 4));
    expect(await refusal(replaced(args, { 2: bytesToHex(packValidators(set.validators)) }))).toBe(
      'WrongValidators',
    );
    expect(await refusal(replaced(args, { 2: `${args[2]}00` }))).toBe('WrongValidators');
  });
});

describe('the relayers’ lock', () => {
  test('one relayer fewer than the threshold is refused, the threshold is enough', async () => {
    const c = checkpointAt(peg, 1n);
    expect(await refusal(checkpointArguments(peg, c, { relayers: peg.relayers.slice(0, 1) }))).toBe(
      'NotEnoughRelayers',
    );
    await submit(checkpointArguments(peg, c, { relayers: peg.relayers.slice(1) }));
  });

  test('attestations for another L1, another verifier, another epoch, or of deposits, are refused', async () => {
    const c = checkpointAt(peg, 1n);
    const args = checkpointArguments(peg, c);
    const valueId = checkpointToValueId(c);
    const domain = {
      chainId: peg.inputs.l1ChainId,
      verifyingContract: peg.manifest.addresses.verifier,
      salt: peg.inputs.genesisHash,
    };
    const attested = (over: typeof domain, relayerEpoch: bigint) =>
      packSignatures(
        peg.relayers.map(({ address }) => address),
        new Map(
          peg.relayers.map(({ address, sign }) => [
            address,
            sign(anchorAttestationDigest(over, { valueId, relayerEpoch })),
          ]),
        ),
      ).signatures;
    await submit(replaced(args, { 7: attested(domain, 1n) }));
    for (const signatures of [
      attested({ ...domain, chainId: 1n }, 1n),
      attested({ ...domain, verifyingContract: peg.manifest.addresses.vault }, 1n),
      attested({ ...domain, salt: peg.specHash }, 1n),
      attested(domain, 2n),
      depositAttestations(peg, peg.relayers, 1n, valueId).signatures,
    ])
      expect(await refusal(replaced(args, { 7: signatures }))).toBe('WrongSigner');
  });

  test('on a fork of the L1 with another chain id nothing is accepted', async () => {
    const args = checkpointArguments(peg, checkpointAt(peg, 1n));
    await submit(args);
    await chain.client.request({ method: 'anvil_setChainId' as never, params: [1] as never });
    expect(await refusal(args)).toBe('WrongSigner');
    await chain.client.request({ method: 'anvil_setChainId' as never, params: [L1_CHAIN_ID] as never });
  });

  test('another relayer set is refused', async () => {
    const args = checkpointArguments(peg, checkpointAt(peg, 1n));
    expect(await refusal(replaced(args, { 5: `0x01${args[5].slice(4)}` }))).toBe('WrongRelayers');
    expect(await refusal(replaced(args, { 5: '0x' }))).toBe('WrongRelayers');
  });
});

describe('the form of signatures', () => {
  // [bitmap, signatures] of the validators and of the relayers
  for (const [who, bitmapAt, signaturesAt, signers] of [
    ['validators', 3, 4, 4],
    ['relayers', 6, 7, 3],
  ] as const)
    test(`of ${who}: high s, zero recovery, a foreign v, spare or missing bytes, a bit too many, an order changed`, async () => {
      const args = checkpointArguments(peg, checkpointAt(peg, 1n));
      const signatures = args[signaturesAt];
      const with_ = (changed: string) => refusal(replaced(args, { [signaturesAt]: changed }));
      const first = signatures.slice(0, 132) as Hex;
      const rest = signatures.slice(132);
      expect(await with_(`${highS(first)}${rest}`)).toBe('ECDSAInvalidSignatureS');
      expect(await with_(`${first.slice(0, 130)}1d${rest}`)).toBe('ECDSAInvalidSignature');
      expect(await with_(`${first.slice(0, 130)}00${rest}`)).toBe('ECDSAInvalidSignature');
      expect(await with_(`0x${'00'.repeat(64)}1b${rest}`)).toBe('ECDSAInvalidSignature');
      expect(await with_(`${signatures}00`)).toBe('BadSignaturesLength');
      expect(await with_(`${signatures}${first.slice(2)}`)).toBe('BadSignaturesLength');
      expect(await with_(signatures.slice(0, -2))).toBe('BadSignaturesLength');
      expect(await with_(`0x${rest.slice(0, 130)}${first.slice(2)}${rest.slice(130)}`)).toBe('WrongSigner');
      const bitmap = args[bitmapAt];
      expect(await refusal(replaced(args, { [bitmapAt]: bitmap | (1n << BigInt(signers)) }))).toBe(
        'BitmapTooWide',
      );
      expect(await refusal(replaced(args, { [bitmapAt]: bitmap | (1n << 255n) }))).toBe('BitmapTooWide');
      expect(await refusal(replaced(args, { [bitmapAt]: bitmap & ~1n }))).toBe('WrongSigner');
    });

  test('a duplicated signature cannot stand for a second signer', async () => {
    const c = checkpointAt(peg, 1n);
    const args = checkpointArguments(peg, c);
    const one = anchors(peg, peg.relayers.slice(0, 1), checkpointToValueId(c)).signatures;
    expect(await refusal(replaced(args, { 6: 3n, 7: `${one}${one.slice(2)}` }))).toBe('WrongSigner');
  });
});

describe('what a checkpoint may say', () => {
  const variants: readonly (readonly [string, Partial<Checkpoint>, string])[] = [
    ['a zero outbox root', { outboxRoot: ZERO_HASH }, 'ZeroField'],
    ['a zero state root', { stateRoot: ZERO_HASH }, 'ZeroField'],
    ['a zero block hash', { blockHash: ZERO_HASH }, 'ZeroField'],
    ['a zero validator set', { nextValidatorsHash: ZERO_HASH }, 'ZeroField'],
    ['imports above the deposits', { importedCount: 1n, importedHash: hashOf('x') }, 'ImportedAboveDeposits'],
  ];
  test.each(variants)('%s is refused', async (_, fields, name) => {
    expect(await refusal(checkpointArguments(peg, checkpointAt(peg, 1n, fields)))).toBe(name);
  });

  test('a field that does not fit its type is refused', async () => {
    const args = checkpointArguments(peg, checkpointAt(peg, 1n));
    const data = encodeFunctionData({ abi: pegVerifierAbi, functionName: 'submitCheckpoint', args });
    const call = (changed: Hex) =>
      chain.client.call({ account: anyone.address, to: peg.manifest.addresses.verifier, data: changed });
    await call(data);
    const oversized = `${data.slice(0, 10)}${'00'.repeat(23)}01${data.slice(10 + 48)}` as Hex;
    await expect(
      call(oversized.replace(/^(.{10})(0{46})01/, `$1${'0'.repeat(46)}01`) as Hex),
    ).rejects.toThrow();
    await expect(call(data.slice(0, -64) as Hex)).rejects.toThrow();
  });

  test('heights grow: the same or a lower one is refused', async () => {
    const five = checkpointArguments(peg, checkpointAt(peg, 5n));
    await accept(five);
    expect(await read('latestHeight')).toBe(5n);
    expect(await refusal(five)).toBe('HeightNotAbove');
    expect(await refusal(checkpointArguments(peg, checkpointAt(peg, 4n)))).toBe('HeightNotAbove');
    expect(await refusal(checkpointArguments(peg, checkpointAt(peg, 0n)))).toBe('HeightNotAbove');
  });

  test('counts never fall, a root keeps its count and a count its root, accepted roots stay valid', async () => {
    await chain.send(anyone, {
      address: peg.manifest.addresses.vault,
      abi: pegVaultAbi,
      functionName: 'deposit',
      args: [anyone.address],
      value: ETHER,
    });
    const counts = {
      outboxCount: 2n,
      outboxRoot: hashOf('root of two'),
      importedCount: 1n,
      importedHash: hashOf('one'),
    };
    await accept(checkpointArguments(peg, checkpointAt(peg, 1n, counts)));
    const later = (fields: Partial<Checkpoint>) =>
      refusal(checkpointArguments(peg, checkpointAt(peg, 2n, { ...counts, ...fields })));
    expect(await later({ outboxCount: 1n })).toBe('CountFell');
    expect(await later({ importedCount: 0n })).toBe('CountFell');
    expect(await later({ outboxCount: 3n })).toBe('OutboxRewritten');
    expect(await later({ outboxRoot: hashOf('another root of two') })).toBe('OutboxRewritten');
    expect(await later({})).toBe('no revert');
    await accept(
      checkpointArguments(
        peg,
        checkpointAt(peg, 3n, { ...counts, outboxCount: 9n, outboxRoot: hashOf('nine') }),
      ),
    );
    const countOf = (root: Hex) =>
      chain.client.readContract({
        address: peg.manifest.addresses.verifier,
        abi: pegVerifierAbi,
        functionName: 'outboxCountOf',
        args: [root],
      });
    expect(await countOf(counts.outboxRoot)).toBe(2n);
    expect(await countOf(hashOf('nine'))).toBe(9n);
    expect(await countOf(ZERO_HASH)).toBe(0n);
  });

  test('acceptance is announced with the value that was signed', async () => {
    const c = checkpointAt(peg, 1n);
    const receipt = await accept(checkpointArguments(peg, c));
    const [event] = parseEventLogs({
      abi: pegVerifierAbi,
      logs: receipt.logs,
      eventName: 'CheckpointAccepted',
    });
    expect(event!.args).toMatchObject({ height: 1n, valueId: checkpointToValueId(c), outboxCount: 0n });
    expect(await read('latestValueId')).toBe(checkpointToValueId(c));
  });
});

describe('the hand-over of validators', () => {
  const next = namedKeys('next validator', 5);
  const nextSet = setOf(next);
  const signedByNext = (c: Checkpoint) => checkpointArguments(peg, c, { set: nextSet, validators: next });

  test('each epoch’s last block must come, and its set alone judges the next epoch', async () => {
    const inNextEpoch = checkpointAt(peg, EPOCH + 1n, { nextValidatorsHash: nextSet.hash });
    expect(await refusal(signedByNext(inNextEpoch))).toBe('UnknownEpoch');
    expect(await refusal(checkpointArguments(peg, inNextEpoch))).toBe('UnknownEpoch');

    await accept(checkpointArguments(peg, checkpointAt(peg, EPOCH, { nextValidatorsHash: nextSet.hash })));
    expect(await refusal(checkpointArguments(peg, inNextEpoch))).toBe('WrongValidators');
    await accept(signedByNext(inNextEpoch));
    expect(await refusal(signedByNext(checkpointAt(peg, 2n * EPOCH + 1n)))).toBe('UnknownEpoch');
  });

  test('a checkpoint inside an epoch hands nothing over', async () => {
    await accept(
      checkpointArguments(peg, checkpointAt(peg, EPOCH - 1n, { nextValidatorsHash: nextSet.hash })),
    );
    expect(await refusal(signedByNext(checkpointAt(peg, EPOCH + 1n)))).toBe('UnknownEpoch');
  });
});

describe('the constructor', () => {
  const relayers = namedKeys('relayer', 5).map(({ address }) => address);
  const verifierOf = (inputs: Partial<PegInputs>): Hex =>
    createManifest({ ...peg.inputs, relayers: { threshold: 3, addresses: relayers }, ...inputs })
      .creations[1]!.initCode;
  const outcome = (data: Hex) => creationRevert(chain, data, pegVerifierAbi);

  test('takes a well-formed configuration', async () => {
    expect(await outcome(verifierOf({}))).toBe('no revert');
  });

  /** Our own encoder refuses a bad relayer set, so the packed bytes are changed in place. */
  const withRelayers = (change: (packed: string) => string): Hex => {
    const packed = `03${relayers.map((address) => address.slice(2)).join('')}`;
    const initCode = verifierOf({});
    expect(initCode).toContain(packed);
    return initCode.replace(packed, change(packed)) as Hex;
  };

  test.each(['00', '01', '02', '06', 'ff'])('refuses threshold 0x%s of 5', async (threshold) => {
    expect(await outcome(withRelayers((packed) => threshold + packed.slice(2)))).toBe('BadThreshold');
  });

  test('refuses relayers out of order, twice, or zero', async () => {
    const [first, second] = relayers.map((address) => address.slice(2)) as [string, string];
    expect(await outcome(withRelayers((packed) => packed.replace(first + second, second + first)))).toBe(
      'NotAscending',
    );
    expect(await outcome(withRelayers((packed) => packed.replace(first + second, first + first)))).toBe(
      'NotAscending',
    );
    expect(await outcome(withRelayers((packed) => packed.replace(first, '00'.repeat(20))))).toBe(
      'NotAscending',
    );
  });

  /** A set that no honest specification gives, with a genesis checkpoint that agrees with it. */
  const withValidators = (list: readonly Validator[]): Hex => {
    const hash = keccak256Hex(packValidators(list));
    return verifierOf({
      validators: { validators: list, totalPower: 4n, hash },
      checkpoint: { ...peg.inputs.checkpoint, nextValidatorsHash: hash },
    });
  };

  test('refuses validators out of order, twice, without power, or none', async () => {
    const [one, two, three] = peg.inputs.validators.validators as [Validator, Validator, Validator];
    expect(await outcome(withValidators([one, two, three]))).toBe('no revert');
    expect(await outcome(withValidators([two, one, three]))).toBe('NotAscending');
    expect(await outcome(withValidators([one, one, three]))).toBe('NotAscending');
    expect(await outcome(withValidators([one, { ...two, power: 0n }]))).toBe('ZeroPower');
    expect(await outcome(withValidators([]))).toBe('BadSetLength');
  });

  test('refuses a genesis checkpoint that is none', async () => {
    const at = (fields: Partial<Checkpoint>) =>
      outcome(verifierOf({ checkpoint: { ...peg.inputs.checkpoint, ...fields } }));
    expect(await at({ height: 1n })).toBe('BadConfig');
    expect(await at({ outboxCount: 1n })).toBe('BadConfig');
    expect(await at({ importedCount: 1n })).toBe('BadConfig');
    expect(await at({ importedHash: hashOf('x') })).toBe('BadConfig');
    expect(await at({ blockHash: hashOf('x') })).toBe('BadConfig');
    expect(await at({ stateRoot: ZERO_HASH })).toBe('ZeroField');
    expect(await at({ outboxRoot: ZERO_HASH })).toBe('ZeroField');
    expect(await outcome(verifierOf({ epochLength: 0n }))).toBe('BadConfig');
  });
});
