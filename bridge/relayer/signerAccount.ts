/** A viem account whose transactions a `Signer` signs: keys stay behind the signer, and no bare digest is ever signed. */
import {
  getAddress,
  hexToBytes,
  type LocalAccount,
  parseSignature,
  type SerializeTransactionFn,
  serializeTransaction,
} from 'viem';
import { toAccount } from 'viem/accounts';
import type { Signer } from '#consensus/signer.ts';

export class SignerAccountError extends Error {
  override readonly name = 'SignerAccountError';
  readonly code = 'UNSUPPORTED';
}

const refuse = (what: string) => async (): Promise<never> => {
  throw new SignerAccountError(
    `expected a transaction to sign, found ${what}: a relayer's key signs no such thing`,
  );
};

export const createSignerAccount = (signer: Signer): LocalAccount =>
  toAccount({
    address: getAddress(signer.address),
    signMessage: refuse('a message'),
    signTypedData: refuse('typed data'),
    signTransaction: async (transaction, options) => {
      const serialize = (options?.serializer ?? serializeTransaction) as SerializeTransactionFn;
      const unsigned = hexToBytes(await serialize(transaction));
      const signature = await signer.sign({ kind: 'transaction', unsigned });
      return serialize(transaction, parseSignature(signature));
    },
  });
