/** The benchmark's two contracts, compiled from their sources beside this file; nothing of them is checked in. */
import { readdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import solc from 'solc';
import type { Hex } from '#consensus/primitives.ts';

export const CONTRACTS_FOLDER = fileURLToPath(new URL('contracts', import.meta.url));
const require = createRequire(import.meta.url);

type Output = {
  readonly errors?: readonly { readonly severity: string; readonly formattedMessage: string }[];
  readonly contracts: Readonly<
    Record<
      string,
      Readonly<Record<string, { readonly evm: { readonly bytecode: { readonly object: string } } }>>
    >
  >;
};

/** @returns creation code by contract name. @throws Error with the compiler's words */
export const compileContracts = (): Readonly<Record<'BenchToken' | 'BenchWork', Hex>> => {
  const sources = Object.fromEntries(
    readdirSync(CONTRACTS_FOLDER).map((file) => [
      file,
      { content: readFileSync(join(CONTRACTS_FOLDER, file), 'utf8') },
    ]),
  );
  const input = {
    language: 'Solidity',
    sources,
    settings: {
      optimizer: { enabled: true, runs: 10_000 },
      evmVersion: 'osaka',
      outputSelection: { '*': { '*': ['evm.bytecode.object'] } },
    },
  };
  const findImport = (path: string) => ({ contents: readFileSync(require.resolve(path), 'utf8') });
  const output = JSON.parse(solc.compile(JSON.stringify(input), { import: findImport })) as Output;
  const faults = (output.errors ?? []).filter(({ severity }) => severity === 'error');
  if (faults.length > 0)
    throw new Error(
      `expected the contracts to compile:\n${faults.map(({ formattedMessage }) => formattedMessage).join('\n')}`,
    );
  const codeOf = (name: string): Hex => `0x${output.contracts[`${name}.sol`]![name]!.evm.bytecode.object}`;
  return { BenchToken: codeOf('BenchToken'), BenchWork: codeOf('BenchWork') };
};
