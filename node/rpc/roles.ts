/** Who may call what. Whatever is not granted here is denied. */
import type { AccessClass } from '#node/rpc/method.ts';

/** `admin` is whoever reaches the local socket; no key or token can be given it. */
export const ROLES = ['public', 'dapp', 'indexer', 'auditor', 'operator', 'admin'] as const;
export type Role = (typeof ROLES)[number];
/** Those that a key, a token or the configuration may name. */
export const GRANTED_ROLES = ['public', 'dapp', 'indexer', 'auditor', 'operator'] as const;
export type GrantedRole = (typeof GRANTED_ROLES)[number];

const GRANTS: Readonly<Record<Role, readonly AccessClass[]>> = {
  public: ['public'],
  dapp: ['public', 'dapp'],
  indexer: ['public', 'dapp', 'indexer'],
  auditor: ['public', 'dapp', 'indexer', 'audit'],
  operator: ['public', 'dapp', 'indexer', 'audit', 'operate'],
  admin: ['public', 'dapp', 'indexer', 'audit', 'operate', 'admin'],
};

export const mayCall = (role: Role, access: AccessClass): boolean => GRANTS[role].includes(access);
