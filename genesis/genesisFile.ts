/**
 * The genesis file: what every member of the network starts from.
 *
 * Owns its text form. The file carries the specification and the hashes that follow from it; a reader believes
 * only the specification, rebuilds the rest and compares, so that an edited file or a different contract build is
 * noticed before anything runs on it.
 */
import { readFile } from 'node:fs/promises';
import { z } from 'zod';
import type { L1Addresses } from '#bridge/addresses.ts';
import { GenesisError } from '#genesis/errors.ts';
import { buildGenesis } from '#genesis/genesis.ts';
import type { Genesis } from '#genesis/spec.ts';
import { parseSpec, type SpecJson, specToJson } from '#genesis/specFile.ts';

const FORMAT = 'causeway-genesis-3';
const L1_NAMES = [
  'factory',
  'vault',
  'verifier',
  'council',
  'timelock',
  'escape',
  'weth',
] as const satisfies (keyof L1Addresses)[];

export type GenesisFileJson = {
  readonly format: typeof FORMAT;
  readonly specHash: string;
  readonly genesisHash: string;
  readonly stateRoot: string;
  readonly l1: L1Addresses;
  readonly spec: SpecJson;
};

const hash = z.string().regex(/^0x[0-9a-f]{64}$/, 'expected a 32-byte hash in lower case');
const address = z.string().regex(/^0x[0-9a-f]{40}$/, 'expected an address in lower case');

const fileSchema = z.strictObject({
  format: z.literal(FORMAT, {
    error: `expected format "${FORMAT}": the file belongs to another release, and a changed format means a new genesis (devnet: causeway devnet down --purge)`,
  }),
  specHash: hash,
  genesisHash: hash,
  stateRoot: hash,
  l1: z.strictObject({
    factory: address,
    vault: address,
    verifier: address,
    council: address,
    timelock: address,
    escape: address,
    weth: address,
  }),
  spec: z.unknown(),
});

export const genesisToJson = (genesis: Genesis): GenesisFileJson => ({
  format: FORMAT,
  specHash: genesis.specHash,
  genesisHash: genesis.genesisHash,
  stateRoot: genesis.stateRoot,
  l1: genesis.l1,
  spec: specToJson(genesis.spec),
});

export const serialiseGenesis = (genesis: Genesis): string =>
  `${JSON.stringify(genesisToJson(genesis), null, 2)}\n`;

const requireSame = (what: string, stated: string, rebuilt: string): void => {
  if (stated !== rebuilt)
    throw new GenesisError(
      'MISMATCH',
      `expected ${what} ${stated} as the genesis file says, found ${rebuilt} by rebuilding it: the file was edited, or this release carries other contract code than the one that built it; use the sealed file and its release`,
    );
};

/**
 * Rebuilds the genesis from the file's specification and compares every stated hash and address.
 * Whether fewer than four validators are acceptable was decided when the file was built.
 * @throws GenesisError BAD_JSON, BAD_SHAPE, MISMATCH or the broken rule's code
 */
export const parseGenesis = async (text: string): Promise<Genesis> => {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (error) {
    throw new GenesisError('BAD_JSON', `expected a JSON genesis file, found: ${(error as Error).message}`);
  }
  const parsed = fileSchema.safeParse(json);
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    throw new GenesisError('BAD_SHAPE', `${issue?.path.join('.') || 'the genesis file'}: ${issue?.message}`);
  }
  const stated = parsed.data;
  const genesis = await buildGenesis(parseSpec(stated.spec, { allowFewValidators: true }));
  for (const name of L1_NAMES) requireSame(`l1.${name}`, stated.l1[name], genesis.l1[name]);
  requireSame('specHash', stated.specHash, genesis.specHash);
  requireSame('stateRoot', stated.stateRoot, genesis.stateRoot);
  requireSame('genesisHash', stated.genesisHash, genesis.genesisHash);
  return genesis;
};

/** @throws GenesisError UNREADABLE, and as parseGenesis */
export const loadGenesis = async (path: string): Promise<Genesis> => {
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (error) {
    throw new GenesisError('UNREADABLE', `cannot read the genesis file ${path}: ${(error as Error).message}`);
  }
  try {
    return await parseGenesis(text);
  } catch (error) {
    if (error instanceof GenesisError) throw new GenesisError(error.code, `${path}: ${error.message}`);
    throw error;
  }
};
