/**
 * Compiles every contract of the repository and writes, or checks, the artifacts beside the sources.
 *
 *   node_modules/.bin/node bridge/contracts/compile.ts           writes bridge/contracts/artifacts and genesis/contracts/artifacts
 *   node_modules/.bin/node bridge/contracts/compile.ts --check   recompiles and fails, naming what differs
 *
 * Reproducible: solc from npm at the locked version, no metadata hash in the bytecode, sorted output. One JSON a
 * contract for other tools, and for our own code contracts.ts with ABI and bytecode as typed constants.
 */
import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import solc from 'solc';

const root = fileURLToPath(new URL('../..', import.meta.url));

const FOLDERS = ['bridge/contracts', 'genesis/contracts'] as const;
/** What is deployed or predeployed; libraries and structs are compiled into these. */
const CONTRACTS: Readonly<Record<(typeof FOLDERS)[number], readonly string[]>> = {
  'bridge/contracts': [
    'PegCouncil',
    'PegEscape',
    'PegFactory',
    'PegGateway',
    'PegTimelock',
    'PegVault',
    'PegVerifier',
    'WrappedEther',
    'WrappedToken',
  ],
  'genesis/contracts': ['Governance', 'UpgradePlan', 'ValidatorSet'],
};

type References = Readonly<Record<string, readonly { readonly start: number; readonly length: number }[]>>;
type Bytecode = { readonly object: string; readonly immutableReferences?: References };
type CompiledContract = {
  readonly abi: readonly unknown[];
  readonly evm: { readonly bytecode: Bytecode; readonly deployedBytecode: Bytecode };
  readonly storageLayout: {
    readonly storage: readonly {
      readonly label: string;
      readonly slot: string;
      readonly offset: number;
      readonly type: string;
    }[];
    readonly types: Readonly<
      Record<string, { readonly label: string; readonly numberOfBytes: string }>
    > | null;
  };
};
type CompilerOutput = {
  readonly errors?: readonly {
    readonly severity: string;
    readonly formattedMessage: string;
    readonly sourceLocation?: { readonly file: string };
  }[];
  readonly contracts: Readonly<Record<string, Readonly<Record<string, CompiledContract>>>>;
};

const readSources = async (folder: string): Promise<Record<string, { content: string }>> => {
  const sources: Record<string, { content: string }> = {};
  for (const file of (await readdir(join(root, folder))).filter((name) => name.endsWith('.sol')).sort())
    sources[`${folder}/${file}`] = { content: await readFile(join(root, folder, file), 'utf8') };
  return sources;
};

/** OpenZeppelin's sources, found before compiling because the compiler asks for them synchronously. */
const addImports = async (sources: Record<string, { content: string }>): Promise<void> => {
  const waiting = Object.values(sources).map(({ content }) => content);
  const from = (path: string) => join(root, 'node_modules', path);
  const importsOf = (content: string, base: string): string[] =>
    [...content.matchAll(/from\s+["']([^"']+)["']|import\s+["']([^"']+)["']/g)]
      .map((match) => match[1] ?? match[2]!)
      .map((path) => (path.startsWith('@') ? path : join(base, path)))
      .filter((path) => path.startsWith('@openzeppelin/'));
  const paths = waiting.flatMap((content) => importsOf(content, ''));
  while (paths.length > 0) {
    const path = paths.pop()!;
    if (sources[path] !== undefined) continue;
    const content = await readFile(from(path), 'utf8');
    sources[path] = { content };
    paths.push(...importsOf(content, join(path, '..')));
  }
};

const compile = async (): Promise<CompilerOutput['contracts']> => {
  const sources: Record<string, { content: string }> = {};
  for (const folder of FOLDERS) Object.assign(sources, await readSources(folder));
  await addImports(sources);
  const input = {
    language: 'Solidity',
    sources,
    settings: {
      viaIR: true,
      optimizer: { enabled: true, runs: 1_000 },
      evmVersion: 'osaka',
      metadata: { bytecodeHash: 'none', appendCBOR: false },
      outputSelection: {
        '*': {
          '*': [
            'abi',
            'evm.bytecode.object',
            'evm.deployedBytecode.object',
            'evm.deployedBytecode.immutableReferences',
            'storageLayout',
          ],
        },
      },
    },
  };
  const output = JSON.parse(solc.compile(JSON.stringify(input))) as CompilerOutput;
  // OpenZeppelin's own warnings are theirs; ours are faults.
  const faults = (output.errors ?? []).filter(
    ({ severity, sourceLocation }) =>
      severity === 'error' || !sourceLocation?.file.startsWith('@openzeppelin/'),
  );
  if (faults.length > 0)
    throw new Error(
      `expected the contracts to compile without errors or warnings:\n${faults.map(({ formattedMessage }) => formattedMessage).join('\n')}`,
    );
  return output.contracts;
};

