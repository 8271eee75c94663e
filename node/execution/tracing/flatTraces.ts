/**
 * Parity's flat traces (`trace_*`, flatCallTracer) from a tree of calls, and its state diff.
 *
 * Calls of precompiles without value are left out, as OpenEthereum left them out. The gas of the outermost call is what
 * is left of the limit after the intrinsic cost.
 */
import { bytesToHex } from '#consensus/primitives.ts';
import type { CallNode } from '#node/execution/tracing/callTree.ts';
import type { StateDiff } from '#node/execution/tracing/prestateTracer.ts';

const hex = (value: bigint): string => `0x${value.toString(16)}`;

export type FlatTrace = {
  readonly action: Readonly<Record<string, unknown>>;
  readonly result?: Readonly<Record<string, unknown>> | null;
  readonly error?: string;
  readonly subtraces: number;
  readonly traceAddress: readonly number[];
  readonly type: 'call' | 'create' | 'suicide';
};
/** Where a trace stands in the chain. */
export type FlatPlace = {
  readonly blockHash: string;
  readonly blockNumber: number;
  readonly transactionHash: string;
  readonly transactionPosition: number;
};

const PARITY_WORDS = new Map([
  ['execution reverted', 'Reverted'],
  ['out of gas', 'Out of gas'],
  ['contract creation code storage out of gas', 'Out of gas'],
  ['invalid opcode', 'Bad instruction'],
  ['invalid jump destination', 'Bad jump destination'],
  ['stack underflow', 'Stack underflow'],
  ['write protection', 'Mutable Call In Static Context'],
]);

const isShown = (node: CallNode): boolean => !node.isPrecompile || node.value > 0n;

const formatNode = (node: CallNode): Pick<FlatTrace, 'action' | 'type' | 'result' | 'error'> => {
  if (node.type === 'SELFDESTRUCT')
    return {
      type: 'suicide',
      action: { address: node.from, balance: hex(node.value), refundAddress: node.to },
      result: null,
    };
  const failed = node.error === null ? null : (PARITY_WORDS.get(node.error) ?? node.error);
  const outcome = (result: Record<string, unknown>) => (failed === null ? { result } : { error: failed });
  if (node.type === 'CREATE' || node.type === 'CREATE2')
    return {
      type: 'create',
      action: {
        creationMethod: node.type.toLowerCase(),
        from: node.from,
        gas: hex(node.gas),
        init: bytesToHex(node.input),
        value: hex(node.value),
      },
      ...outcome({ address: node.to, code: bytesToHex(node.output), gasUsed: hex(node.gasUsed) }),
    };
  return {
    type: 'call',
    action: {
      callType: node.type.toLowerCase(),
      from: node.from,
      gas: hex(node.gas),
      input: bytesToHex(node.input),
      to: node.to,
      value: node.type === 'STATICCALL' ? '0x0' : hex(node.value),
    },
    ...outcome({ gasUsed: hex(node.gasUsed), output: bytesToHex(node.output) }),
  };
};

/** Depth first, each with its path. */
export const flattenCalls = (root: CallNode): FlatTrace[] => {
  const traces: FlatTrace[] = [];
  const walk = (node: CallNode, traceAddress: readonly number[]): void => {
    const calls = node.calls.filter(isShown);
    traces.push({ ...formatNode(node), subtraces: calls.length, traceAddress });
    calls.forEach((call, index) => void walk(call, [...traceAddress, index]));
  };
  walk(root, []);
  return traces;
};

export const placeTraces = (traces: readonly FlatTrace[], place: FlatPlace) =>
  traces.map((trace) => ({ ...trace, ...place }));

type Change =
  | '='
  | { readonly '+': unknown }
  | { readonly '-': unknown }
  | { readonly '*': { from: unknown; to: unknown } };

const changeOf = <T>(
  from: T,
  to: T,
  show: (value: T) => string,
  existed: boolean,
  exists: boolean,
): Change => {
  if (existed && !exists) return { '-': show(from) };
  if (!existed) return { '+': show(to) };
  return show(from) === show(to) ? '=' : { '*': { from: show(from), to: show(to) } };
};

/** Accounts that are as they were are left out. */
export const formatStateDiff = ({ pre, post }: StateDiff): Record<string, unknown> => {
  const shown: Record<string, unknown> = {};
  for (const [address, before] of pre) {
    const after = post.get(address)!;
    if (!before.exists && !after.exists) continue;
    const slots = [...before.storage].filter(([slot, value]) => after.storage.get(slot) !== value);
    const change = <T>(from: T, to: T, show: (value: T) => string): Change =>
      changeOf(from, to, show, before.exists, after.exists);
    const entry = {
      balance: change(before.balance, after.balance, hex),
      code: change(before.code, after.code, bytesToHex),
      nonce: change(before.nonce, after.nonce, hex),
      storage: Object.fromEntries(
        slots.map(([slot, from]) => {
          const to = after.storage.get(slot)!;
          return [slot, before.exists ? { '*': { from, to } } : { '+': to }];
        }),
      ),
    };
    const isSame = entry.balance === '=' && entry.code === '=' && entry.nonce === '=' && slots.length === 0;
    if (!isSame) shown[address] = entry;
  }
  return shown;
};
