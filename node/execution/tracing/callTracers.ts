/** callTracer and 4byteTracer, as geth writes them (eth/tracers/native). */
import { bytesToHex } from '#consensus/primitives.ts';
import type { Machine } from '#node/execution/machine.ts';
import { type CallNode, CallTree } from '#node/execution/tracing/callTree.ts';
import { revertReasonOf } from '#node/execution/tracing/revertReason.ts';
import type { Tracer } from '#node/execution/tracing/tracer.ts';

export type IsPrecompile = ConstructorParameters<typeof CallTree>[0];

export const isPrecompileOf =
  ({ vm }: Machine): IsPrecompile =>
  (address) =>
    vm.evm.precompiles.has(address.toString().slice(2));

const hex = (value: bigint): string => `0x${value.toString(16)}`;

/** Hears for a tree what its owner's tracer hears. */
export const listenWith = (tree: CallTree): Pick<Tracer, 'begin' | 'step' | 'enter' | 'exit'> => ({
  begin: async (transaction) => tree.begin(transaction),
  step: (step) => tree.step(step),
  enter: (message) => tree.enter(message),
  exit: (result) => tree.exit(result),
});

const formatFrame = (node: CallNode): Record<string, unknown> => {
  const reason = node.isReverted ? revertReasonOf(node.output) : null;
  return {
    from: node.from,
    gas: hex(node.gas),
    gasUsed: hex(node.gasUsed),
    ...(node.to === null ? {} : { to: node.to }),
    input: bytesToHex(node.input),
    ...(node.output.length === 0 ? {} : { output: bytesToHex(node.output) }),
    ...(node.error === null ? {} : { error: node.error }),
    ...(reason === null ? {} : { revertReason: reason }),
    ...(node.calls.length === 0 ? {} : { calls: node.calls.map(formatFrame) }),
    ...(node.logs.length === 0
      ? {}
      : {
          logs: node.logs.map(({ address, topics, data, index, position }) => ({
            address,
            topics,
            data,
            index: `0x${index.toString(16)}`,
            position: `0x${position.toString(16)}`,
          })),
        }),
    ...(node.type === 'STATICCALL' ? {} : { value: hex(node.value) }),
    type: node.type,
  };
};

export const createCallTracer = (
  isPrecompile: IsPrecompile,
  config: Readonly<Record<string, unknown>>,
): Tracer => {
  const tree = new CallTree(isPrecompile, {
    withLogs: config.withLog === true,
    onlyTop: config.onlyTopCall === true,
    withIntrinsicGas: true,
  });
  return { ...listenWith(tree), end: (outcome) => formatFrame(tree.finish(outcome)) };
};

/** How often each selector was called with how many bytes of arguments: `0x27dc297e-128`. */
export const createFourByteTracer = (isPrecompile: IsPrecompile): Tracer => {
  const tree = new CallTree(isPrecompile, { withLogs: false, onlyTop: false, withIntrinsicGas: true });
  const counts: Record<string, number> = {};
  const count = (node: CallNode): void => {
    const isCall = node.type !== 'CREATE' && node.type !== 'CREATE2' && node.type !== 'SELFDESTRUCT';
    if (isCall && !node.isPrecompile && node.input.length >= 4) {
      const key = `${bytesToHex(node.input.subarray(0, 4))}-${node.input.length - 4}`;
      counts[key] = (counts[key] ?? 0) + 1;
    }
    node.calls.forEach(count);
  };
  return {
    ...listenWith(tree),
    end: (outcome) => {
      count(tree.finish(outcome));
      return counts;
    },
  };
};
