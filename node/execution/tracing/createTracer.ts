/** The tracer that a client asked for by name; without a name, struct logs. */
import {
  createCallTracer,
  createFourByteTracer,
  type IsPrecompile,
  listenWith,
} from '#node/execution/tracing/callTracers.ts';
import { CallTree } from '#node/execution/tracing/callTree.ts';
import { flattenCalls } from '#node/execution/tracing/flatTraces.ts';
import {
  serverRefusal,
  TRACER_NAMES,
  type TraceOptions,
  type TracerName,
} from '#node/execution/tracing/jobs.ts';
import { createPrestateTracer } from '#node/execution/tracing/prestateTracer.ts';
import { createStructTracer } from '#node/execution/tracing/structTracer.ts';
import { type Tracer, toJson, Written } from '#node/execution/tracing/tracer.ts';

/** As `trace_*` needs a tree. */
export const FLAT_TREE = { withLogs: false, onlyTop: false, withIntrinsicGas: false } as const;

type Config = Readonly<Record<string, unknown>>;

const createFlatTracer = (isPrecompile: IsPrecompile): Tracer => {
  const tree = new CallTree(isPrecompile, FLAT_TREE);
  return { ...listenWith(tree), end: (outcome) => flattenCalls(tree.finish(outcome)) };
};

const isConfig = (value: unknown): value is Config =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** Several at one time, each with its own configuration: `{callTracer: {…}, prestateTracer: {…}}`. */
const createMuxTracer = (isPrecompile: IsPrecompile, config: Config): Tracer => {
  const parts = Object.entries(config).map(([name, own]) => {
    if (name === 'muxTracer' || !TRACER_NAMES.includes(name as TracerName))
      throw serverRefusal(`unknown tracer ${name.slice(0, 64)} in muxTracer`);
    return [name, createNamed(name as TracerName, isConfig(own) ? own : {}, isPrecompile)] as const;
  });
  const tracers = parts.map(([, tracer]) => tracer);
  return {
    begin: async (transaction, state) => {
      for (const tracer of tracers) await tracer.begin?.(transaction, state);
    },
    step: (step) => {
      const pending = tracers.map((tracer) => tracer.step?.(step)).filter((wait) => wait !== undefined);
      if (pending.length > 0) return Promise.all(pending).then(() => {});
    },
    enter: (message) => tracers.forEach((tracer) => void tracer.enter?.(message)),
    exit: (result) => tracers.forEach((tracer) => void tracer.exit?.(result)),
    end: async (outcome, state) => {
      const fields: string[] = [];
      for (const [name, tracer] of parts)
        fields.push(`${JSON.stringify(name)}:${toJson(await tracer.end(outcome, state))}`);
      return new Written(`{${fields.join(',')}}`);
    },
  };
};

const createNamed = (name: TracerName, config: Config, isPrecompile: IsPrecompile): Tracer => {
  switch (name) {
    case 'callTracer':
      return createCallTracer(isPrecompile, config);
    case 'prestateTracer':
      return createPrestateTracer(config);
    case '4byteTracer':
      return createFourByteTracer(isPrecompile);
    case 'flatCallTracer':
      return createFlatTracer(isPrecompile);
    case 'muxTracer':
      return createMuxTracer(isPrecompile, config);
    case 'noopTracer':
      return { end: () => ({}) };
  }
};

/** @throws JobRefusal */
export const createTracer = (options: TraceOptions, isPrecompile: IsPrecompile): Tracer =>
  options.tracer === null
    ? createStructTracer(options)
    : createNamed(options.tracer, options.config, isPrecompile);
