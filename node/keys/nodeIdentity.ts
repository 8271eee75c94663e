/** From the 32-byte seed of a node's ed25519 key to the PeerId that the specification lists. */
import { generateKeyPairFromSeed } from '@libp2p/crypto/keys';
import { peerIdFromPrivateKey } from '@libp2p/peer-id';
import { KeyError } from '#node/keys/errors.ts';

/** @throws KeyError BAD_KEY */
export const seedToPeerId = async (seed: Uint8Array): Promise<string> => {
  if (seed.length !== 32)
    throw new KeyError('BAD_KEY', `expected an ed25519 seed of 32 bytes, found ${seed.length}`);
  return peerIdFromPrivateKey(await generateKeyPairFromSeed('Ed25519', seed)).toString();
};
