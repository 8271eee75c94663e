/**
 * The plan: what the organisations agreed on before anyone makes a key for the network.
 *
 * Owns its shape, its rules, and the way from plan and keys to a specification. Every number is a decimal string. Of
 * keys it names the governance keys alone, because they are who the organisations are; all other keys come by
 * enrolment, with proofs.
 */
import { generateKeyPairFromSeed } from '@libp2p/crypto/keys';
import { peerIdFromPrivateKey } from '@libp2p/peer-id';
import { z } from 'zod';
import { keccak256, keccak256Hex } from '#consensus/crypto/keccak.ts';
import { type Address, compareHex, parseAddress } from '#consensus/primitives.ts';
import { type DocumentJson, describeIssues, shapes } from '#genesis/ceremony/document.ts';
import { CeremonyError } from '#genesis/ceremony/errors.ts';
import { GenesisError } from '#genesis/errors.ts';
import type { ChainSpec } from '#genesis/spec.ts';
import { parseSpec } from '#genesis/specFile.ts';

const decimal = z
  .string()
  .regex(/^(0|[1-9][0-9]{0,77})$/, 'expected a whole number as a decimal string, such as "1000"');
const address = z
  .string()
  .regex(/^0x[0-9a-fA-F]{40}$/, 'expected an address as 0x and 40 hex digits')
  .transform(parseAddress);

export const planSchema = z.strictObject({
  name: shapes.name,
  chainId: decimal,
  l1ChainId: decimal,
  timestamp: decimal,
  epochLength: decimal,
  blockGasLimit: decimal,
  importGas: decimal,
  feePolicy: z.strictObject({ mode: z.literal('fixed'), baseFeeWei: decimal }),
  /** "yes" accepts one to three validators, which tolerate no fault. */
  fewValidators: z.enum(['no', 'yes']),
  relayerThreshold: decimal,
  organisations: z
    .array(
      z.strictObject({
        name: shapes.name,
        governanceKey: address,
        validators: z.array(z.strictObject({ name: shapes.name, power: decimal })).max(256),
        relayers: z.array(z.strictObject({ name: shapes.name })).max(256),
      }),
    )
    .min(1, 'expected at least one organisation')
    .max(256),
  /** The organisation that holds the key of the L1 deployer. */
  deployer: shapes.name,
  balances: z.array(z.strictObject({ address, amountWei: decimal })).max(100_000),
});

export type Plan = z.output<typeof planSchema>;
export type Organisation = Plan['organisations'][number];

/** The keys that take the seats of a plan. */
export type SeatKey = { readonly address: Address; readonly peerId: string };
export type PlanKeys = {
  readonly deployer: Address;
  /** By name of validator or relayer. */
  readonly seats: ReadonlyMap<string, SeatKey>;
};

const byAddress = <T extends { readonly address: Address }>(list: readonly T[]): T[] =>
  [...list].sort((a, b) => compareHex(a.address, b.address));

const seatOf = (keys: PlanKeys, name: string): SeatKey => {
  const key = keys.seats.get(name);
  if (key === undefined)
    throw new CeremonyError('MISSING', `expected a key for ${name}, found none: collect all enrolments`);
  return key;
};

/** @throws CeremonyError MISSING; GenesisError with the broken rule's code */
export const planToSpec = (plan: Plan, keys: PlanKeys): ChainSpec => {
  const { fewValidators, organisations, deployer: _, balances, ...common } = plan;
  return parseSpec(
    {
      ...common,
      version: '1',
      validators: byAddress(
        organisations.flatMap(({ validators }) =>
          validators.map(({ name, power }) => ({ name, power, ...seatOf(keys, name) })),
        ),
      ),
      relayers: byAddress(
        organisations.flatMap(({ relayers }) =>
          relayers.map(({ name }) => ({ name, ...seatOf(keys, name) })),
        ),
      ),
      governors: byAddress(
        organisations.map(({ name, governanceKey }) => ({ name, address: governanceKey })),
      ),
      balances: byAddress(balances),
      deployer: keys.deployer,
    },
    { allowFewValidators: fewValidators === 'yes' },
  );
};

/** Keys that nobody holds, to judge a plan before anybody travels. */
const placeholderKeys = async ({ organisations }: Plan): Promise<PlanKeys> => {
  const seed = (name: string): Uint8Array => keccak256(new TextEncoder().encode(`placeholder ${name}`));
  const addressOf = (name: string): Address => `0x${keccak256Hex(seed(name)).slice(-40)}` as Address;
  const names = organisations.flatMap(({ validators, relayers }) =>
    [...validators, ...relayers].map(({ name }) => name),
  );
  const seats = await Promise.all(
    names.map(async (name): Promise<[string, SeatKey]> => {
      const nodeKey = await generateKeyPairFromSeed('Ed25519', seed(name));
      return [name, { address: addressOf(name), peerId: peerIdFromPrivateKey(nodeKey).toString() }];
    }),
  );
  return { deployer: addressOf('the deployer'), seats: new Map(seats) };
};

const checkRoster = ({ organisations, deployer }: Plan): void => {
  const names = new Set<string>(['deployer', 'governance']);
  for (const { name, validators, relayers } of organisations)
    for (const taken of [
      name,
      ...validators.map((seat) => seat.name),
      ...relayers.map((seat) => seat.name),
    ]) {
      if (names.has(taken))
        throw new CeremonyError(
          'BAD_PLAN',
          `expected distinct names, found "${taken}" twice (or a reserved one): rename one`,
        );
      names.add(taken);
    }
  if (!organisations.some(({ name }) => name === deployer))
    throw new CeremonyError(
      'BAD_PLAN',
      `expected "deployer" to name an organisation of the plan, found "${deployer}": it holds the key that deploys on the L1`,
    );
};

/** @throws CeremonyError BAD_PLAN with the first rule that the plan breaks */
export const checkPlan = async (plan: Plan): Promise<void> => {
  checkRoster(plan);
  try {
    planToSpec(plan, await placeholderKeys(plan));
  } catch (error) {
    if (!(error instanceof GenesisError)) throw error;
    throw new CeremonyError('BAD_PLAN', error.message, { cause: error });
  }
};

/** From what a person wrote. @throws CeremonyError BAD_PLAN */
export const parsePlan = async (text: string): Promise<Plan> => {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (error) {
    throw new CeremonyError('BAD_PLAN', `expected a plan as JSON, found: ${(error as Error).message}`);
  }
  const parsed = planSchema.safeParse(json);
  if (!parsed.success) throw new CeremonyError('BAD_PLAN', describeIssues(parsed.error, 'the plan'));
  const plan = { ...parsed.data, balances: byAddress(parsed.data.balances) };
  await checkPlan(plan);
  return plan;
};

export const planToJson = (plan: Plan): DocumentJson => plan;
