/** A member's own part of the enrolment: takes or makes its keys, lets each prove itself, signs the whole. */
import {
  type MemberKeys,
  openGovernance,
  recallSigned,
  rememberSigned,
  takeNodeKey,
  takeSigner,
} from '#cli/ceremony/memberKeys.ts';
import { nowInstant, type SeatEndpoint } from '#cli/ceremony/options.ts';
import { CliError, EXIT } from '#cli/errors.ts';
import type { KeyPossession } from '#consensus/ceremonyDigests.ts';
import type { Signer } from '#consensus/signer.ts';
import { requireNotBefore } from '#genesis/ceremony/document.ts';
import {
  createEnrolment,
  type Enrolment,
  EXCHANGE_ENDPOINT,
  P2P_ENDPOINT,
  parseEnrolment,
  writeEnrolment,
} from '#genesis/ceremony/enrolment.ts';
import { type Opening, organisationOf } from '#genesis/ceremony/open.ts';
import type { Organisation } from '#genesis/ceremony/plan.ts';
import { proveNodeKey } from '#node/keys/nodeProof.ts';

export type Endpoints = {
  readonly p2p: readonly SeatEndpoint[];
  readonly exchange: readonly SeatEndpoint[];
};

const usage = (message: string, hint: string): CliError =>
  new CliError(message, { code: 'BAD_ENDPOINTS', exitCode: EXIT.usage, hint });

/** Exactly one endpoint for each of these seats, of this form. */
const requireEndpoints = (
  flag: string,
  given: readonly SeatEndpoint[],
  seats: readonly string[],
  form: RegExp,
  example: string,
): ReadonlyMap<string, string> => {
  const bySeat = new Map(given.map(({ seat, endpoint }) => [seat, endpoint]));
  const stranger = given.find(({ seat }) => !seats.includes(seat));
  const missing = seats.find((seat) => !bySeat.has(seat));
  const wanted = `Give ${flag} SEAT=ENDPOINT once for each of: ${seats.join(', ') || 'no seat'}. For example ${example}`;
  if (stranger !== undefined)
    throw usage(`expected ${flag} for seats of yours, found "${stranger.seat}"`, wanted);
  if (missing !== undefined) throw usage(`expected ${flag} for ${missing}, found none`, wanted);
  if (bySeat.size !== given.length) throw usage(`expected one ${flag} for each seat, found several`, wanted);
  const wrong = given.find(({ endpoint }) => !form.test(endpoint));
  if (wrong !== undefined)
    throw usage(`expected an endpoint such as ${example}, found "${wrong.endpoint}"`, wanted);
  return bySeat;
};

const checkEndpoints = ({ validators, relayers }: Organisation, { p2p, exchange }: Endpoints) => {
  const relayerSeats = relayers.map(({ name }) => name);
  const seats = [...validators.map(({ name }) => name), ...relayerSeats];
  return {
    p2p: requireEndpoints('--p2p', p2p, seats, P2P_ENDPOINT, '/dns4/node.example.org/tcp/26656'),
    exchange: requireEndpoints(
      '--exchange',
      exchange,
      relayerSeats,
      EXCHANGE_ENDPOINT,
      'https://relayer.example.org:8601',
    ),
  };
};

type Held = {
  readonly entry: Omit<KeyPossession, 'organisation'>;
  readonly prove: (possession: KeyPossession) => Promise<string>;
};

const proverOf =
  (signer: Signer, opening: Opening) =>
  (possession: KeyPossession): Promise<string> =>
    signer.sign({
      kind: 'ceremony',
      domain: opening.domain,
      statement: { type: 'possession', ...possession },
    });

const takeSeat = async (
  keys: MemberKeys,
  opening: Opening,
  role: 'consensus' | 'relayer',
  seat: string,
  endpoints: { readonly p2p: string; readonly exchange: string },
): Promise<Held[]> => {
  const signer = await takeSigner(keys, seat);
  const { seed, peerId } = await takeNodeKey(keys, seat);
  const common = { seat, peerId, ...endpoints };
  return [
    { entry: { role, key: signer.address, ...common }, prove: proverOf(signer, opening) },
    {
      entry: { role: 'node', key: peerId, ...common },
      prove: (possession) => proveNodeKey(seed, opening.domain, possession),
    },
  ];
};

const takeKeys = async (
  keys: MemberKeys,
  opening: Opening,
  organisation: Organisation,
  endpoints: ReturnType<typeof checkEndpoints>,
): Promise<Held[]> => {
  const at = (seat: string) => ({
    p2p: endpoints.p2p.get(seat)!,
    exchange: endpoints.exchange.get(seat) ?? '',
  });
  const held: Held[] = [];
  for (const { name } of organisation.validators)
    held.push(...(await takeSeat(keys, opening, 'consensus', name, at(name))));
  for (const { name } of organisation.relayers)
    held.push(...(await takeSeat(keys, opening, 'relayer', name, at(name))));
  if (opening.plan.deployer === organisation.name) {
    const deployer = await takeSigner(keys, 'deployer');
    held.push({
      entry: {
        role: 'deployer',
        seat: 'deployer',
        key: deployer.address,
        peerId: '',
        p2p: '',
        exchange: '',
      },
      prove: proverOf(deployer, opening),
    });
  }
  return held;
};

/** Repeating the command with other endpoints would otherwise change nothing without a word. */
const requireSameEndpoints = (known: Enrolment, { p2p, exchange }: Endpoints, folder: string): Enrolment => {
  const isSame = ({ seat, endpoint }: SeatEndpoint, kind: 'p2p' | 'exchange'): boolean =>
    known.document.keys.some((key) => key.seat === seat && key[kind] === endpoint);
  if (p2p.every((given) => isSame(given, 'p2p')) && exchange.every((given) => isSame(given, 'exchange')))
    return known;
  throw new CliError('expected the endpoints that you enrolled for this opening before, found others', {
    code: 'ALREADY_ENROLLED',
    exitCode: EXIT.denied,
    hint: `To enrol anew, move the record of the first enrolment out of ${folder} and tell the coordinator which of both counts.`,
  });
};

/** A run that was interrupted may be repeated: keys that are there are taken, and what was signed is signed no second time. */
export const enrolMember = async (
  opening: Opening,
  name: string,
  keys: MemberKeys,
  given: Endpoints,
): Promise<Enrolment> => {
  const organisation = organisationOf(opening, name);
  const governance = await openGovernance(keys, organisation);
  const known = await recallSigned(keys.folder, opening.openHash, 'enrolment');
  if (known !== null) return requireSameEndpoints(await parseEnrolment(known, opening), given, keys.folder);
  const endpoints = checkEndpoints(organisation, given);
  const at = nowInstant();
  requireNotBefore('the clock of this machine', at, opening.document.at);
  const held = await takeKeys(keys, opening, organisation, endpoints);
  const enrolment = await createEnrolment(
    opening,
    { organisation: name, at, keys: held.map(({ entry }) => entry) },
    (possession) =>
      held
        .find(({ entry }) => entry.role === possession.role && entry.seat === possession.seat)!
        .prove(possession),
    (bodyHash) =>
      governance.sign({
        kind: 'ceremony',
        domain: opening.domain,
        statement: { type: 'enrolment', organisation: name, bodyHash },
      }),
  );
  await rememberSigned(keys.folder, opening.openHash, 'enrolment', writeEnrolment(enrolment));
  return enrolment;
};
