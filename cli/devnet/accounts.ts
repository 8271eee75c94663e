/**
 * Who is who on the devnet: users and roles from one well-known mnemonic, on different derivation paths.
 *
 * Worthless outside a devnet: everybody knows these keys. No role key is a user's key.
 */
import { pbkdf2Sync } from 'node:crypto';
import { HDKey } from 'viem/accounts';
import { RELAYER_COUNT, VALIDATOR_COUNT } from '#cli/devnet/ports.ts';
import { privateKeyToAddress } from '#consensus/crypto/secp256k1.ts';
import type { Address } from '#consensus/primitives.ts';

export const MNEMONIC = 'test test test test test test test test test test test junk';
export const USER_COUNT = 10;
export const USER_L1_WEI = 10_000n * 10n ** 18n;
export const USER_SIDECHAIN_WEI = 100n * 10n ** 18n;
/** For the fees of proposals and votes. */
export const GOVERNOR_SIDECHAIN_WEI = 10n ** 18n;

export type RoleKey = { readonly privateKey: Uint8Array; readonly address: Address };
export type NamedKey = RoleKey & { readonly name: string };
export type NodeRole = NamedKey & { readonly nodeSeed: Uint8Array };

export type DevnetAccounts = {
  readonly users: readonly Address[];
  readonly deployer: RoleKey;
  readonly validators: readonly NodeRole[];
  readonly relayers: readonly NodeRole[];
  /** One organisation behind each validator. */
  readonly governors: readonly NamedKey[];
  /** Makes the first crossing, so that the users' accounts stay untouched. */
  readonly traveller: RoleKey;
  readonly travellersFriend: RoleKey;
};

/** BIP-44 account numbers. */
const BRANCH = {
  user: 0,
  deployer: 1,
  validator: 2,
  relayer: 3,
  node: 4,
  traveller: 5,
  governor: 6,
} as const;

/** BIP-39's seed: 2,048 rounds of PBKDF2, so made once. */
const openRoot = (): HDKey =>
  HDKey.fromMasterSeed(pbkdf2Sync(MNEMONIC.normalize('NFKD'), 'mnemonic', 2_048, 64, 'sha512'));

export const devnetAccounts = (): DevnetAccounts => {
  const root = openRoot();
  const secret = (branch: keyof typeof BRANCH, index: number): Uint8Array =>
    Uint8Array.from(root.derive(`m/44'/60'/${BRANCH[branch]}'/0/${index}`).privateKey!);
  const role = (branch: keyof typeof BRANCH, index: number): RoleKey => {
    const privateKey = secret(branch, index);
    return { privateKey, address: privateKeyToAddress(privateKey) };
  };
  const nodeRole = (branch: 'validator' | 'relayer', index: number, nodeIndex: number): NodeRole => ({
    ...role(branch, index),
    name: `${branch}-${index + 1}`,
    nodeSeed: secret('node', nodeIndex),
  });
  const indexes = (count: number): number[] => Array.from({ length: count }, (_, index) => index);
  return {
    users: indexes(USER_COUNT).map((index) => role('user', index).address),
    deployer: role('deployer', 0),
    validators: indexes(VALIDATOR_COUNT).map((index) => nodeRole('validator', index, index)),
    relayers: indexes(RELAYER_COUNT).map((index) => nodeRole('relayer', index, VALIDATOR_COUNT + index)),
    governors: indexes(VALIDATOR_COUNT).map((index) => ({
      ...role('governor', index),
      name: `organisation-${index + 1}`,
    })),
    traveller: role('traveller', 0),
    travellersFriend: role('traveller', 1),
  };
};
