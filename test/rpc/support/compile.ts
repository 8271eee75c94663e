/** The probe contracts, compiled once a process. */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import solc from 'solc';
import type { Abi, Hex } from 'viem';

export type Compiled = { readonly abi: Abi; readonly bytecode: Hex };

const SOURCE = fileURLToPath(new URL('../contracts/Probe.sol', import.meta.url));

export const compileProbe = (): { readonly probe: Compiled; readonly child: Compiled } => {
  const input = {
    language: 'Solidity',
    sources: { 'Probe.sol': { content: readFileSync(SOURCE, 'utf8') } },
    settings: {
      optimizer: { enabled: true, runs: 200 },
      outputSelection: { '*': { '*': ['abi', 'evm.bytecode.object'] } },
    },
  };
  const output = JSON.parse(solc.compile(JSON.stringify(input)));
  const faults = (output.errors ?? []).filter(({ severity }: { severity: string }) => severity === 'error');
  if (faults.length > 0)
    throw new Error(faults.map((fault: { formattedMessage: string }) => fault.formattedMessage).join('\n'));
  const of = (name: string): Compiled => {
    const { abi, evm } = output.contracts['Probe.sol'][name];
    return { abi, bytecode: `0x${evm.bytecode.object}` };
  };
  return { probe: of('Probe'), child: of('Child') };
};
