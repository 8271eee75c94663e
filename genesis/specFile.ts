/**
 * A specification as text: strict JSON in, the same JSON out.
 *
 * Owns the text form: every number a decimal string, every address lower-case or checksummed hex, unknown keys are
 * errors. `specToJson` is also what specHash.ts hashes, so text and hash cannot drift apart.
 */
import { z } from 'zod';
import { parseAddress } from '#consensus/primitives.ts';
import type { CanonicalValue } from '#genesis/canonicalJson.ts';
import { GenesisError } from '#genesis/errors.ts';
import type { ChainSpec } from '#genesis/spec.ts';
import { checkSpec, type SpecRuleOptions } from '#genesis/specRules.ts';

/** 78 digits hold every uint256. */
const decimal = z
  .string()
  .regex(/^(0|[1-9][0-9]{0,77})$/, 'expected a whole number as a decimal string, such as "1000"')
  .transform((text) => BigInt(text));
const address = z
  .string()
  .regex(/^0x[0-9a-fA-F]{40}$/, 'expected an address as 0x and 40 hex digits')
  .transform(parseAddress);
const name = z
  .string()
  .regex(/^[a-z0-9][a-z0-9-]{0,62}$/, 'expected a name of lower-case letters, digits and hyphens');
const peerId = z.string().max(128);

const specSchema = z.strictObject({
  version: z.literal('1', { error: 'expected version "1"' }).transform(() => 1 as const),
  name,
  chainId: decimal,
  l1ChainId: decimal,
  timestamp: decimal,
  epochLength: decimal,
  blockGasLimit: decimal,
  importGas: decimal,
  feePolicy: z.strictObject({ mode: z.literal('fixed'), baseFeeWei: decimal }),
  validators: z.array(z.strictObject({ name, address, power: decimal, peerId })).max(1_000),
  relayerThreshold: decimal.transform(Number),
  relayers: z.array(z.strictObject({ name, address, peerId })).max(1_000),
  governors: z.array(z.strictObject({ name, address })).max(1_000),
  balances: z.array(z.strictObject({ address, amountWei: decimal })).max(100_000),
  deployer: address,
});

const describeIssues = (error: z.ZodError): string =>
  error.issues
    .slice(0, 5)
    .map(({ path, message }) => `${path.length === 0 ? 'the specification' : path.join('.')}: ${message}`)
    .join('; ');

/** From parsed JSON. @throws GenesisError BAD_SHAPE or the broken rule's code */
export const parseSpec = (json: unknown, options: SpecRuleOptions = {}): ChainSpec => {
  const parsed = specSchema.safeParse(json);
  if (!parsed.success) throw new GenesisError('BAD_SHAPE', describeIssues(parsed.error));
  checkSpec(parsed.data, options);
  return parsed.data;
};

/** @throws GenesisError BAD_JSON, BAD_SHAPE or the broken rule's code */
export const parseSpecText = (text: string, options: SpecRuleOptions = {}): ChainSpec => {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (error) {
    throw new GenesisError('BAD_JSON', `expected JSON, found: ${(error as Error).message}`);
  }
  return parseSpec(json, options);
};

export type SpecJson = { readonly [name: string]: CanonicalValue };

export const specToJson = (spec: ChainSpec): SpecJson => ({
  version: String(spec.version),
  name: spec.name,
  chainId: String(spec.chainId),
  l1ChainId: String(spec.l1ChainId),
  timestamp: String(spec.timestamp),
  epochLength: String(spec.epochLength),
  blockGasLimit: String(spec.blockGasLimit),
  importGas: String(spec.importGas),
  feePolicy: { mode: spec.feePolicy.mode, baseFeeWei: String(spec.feePolicy.baseFeeWei) },
  validators: spec.validators.map(({ name, address, power, peerId }) => ({
    name,
    address,
    power: String(power),
    peerId,
  })),
  relayerThreshold: String(spec.relayerThreshold),
  relayers: spec.relayers.map(({ name, address, peerId }) => ({ name, address, peerId })),
  governors: spec.governors.map(({ name, address }) => ({ name, address })),
  balances: spec.balances.map(({ address, amountWei }) => ({ address, amountWei: String(amountWei) })),
  deployer: spec.deployer,
});
