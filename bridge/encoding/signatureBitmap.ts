/**
 * Signatures of some members of a sorted set, as the contracts take them.
 *
 * Bit i of the bitmap stands for entry i of the set; the 65-byte signatures follow in index order. A duplicate
 * signer cannot be expressed. Does not verify signatures.
 */
import type { Address, Hex, Signature } from '#consensus/primitives.ts';

export type BitmapSignatures = { readonly bitmap: bigint; readonly signatures: Hex };

export class SignatureBitmapError extends Error {
  override readonly name = 'SignatureBitmapError';
  readonly code = 'NOT_A_MEMBER';
}

/**
 * @param set addresses in the set's order, at most 256
 * @param signatures by signer
 * @throws SignatureBitmapError NOT_A_MEMBER when somebody outside of the set signed
 */
export const packSignatures = (
  set: readonly Address[],
  signatures: ReadonlyMap<Address, Signature>,
): BitmapSignatures => {
  let bitmap = 0n;
  let packed = '';
  let used = 0;
  set.forEach((address, index) => {
    const signature = signatures.get(address);
    if (signature === undefined) return;
    bitmap |= 1n << BigInt(index);
    packed += signature.slice(2);
    used++;
  });
  if (used !== signatures.size) {
    const stranger = [...signatures.keys()].find((address) => !set.includes(address));
    throw new SignatureBitmapError(
      `expected signatures of members only, found one of ${stranger}: it belongs to another set`,
    );
  }
  return { bitmap, signatures: `0x${packed}` };
};
