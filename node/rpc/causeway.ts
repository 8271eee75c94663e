/**
 * causeway methods: what Ethereum's interface has no words for. Checkpoints and the signatures that make them final,
 * validator sets, the genesis, the node's own status. All numbers are quantities.
 */
import type { Hash } from '#consensus/primitives.ts';
import type { Checkpoint, CommitCertificate } from '#consensus/types.ts';
import type { ValidatorSet } from '#consensus/validatorSet.ts';
import { smallerOf } from '#node/rpc/bigints.ts';
import { selectBlock, selectHeight } from '#node/rpc/blockSelector.ts';
import { invalidParams } from '#node/rpc/errors.ts';
import { toQuantity } from '#node/rpc/format/quantity.ts';
import { defineMethod, type Method, optional, required } from '#node/rpc/method.ts';
import { block, blockNumber } from '#node/rpc/params.ts';
import { arrayOf, objectOf, orNull, ref, TEXT } from '#node/rpc/schemas.ts';
import type { BlockRecord } from '#node/storage/records.ts';

const formatCheckpoint = (checkpoint: Checkpoint) => ({
  height: toQuantity(checkpoint.height),
  blockHash: checkpoint.blockHash,
  stateRoot: checkpoint.stateRoot,
  outboxRoot: checkpoint.outboxRoot,
  outboxCount: toQuantity(checkpoint.outboxCount),
  importedCount: toQuantity(checkpoint.importedCount),
  importedHash: checkpoint.importedHash,
  nextValidatorsHash: checkpoint.nextValidatorsHash,
});

const formatCertificate = (certificate: CommitCertificate | null) =>
  certificate === null
    ? null
    : {
        height: toQuantity(certificate.height),
        round: toQuantity(certificate.round),
        valueId: certificate.valueId,
        signatures: certificate.signatures.map(({ validator, signature }) => ({ validator, signature })),
      };

const formatValidators = (height: bigint, set: ValidatorSet) => ({
  height: toQuantity(height),
  hash: set.hash satisfies Hash,
  totalPower: toQuantity(set.totalPower),
  validators: set.validators.map(({ address, power }) => ({ address, power: toQuantity(power) })),
});

/** Bigints in what the node says of itself become quantities. */
const toJson = (value: unknown): unknown => {
  const text = JSON.stringify(value, (_key, part: unknown) =>
    typeof part === 'bigint' ? toQuantity(part) : part,
  );
  return text === undefined ? null : JSON.parse(text);
};

const formatCertified = ({ checkpoint, valueId, certificate }: BlockRecord) => ({
  checkpoint: formatCheckpoint(checkpoint),
  valueId,
  certificate: formatCertificate(certificate),
});

const MAX_CHECKPOINTS = 100n;

const CERTIFIED_CHECKPOINT = objectOf({
  checkpoint: ref('Checkpoint'),
  valueId: ref('Hash'),
  certificate: orNull(ref('Certificate')),
});
const VALIDATORS = objectOf({
  height: ref('Quantity'),
  hash: ref('Hash'),
  totalPower: ref('Quantity'),
  validators: arrayOf(objectOf({ address: ref('Address'), power: ref('Quantity') })),
});

export const causewayMethods: readonly Method[] = [
  defineMethod({
    name: 'causeway_status',
    summary: 'What the node says of itself.',
    result: { type: 'object' },
    cost: 2,
    params: [],
    run: ({ status }) => toJson(status()),
  }),
  defineMethod({
    name: 'causeway_getCheckpoint',
    summary: 'The checkpoint of a height, its valueId, and the certificate that makes it final.',
    result: orNull(CERTIFIED_CHECKPOINT),
    cost: 3,
    params: [optional('block', block)],
    run: async (context, [selector]) => {
      const found = await selectBlock(context, selector ?? { kind: 'tag', tag: 'latest' });
      return found === null ? null : formatCertified(found);
    },
  }),
  defineMethod({
    name: 'causeway_getCertificate',
    summary: 'The precommits that make a block final, null if there is no such block or it is the genesis.',
    result: orNull(ref('Certificate')),
    cost: 3,
    params: [required('block', block)],
    run: async (context, [selector]) => {
      const found = await selectBlock(context, selector);
      return found === null ? null : formatCertificate(found.certificate);
    },
  }),
  defineMethod({
    name: 'causeway_getCheckpoints',
    summary: 'Checkpoints of a range of heights with their valueIds and certificates, at most 100.',
    result: arrayOf(CERTIFIED_CHECKPOINT),
    cost: 50,
    params: [required('from', blockNumber), required('to', blockNumber)],
    run: async (context, [from, to]) => {
      const first = selectHeight(context, from);
      const last = smallerOf(selectHeight(context, to), context.chain.head().block.height);
      if (last - first >= MAX_CHECKPOINTS)
        throw invalidParams(`exceed maximum block range: ${MAX_CHECKPOINTS}; ask for it in parts`);
      const shown = [];
      for (let height = first; height <= last; height++) {
        const found = await context.chain.blockAt(height);
        if (found !== null) shown.push(formatCertified(found));
      }
      return shown;
    },
  }),
  defineMethod({
    name: 'causeway_feePolicy',
    summary: 'How fees are set, and the base fee of the next block.',
    result: objectOf({ mode: TEXT, baseFeeWei: ref('Quantity'), nextBaseFeePerGas: ref('Quantity') }),
    cost: 1,
    params: [],
    run: ({ genesis }) => {
      const { mode, baseFeeWei } = genesis.spec.feePolicy;
      return { mode, baseFeeWei: toQuantity(baseFeeWei), nextBaseFeePerGas: toQuantity(baseFeeWei) };
    },
  }),
  defineMethod({
    name: 'causeway_validators',
    summary: 'The set that voted on a height; with "pending", the set that votes on the next one.',
    result: orNull(VALIDATORS),
    cost: 3,
    params: [required('block', blockNumber)],
    run: async (context, [selector]) => {
      const head = context.chain.head();
      if (selector.kind === 'tag' && selector.tag === 'pending')
        return formatValidators(head.block.height + 1n, head.nextValidators);
      const height = selectHeight(context, selector);
      if (height > head.block.height) return null;
      const set = await context.chain.validatorsAt(height);
      return set === null ? null : formatValidators(height, set);
    },
  }),
  defineMethod({
    name: 'causeway_genesis',
    summary: 'What the chain started from: hashes, fee policy, members, bridge addresses.',
    result: { type: 'object' },
    cost: 2,
    params: [],
    run: ({ genesis }) => {
      const { spec } = genesis;
      return {
        name: spec.name,
        chainId: toQuantity(spec.chainId),
        l1ChainId: toQuantity(spec.l1ChainId),
        genesisHash: genesis.genesisHash,
        specHash: genesis.specHash,
        stateRoot: genesis.stateRoot,
        timestamp: toQuantity(spec.timestamp),
        epochLength: toQuantity(spec.epochLength),
        blockGasLimit: toQuantity(spec.blockGasLimit),
        importGas: toQuantity(spec.importGas),
        feePolicy: { mode: spec.feePolicy.mode, baseFeeWei: toQuantity(spec.feePolicy.baseFeeWei) },
        backedWei: toQuantity(genesis.backedWei),
        validators: spec.validators.map(({ name, address, power, peerId }) => ({
          name,
          address,
          power: toQuantity(power),
          peerId,
        })),
        relayerThreshold: toQuantity(spec.relayerThreshold),
        relayers: spec.relayers.map(({ name, address, peerId }) => ({ name, address, peerId })),
        l1: { ...genesis.l1 },
      };
    },
  }),
];
