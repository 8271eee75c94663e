/** Keys and signed transactions in bulk: type 2, one native signature each, nothing else. */
import { RLP } from '@ethereumjs/rlp';
import secp256k1 from 'secp256k1/bindings.js';
import { keccak256 } from '#consensus/crypto/keccak.ts';
import { privateKeyToAddress } from '#consensus/crypto/secp256k1.ts';
import { type Address, concatBytes } from '#consensus/primitives.ts';

export type Key = { readonly privateKey: Uint8Array; readonly address: Address };

const text = new TextEncoder();

/** The same for everybody: worthless outside a benchmark. */
export const benchKey = (index: number): Key => {
  const privateKey = keccak256(text.encode(`causeway bench sender ${index}`));
  return { privateKey, address: privateKeyToAddress(privateKey) };
};

/** An address that nobody has a key of. */
export const benchAddress = (seed: string, index: number): Uint8Array =>
  keccak256(text.encode(`causeway bench account ${seed} ${index}`)).subarray(12);

export const uncompressedKey = ({ privateKey }: Key): Uint8Array =>
  secp256k1.publicKeyCreate(privateKey, false).subarray(1);

export type Unsigned = {
  readonly chainId: bigint;
  readonly nonce: number;
  readonly tipWei: bigint;
  readonly maxFeeWei: bigint;
  readonly gasLimit: bigint;
  /** Null: a contract is created. */
  readonly to: Uint8Array | null;
  readonly valueWei: bigint;
  readonly data: Uint8Array;
};

const NOTHING = new Uint8Array(0);
const TYPE_2 = Uint8Array.of(2);

export const signBulk = (transaction: Unsigned, privateKey: Uint8Array): Uint8Array => {
  const { chainId, nonce, tipWei, maxFeeWei, gasLimit, to, valueWei, data } = transaction;
  const fields = [chainId, BigInt(nonce), tipWei, maxFeeWei, gasLimit, to ?? NOTHING, valueWei, data, []];
  const digest = keccak256(concatBytes(TYPE_2, RLP.encode(fields)));
  const { signature, recid } = secp256k1.ecdsaSign(digest, privateKey);
  const r = BigInt(`0x${Buffer.from(signature.subarray(0, 32)).toString('hex')}`);
  const s = BigInt(`0x${Buffer.from(signature.subarray(32)).toString('hex')}`);
  return concatBytes(TYPE_2, RLP.encode([...fields, BigInt(recid), r, s]));
};
