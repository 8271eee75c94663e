/**
 * The standard Ethereum header as bytes: the 21 fields of Osaka, no custom one (RULES 6).
 *
 * Owns RLP to fields and back, and the hash. Which values a block must have is execution's.
 */
import { RLP } from '@ethereumjs/rlp';
import { keccak256Hex } from '#consensus/crypto/keccak.ts';
import {
  type Address,
  bytesToAddress,
  bytesToHash,
  bytesToHex,
  type Hash,
  type Hex,
  hexToBytes,
} from '#consensus/primitives.ts';
import { bytesToQuantity, quantityToBytes } from '#node/storage/rlpValues.ts';

export type Header = {
  readonly parentHash: Hash;
  readonly feeRecipient: Address;
  readonly stateRoot: Hash;
  readonly transactionsRoot: Hash;
  readonly receiptsRoot: Hash;
  readonly logsBloom: Hex;
  readonly height: bigint;
  readonly gasLimit: bigint;
  readonly gasUsed: bigint;
  readonly timestamp: bigint;
  /** extraData: the hash of the set that votes on the next height. */
  readonly nextValidatorsHash: Hash;
  readonly mixHash: Hash;
  readonly baseFeePerGas: bigint;
  /** The parent's valueId. */
  readonly parentBeaconBlockRoot: Hash;
};

const EMPTY_UNCLES = hexToBytes('0x1dcc4de8dec75d7aab85b567b6ccd41ad312451b948a7413f0a142fd40d49347');
/** Root of an empty list: no withdrawals, ever. */
export const EMPTY_ROOT = hexToBytes('0x56e81f171bcc55a6ff8345e692c0f86e5b48e01b996cadc001622fb5e363b421');
/** sha256(''): no execution requests, ever. */
const EMPTY_REQUESTS = hexToBytes('0xe3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855');
const ZERO = new Uint8Array(0);

export const encodeHeader = (header: Header): Uint8Array =>
  RLP.encode([
    hexToBytes(header.parentHash),
    EMPTY_UNCLES,
    hexToBytes(header.feeRecipient),
    hexToBytes(header.stateRoot),
    hexToBytes(header.transactionsRoot),
    hexToBytes(header.receiptsRoot),
    hexToBytes(header.logsBloom),
    ZERO, // difficulty
    quantityToBytes(header.height),
    quantityToBytes(header.gasLimit),
    quantityToBytes(header.gasUsed),
    quantityToBytes(header.timestamp),
    hexToBytes(header.nextValidatorsHash),
    hexToBytes(header.mixHash),
    new Uint8Array(8), // nonce
    quantityToBytes(header.baseFeePerGas),
    EMPTY_ROOT, // withdrawalsRoot
    ZERO, // blobGasUsed
    ZERO, // excessBlobGas
    hexToBytes(header.parentBeaconBlockRoot),
    EMPTY_REQUESTS,
  ]);

export const hashHeader = (encoded: Uint8Array): Hash => keccak256Hex(encoded);

/** @throws Error when the bytes are not such a header, down to every constant field */
export const decodeHeader = (encoded: Uint8Array): Header => {
  const fields = RLP.decode(encoded);
  if (!Array.isArray(fields) || fields.length !== 21 || !fields.every((f) => f instanceof Uint8Array))
    throw new Error('expected the 21 fields of a header');
  const at = (index: number): Uint8Array => fields[index] as Uint8Array;
  const quantity = (index: number): bigint => {
    if (at(index).length > 32) throw new Error(`expected a number in header field ${index}`);
    return bytesToQuantity(at(index));
  };
  const header: Header = {
    parentHash: bytesToHash(at(0)),
    feeRecipient: bytesToAddress(at(2)),
    stateRoot: bytesToHash(at(3)),
    transactionsRoot: bytesToHash(at(4)),
    receiptsRoot: bytesToHash(at(5)),
    logsBloom: bytesToHex(at(6)),
    height: quantity(8),
    gasLimit: quantity(9),
    gasUsed: quantity(10),
    timestamp: quantity(11),
    nextValidatorsHash: bytesToHash(at(12)),
    mixHash: bytesToHash(at(13)),
    baseFeePerGas: quantity(15),
    parentBeaconBlockRoot: bytesToHash(at(19)),
  };
  if (Buffer.compare(encodeHeader(header), encoded) !== 0)
    throw new Error('expected a canonical header with the constant fields of this chain');
  return header;
};
