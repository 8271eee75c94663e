/**
 * The wires between the validators of a drill: cut and healed on purpose.
 *
 * Two kinds: a network namespace for each validator (netnsLinks.ts; needs root and iproute2), or TCP proxies between
 * all pairs on one host (proxyLinks.ts). In both a cut link is silent: nothing is refused or reset.
 */
export type Links = {
  readonly kind: 'namespaces' | 'proxies';
  /** The command that runs `command` where this validator lives. */
  wrap(validator: number, command: readonly string[]): readonly string[];
  /** Where it listens for peers, a multiaddr. */
  listen(validator: number): string;
  /** Where `from` finds `to`, a multiaddr. */
  dial(from: number, to: number): string;
  /** Address of its JSON-RPC, as seen by the validator and by us. */
  rpcHost(validator: number): string;
  l1Url(validator: number): string;
  /** Only validators of one group reach each other from now on. */
  partition(groups: readonly (readonly number[])[]): Promise<void>;
  heal(): Promise<void>;
  close(): Promise<void>;
};

export type LinkOptions = {
  readonly validators: number;
  readonly p2pPorts: readonly number[];
  readonly l1Port: number;
};
