/** Every method of the server, by name. */

import { adminMethods } from '#node/rpc/admin.ts';
import { bridgeMethods } from '#node/rpc/bridge.ts';
import { causewayMethods } from '#node/rpc/causeway.ts';
import { debugMethods } from '#node/rpc/debug.ts';
import { blockMethods } from '#node/rpc/eth/blocks.ts';
import { chainMethods } from '#node/rpc/eth/chain.ts';
import { feeMethods } from '#node/rpc/eth/fees.ts';
import { logMethods } from '#node/rpc/eth/logs.ts';
import { proofMethods } from '#node/rpc/eth/proofs.ts';
import { stateMethods } from '#node/rpc/eth/state.ts';
import { subscriptionMethods } from '#node/rpc/eth/subscriptions.ts';
import { transactionMethods } from '#node/rpc/eth/transactions.ts';
import { evidenceMethods } from '#node/rpc/evidence.ts';
import type { Method } from '#node/rpc/method.ts';
import { netMethods } from '#node/rpc/net.ts';
import { otterscanMethods } from '#node/rpc/otterscan.ts';
import { traceMethods } from '#node/rpc/trace.ts';
import { txpoolMethods } from '#node/rpc/txpool.ts';
import { web3Methods } from '#node/rpc/web3.ts';

export const METHODS: ReadonlyMap<string, Method> = new Map(
  [
    ...chainMethods,
    ...blockMethods,
    ...transactionMethods,
    ...stateMethods,
    ...proofMethods,
    ...logMethods,
    ...feeMethods,
    ...subscriptionMethods,
    ...txpoolMethods,
    ...debugMethods,
    ...traceMethods,
    ...otterscanMethods,
    ...netMethods,
    ...web3Methods,
    ...causewayMethods,
    ...evidenceMethods,
    ...bridgeMethods,
    ...adminMethods,
  ].map((method) => [method.name, method]),
);

/** The namespaces that are served over the network, sorted; those of the local socket are nobody's business there. */
export const MODULES: readonly string[] = [
  ...new Set(
    [...METHODS.values()]
      .filter(({ access }) => access !== 'admin')
      .map(({ name }) => name.slice(0, name.indexOf('_'))),
  ),
].sort();
