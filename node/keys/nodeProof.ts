/** A node key proves that it is held: one signature over a ceremony's statement, and no other use. */
import { generateKeyPairFromSeed } from '@libp2p/crypto/keys';
import { type CeremonyDomain, ceremonyDigest, type KeyPossession } from '#consensus/ceremonyDigests.ts';
import { bytesToHex, type Hex, hexToBytes } from '#consensus/primitives.ts';

/** @param seed 32 bytes. @returns 64 bytes, ed25519 over the statement's EIP-712 hash */
export const proveNodeKey = async (
  seed: Uint8Array,
  domain: CeremonyDomain,
  possession: KeyPossession,
): Promise<Hex> => {
  const key = await generateKeyPairFromSeed('Ed25519', seed);
  return bytesToHex(
    await key.sign(hexToBytes(ceremonyDigest(domain, { type: 'possession', ...possession }))),
  );
};
