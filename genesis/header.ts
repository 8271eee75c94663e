/**
 * The standard header of block 0 (RULES 6): no custom field, so that any Ethereum library hashes it alike.
 *
 * mixHash, parentBeaconBlockRoot and coinbase are zero; extraData is the hash of the validators that vote on
 * block 1; everything else is as in every later block.
 */
import { RLP } from '@ethereumjs/rlp';
import { type Hash, hexToBytes, ZERO_ADDRESS, ZERO_HASH } from '#consensus/primitives.ts';
import type { ChainSpec } from '#genesis/spec.ts';
import { quantityToBytes } from '#genesis/stateRoot.ts';

const EMPTY_UNCLES = '0x1dcc4de8dec75d7aab85b567b6ccd41ad312451b948a7413f0a142fd40d49347';
const EMPTY_TRIE = '0x56e81f171bcc55a6ff8345e692c0f86e5b48e01b996cadc001622fb5e363b421';
/** sha256(''): no execution requests, ever. */
const EMPTY_REQUESTS = '0xe3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855';
const NONE = new Uint8Array(0);

/** Ordinary transactions share blockGasLimit, the import has importGas to itself: gasUsed never exceeds the sum. */
export const headerGasLimit = ({ blockGasLimit, importGas }: ChainSpec): bigint => blockGasLimit + importGas;

export type GenesisHeaderFields = {
  readonly spec: ChainSpec;
  readonly stateRoot: Hash;
  readonly nextValidatorsHash: Hash;
};

/** @returns RLP; its keccak is the genesis hash */
export const encodeGenesisHeader = ({
  spec,
  stateRoot,
  nextValidatorsHash,
}: GenesisHeaderFields): Uint8Array =>
  RLP.encode([
    hexToBytes(ZERO_HASH), // parentHash
    hexToBytes(EMPTY_UNCLES),
    hexToBytes(ZERO_ADDRESS), // coinbase
    hexToBytes(stateRoot),
    hexToBytes(EMPTY_TRIE), // transactionsRoot
    hexToBytes(EMPTY_TRIE), // receiptsRoot
    new Uint8Array(256), // logsBloom
    NONE, // difficulty
    NONE, // number
    quantityToBytes(headerGasLimit(spec)),
    NONE, // gasUsed
    quantityToBytes(spec.timestamp),
    hexToBytes(nextValidatorsHash), // extraData
    hexToBytes(ZERO_HASH), // mixHash
    new Uint8Array(8), // nonce
    quantityToBytes(spec.feePolicy.baseFeeWei),
    hexToBytes(EMPTY_TRIE), // withdrawalsRoot
    NONE, // blobGasUsed
    NONE, // excessBlobGas
    hexToBytes(ZERO_HASH), // parentBeaconBlockRoot
    hexToBytes(EMPTY_REQUESTS),
  ]);
