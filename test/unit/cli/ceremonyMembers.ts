/** Members of a ceremony, each with folders of its own; files go from one to another only by `carry`. */
import { cp, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { runJson } from '#test/unit/cli/runInProcess.ts';

export type Member = {
  readonly name: string;
  /** Its own copy of the public files. */
  readonly folder: string;
  readonly keys: string;
  readonly passphraseFile: string;
};

export const NAMES = ['acme', 'bolt', 'coda', 'dune', 'echo'] as const;
/** Three of five also relay; the first deploys. */
const RELAYING = new Set<string>(['acme', 'bolt', 'coda']);

export const planOf = (governance: ReadonlyMap<string, string>, changes: object = {}): object => ({
  name: 'consortium',
  chainId: '42424',
  l1ChainId: '31337',
  timestamp: '1700000000',
  epochLength: '100',
  blockGasLimit: '30000000',
  importGas: '15000000',
  feePolicy: { mode: 'fixed', baseFeeWei: '1000000000' },
  fewValidators: 'no',
  relayerThreshold: '2',
  organisations: [...governance].map(([name, governanceKey]) => ({
    name,
    governanceKey,
    validators: [{ name: `${name}-validator`, power: '1' }],
    relayers: RELAYING.has(name) ? [{ name: `${name}-relayer` }] : [],
  })),
  deployer: 'acme',
  balances: [
    { address: '0x8888888888888888888888888888888888888888', amountWei: '100000000000000000000' },
    { address: '0x9999999999999999999999999999999999999999', amountWei: '1500000000000000000' },
  ],
  ...changes,
});

const memberAt = (root: string, name: string): Member => {
  const home = join(root, name);
  return {
    name,
    folder: join(home, 'ceremony'),
    keys: join(home, 'keys'),
    passphraseFile: join(home, 'passphrase'),
  };
};

export const createMember = async (root: string, name: string): Promise<Member> => {
  const member = memberAt(root, name);
  await mkdir(member.keys, { recursive: true });
  await writeFile(member.passphraseFile, `pass phrase of ${name}\n`, { mode: 0o600 });
  return member;
};

/** @returns the address */
export const createGovernanceKey = async ({ keys, passphraseFile }: Member): Promise<string> => {
  const out = join(keys, 'governance.json');
  const made = await runJson(
    ...['key', 'new', '--kind', 'signing', '--out', out, '--passphrase-file', passphraseFile, '--light'],
  );
  return made.address;
};

export const enrolArguments = ({ name, folder, keys, passphraseFile }: Member): string[] => [
  ...['ceremony', 'enrol', '--folder', folder, '--organisation', name, '--keys', keys],
  ...['--p2p', `${name}-validator=/dns4/${name}.example.org/tcp/26656`],
  ...(RELAYING.has(name)
    ? [
        ...['--p2p', `${name}-relayer=/dns4/relay.${name}.example.org/tcp/26657`],
        ...['--exchange', `${name}-relayer=https://relay.${name}.example.org:8601`],
      ]
    : []),
  ...['--passphrase-file', passphraseFile, '--light'],
];

export const approveArguments = (
  { name, folder, keys, passphraseFile }: Member,
  words: readonly string[],
): string[] => [
  ...['ceremony', 'approve', '--folder', folder, '--organisation', name, '--keys', keys],
  ...['--words', words.slice(0, 12).join(' '), '--passphrase-file', passphraseFile],
];

/** What a courier does: copies a file or folder of one member to another. */
export const carry = async (from: string, to: string): Promise<void> => {
  await cp(from, to, { recursive: true });
};

export type Ceremony = {
  readonly root: string;
  /** The first is also the coordinator. */
  readonly members: readonly [Member, ...Member[]];
  remove(): Promise<void>;
};

const ceremonyAt = (root: string, names: readonly string[]): Ceremony => {
  const members = names.map((name) => memberAt(root, name));
  return {
    root,
    members: members as [Member, ...Member[]],
    remove: () => rm(root, { recursive: true, force: true }),
  };
};

/** A copy in which a test may do what it likes. */
export const copyOf = async ({ root, members }: Ceremony): Promise<Ceremony> => {
  const copy = await mkdtemp(join(tmpdir(), 'causeway-ceremony-'));
  await cp(root, copy, { recursive: true });
  return ceremonyAt(
    copy,
    members.map(({ name }) => name),
  );
};

const must = async (...argv: string[]) => {
  const ran = await runJson(...argv);
  if (ran.code !== 0) throw new Error(`${argv.slice(0, 2).join(' ')}: ${JSON.stringify(ran)}`);
  return ran;
};

/** A folder of the test's own, with members that have governance keys, and the opening at each. */
export const openedCeremony = async (
  changes: object = {},
  names: readonly string[] = NAMES,
): Promise<Ceremony> => {
  const root = await mkdtemp(join(tmpdir(), 'causeway-ceremony-'));
  const members = await Promise.all(names.map((name) => createMember(root, name)));
  const governance = new Map<string, string>();
  for (const member of members) governance.set(member.name, await createGovernanceKey(member));
  const plan = join(root, 'plan.json');
  await writeFile(plan, JSON.stringify(planOf(governance, changes), null, 2));
  const [coordinator, ...others] = members as [Member, ...Member[]];
  await must('ceremony', 'open', '--plan', plan, '--folder', coordinator.folder);
  for (const { folder } of others) await carry(coordinator.folder, folder);
  return ceremonyAt(root, names);
};

/** Everyone enrols at home; the coordinator collects, builds, and everyone has the draft. */
export const builtCeremony = async (changes: object = {}): Promise<Ceremony> => {
  const ceremony = await openedCeremony(changes);
  const [coordinator, ...others] = ceremony.members;
  for (const member of ceremony.members) await must(...enrolArguments(member));
  await must(
    ...['ceremony', 'collect', '--folder', coordinator.folder],
    ...others.flatMap(({ name, folder }) => ['--in', join(folder, 'enrolments', `${name}.json`)]),
  );
  await must('ceremony', 'build', '--folder', coordinator.folder);
  for (const { folder } of others) await carry(coordinator.folder, folder);
  return ceremony;
};

/** Everyone verifies and approves at home; the coordinator collects and seals. */
export const sealedCeremony = async (changes: object = {}): Promise<Ceremony> => {
  const ceremony = await builtCeremony(changes);
  const [coordinator, ...others] = ceremony.members;
  const { words } = await must('ceremony', 'verify', '--folder', coordinator.folder);
  for (const member of ceremony.members) {
    await must('ceremony', 'verify', '--folder', member.folder);
    await must(...approveArguments(member, words));
  }
  await must(
    ...['ceremony', 'collect', '--folder', coordinator.folder],
    ...others.flatMap(({ name, folder }) => ['--in', join(folder, 'approvals', `${name}.json`)]),
  );
  await must('ceremony', 'seal', '--folder', coordinator.folder);
  return ceremony;
};