/** The compiler numbers immutables and struct types by syntax tree; what is kept depends on the source alone. */
const toArtifact = (name: string, source: string, contract: CompiledContract) => ({
  contractName: name,
  sourceName: source,
  compiler: solc.version(),
  abi: contract.abi,
  bytecode: `0x${contract.evm.bytecode.object}`,
  deployedBytecode: `0x${contract.evm.deployedBytecode.object}`,
  immutableReferences: Object.values(contract.evm.deployedBytecode.immutableReferences ?? {})
    .map((places) => places.map(({ start, length }) => ({ start, length })))
    .sort((a, b) => a[0]!.start - b[0]!.start),
  storageLayout: contract.storageLayout.storage.map(({ label, slot, offset, type }) => ({
    label,
    slot: Number(slot),
    offset,
    type: contract.storageLayout.types?.[type]?.label,
    sizeBytes: Number(contract.storageLayout.types?.[type]?.numberOfBytes),
  })),
});

type Artifact = ReturnType<typeof toArtifact>;

const lowerFirst = (name: string): string => name[0]!.toLowerCase() + name.slice(1);

const toModule = (artifacts: readonly Artifact[]): string =>
  [
    '/** Generated by bridge/contracts/compile.ts from the Solidity sources; `npm run check` compares it with them. */',
    ...artifacts.flatMap(({ contractName, abi, bytecode, deployedBytecode }) => [
      '',
      `export const ${lowerFirst(contractName)}Abi = ${JSON.stringify(abi, null, 2)} as const;`,
      '',
      '/** `creation` takes the ABI-encoded constructor arguments behind it; `runtime` has its immutables still zero. */',
      `export const ${lowerFirst(contractName)}Bytecode = ${JSON.stringify({ creation: bytecode, runtime: deployedBytecode }, null, 2)} as const;`,
    ]),
    '',
  ].join('\n');

/** Every artifact by its path from the repository's root. */
const buildFiles = async (): Promise<Map<string, string>> => {
  const compiled = await compile();
  const files = new Map<string, string>();
  for (const folder of FOLDERS) {
    const artifacts = CONTRACTS[folder].map((name) => {
      const source = `${folder}/${name}.sol`;
      return toArtifact(name, source, compiled[source]![name]!);
    });
    for (const artifact of artifacts)
      files.set(
        `${folder}/artifacts/${artifact.contractName}.json`,
        `${JSON.stringify(artifact, null, 2)}\n`,
      );
    files.set(`${folder}/artifacts/contracts.ts`, toModule(artifacts));
  }
  return files;
};

const existingFiles = async (): Promise<string[]> => {
  const paths: string[] = [];
  for (const folder of FOLDERS)
    for (const file of await readdir(join(root, folder, 'artifacts')).catch(() => []))
      paths.push(`${folder}/artifacts/${file}`);
  return paths;
};

const check = async (files: ReadonlyMap<string, string>): Promise<string[]> => {
  const faults: string[] = [];
  for (const [path, content] of files) {
    const found = await readFile(join(root, path), 'utf8').catch(() => null);
    if (found === null) faults.push(`${path} is missing`);
    else if (found !== content) faults.push(`${path} differs from what its source compiles to`);
  }
  for (const path of await existingFiles())
    if (!files.has(path)) faults.push(`${path} belongs to no contract`);
  return faults;
};

const write = async (files: ReadonlyMap<string, string>): Promise<void> => {
  for (const path of await existingFiles()) if (!files.has(path)) await rm(join(root, path));
  for (const folder of FOLDERS) await mkdir(join(root, folder, 'artifacts'), { recursive: true });
  for (const [path, content] of files) await writeFile(join(root, path), content);
};

const files = await buildFiles();
if (process.argv.includes('--check')) {
  const faults = await check(files);
  if (faults.length > 0) {
    console.error(
      `contracts: artifacts and sources differ:\n${faults.map((fault) => `  ${fault}`).join('\n')}\nremedy: node_modules/.bin/node bridge/contracts/compile.ts, then commit what it wrote`,
    );
    process.exitCode = 1;
  } else {
    console.log(`contracts: ${files.size} artifacts agree with their sources (solc ${solc.version()})`);
  }
} else {
  await write(files);
  console.log(`contracts: wrote ${files.size} artifacts (solc ${solc.version()})`);
}
