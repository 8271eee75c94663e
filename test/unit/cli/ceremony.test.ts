import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { loadGenesis } from '#genesis/genesisFile.ts';
import { loadConfig } from '#node/config.ts';
import {
  approveArguments,
  builtCeremony,
  type Ceremony,
  carry,
  copyOf,
  createMember,
  enrolArguments,
  NAMES,
  openedCeremony,
  sealedCeremony,
} from '#test/unit/cli/ceremonyMembers.ts';
import { runCommand, runJson } from '#test/unit/cli/runInProcess.ts';

let opened: Ceremony;
let built: Ceremony;
let sealed: Ceremony;
const copies: Ceremony[] = [];
beforeAll(async () => {
  opened = await openedCeremony();
  built = await builtCeremony();
  sealed = await sealedCeremony();
});
afterAll(async () => {
  for (const ceremony of [opened, built, sealed, ...copies]) await ceremony.remove();
});

const branch = async (ceremony: Ceremony): Promise<Ceremony> => {
  const copy = await copyOf(ceremony);
  copies.push(copy);
  return copy;
};
const wordsOf = async (folder: string): Promise<readonly string[]> =>
  (await runJson('ceremony', 'verify', '--folder', folder)).words;
const enrolmentIn = (folder: string, name: string) => join(folder, 'enrolments', `${name}.json`);
const edit = async (path: string, from: string | RegExp, to: string): Promise<void> => {
  const text = await readFile(path, 'utf8');
  const edited = text.replace(from, to);
  expect(edited).not.toBe(text);
  await writeFile(path, edited);
};

describe('a dishonest coordinator', () => {
  test('who names its own key as the governance key of a member is found out by that member', async () => {
    const { root, members } = await branch(opened);
    const [coordinator, bolt] = members;
    const mallory = await createMember(root, 'mallory');
    const { address } = await runJson(
      ...['key', 'new', '--kind', 'signing', '--out', join(mallory.keys, 'governance.json')],
      ...['--passphrase-file', mallory.passphraseFile, '--light'],
    );
    const plan = JSON.parse(await readFile(join(coordinator.folder, 'open.json'), 'utf8')).plan;
    plan.organisations[1].governanceKey = address;
    await writeFile(join(root, 'plan2.json'), JSON.stringify(plan));
    await rm(bolt!.folder, { recursive: true });
    await runJson('ceremony', 'open', '--plan', join(root, 'plan2.json'), '--folder', bolt!.folder);
    expect(await runJson(...enrolArguments(bolt!))).toMatchObject({
      code: 5,
      error: { code: 'WRONG_KEY', message: expect.stringMatching(/names somebody else for you/) },
    });
    expect(await readdir(bolt!.folder)).toEqual(['open.json']);
  });

  test('who gave members different openings cannot collect what they signed', async () => {
    const { root, members } = await branch(opened);
    const [coordinator, bolt] = members;
    const plan = JSON.parse(await readFile(join(coordinator.folder, 'open.json'), 'utf8')).plan;
    await writeFile(join(root, 'plan2.json'), JSON.stringify({ ...plan, relayerThreshold: '3' }));
    await rm(bolt!.folder, { recursive: true });
    await runJson('ceremony', 'open', '--plan', join(root, 'plan2.json'), '--folder', bolt!.folder);
    expect(await runJson(...enrolArguments(bolt!))).toMatchObject({ code: 0 });
    const file = enrolmentIn(bolt!.folder, 'bolt');
    expect(await runJson('ceremony', 'collect', '--folder', coordinator.folder, '--in', file)).toMatchObject({
      code: 5,
      error: { code: 'OTHER_CEREMONY', message: expect.stringMatching(/compare the words of the opening/) },
    });
  });

  test('who builds with an older enrolment of a member is found out when that member approves', async () => {
    const { members } = await branch(opened);
    const [coordinator, ...others] = members;
    const [bolt] = others;
    for (const member of members) expect(await runJson(...enrolArguments(member))).toMatchObject({ code: 0 });
    await carry(enrolmentIn(bolt!.folder, 'bolt'), `${coordinator.folder}-old.json`);
    // bolt loses a disk, makes new keys under the same governance key, and enrols again
    for (const file of await readdir(bolt!.keys))
      if (file !== 'governance.json') await rm(join(bolt!.keys, file));
    await rm(enrolmentIn(bolt!.folder, 'bolt'));
    expect(await runJson(...enrolArguments(bolt!))).toMatchObject({ code: 0 });
    const inputs = others.slice(1).flatMap(({ name, folder }) => ['--in', enrolmentIn(folder, name)]);
    expect(
      await runJson(
        ...['ceremony', 'collect', '--folder', coordinator.folder],
        ...[...inputs, '--in', `${coordinator.folder}-old.json`],
      ),
    ).toMatchObject({ code: 0, stage: 'building' });
    await runJson('ceremony', 'build', '--folder', coordinator.folder);
    await rm(bolt!.folder, { recursive: true });
    await carry(coordinator.folder, bolt!.folder);
    expect(await runJson(...approveArguments(bolt!, await wordsOf(bolt!.folder)))).toMatchObject({
      code: 5,
      error: { code: 'CONFLICT', message: expect.stringMatching(/somebody replaced it, do not approve/) },
    });
  });

  test('who brings both enrolments of a member has to choose before anything is built', async () => {
    const { members } = await branch(built);
    const [coordinator, bolt] = members;
    const text = await readFile(enrolmentIn(bolt!.folder, 'bolt'), 'utf8');
    for (const file of await readdir(bolt!.keys))
      if (file.startsWith('signed-')) await rm(join(bolt!.keys, file));
    await rm(enrolmentIn(bolt!.folder, 'bolt'));
    const anew = enrolArguments(bolt!).map((argument) => argument.replace('/26656', '/26999'));
    expect(await runJson(...anew)).toMatchObject({ code: 0 });
    const second = enrolmentIn(bolt!.folder, 'bolt');
    expect(await readFile(second, 'utf8')).not.toBe(text);
    expect(
      await runJson('ceremony', 'collect', '--folder', coordinator.folder, '--in', second),
    ).toMatchObject({ code: 5, error: { code: 'CONFLICT' } });
  });

  test('who edits a draft is contradicted by everyone, in words', async () => {
    const { members } = await branch(built);
    const [, bolt] = members;
    await edit(join(bolt!.folder, 'draft.json'), '"amountWei":"1500000000000000000"', '"amountWei":"9"');
    const ran = await runCommand('ceremony', 'verify', '--folder', bolt!.folder);
    expect(ran.code).toBe(5);
    expect(ran.stderr).toMatch(
      /balance 0x9999\w+, amountWei: the draft says 9, rebuilt it is 1500000000000000000/,
    );
    expect(await runJson(...approveArguments(bolt!, NAMES))).toMatchObject({
      code: 5,
      error: { code: 'DIFFERENT' },
    });
  });

  test('who builds again with another plan gets no second approval', async () => {
    const { root, members } = await branch(sealed);
    const [, bolt] = members;
    const record = (await readdir(bolt!.keys)).find((file) => file.endsWith('-approval.json'))!;
    // the same opening with one enrolment signed anew: another draft of the same ceremony
    await edit(join(bolt!.keys, record), /"draftHash":"0x.{8}/, '"draftHash":"0x00000000');
    await rm(join(bolt!.folder, 'approvals'), { recursive: true });
    expect(await runJson(...approveArguments(bolt!, await wordsOf(bolt!.folder)))).toMatchObject({
      code: 6,
      error: { code: 'ALREADY_APPROVED', hint: expect.stringMatching(/open a new ceremony/) },
    });
    expect(await readdir(join(root, 'bolt', 'ceremony'))).not.toContain('approvals');
  });

  test('cannot seal without all approvals, and nothing is written', async () => {
    const { members } = await branch(sealed);
    const [coordinator] = members;
    for (const file of ['transcript.jsonl', 'genesis.json', 'approvals/dune.json'])
      await rm(join(coordinator.folder, file));
    const before = await readdir(coordinator.folder, { recursive: true });
    expect(await runJson('ceremony', 'seal', '--folder', coordinator.folder)).toMatchObject({
      code: 5,
      error: { code: 'MISSING', message: expect.stringMatching(/none of dune/) },
    });
    expect(await readdir(coordinator.folder, { recursive: true })).toEqual(before);
  });

  test('cannot hand over another genesis than the sealed one', async () => {
    const { root, members } = await branch(sealed);
    const other = await branch(await sealedWith({ timestamp: '1700000001' }));
    const transcript = join(members[0].folder, 'transcript.jsonl');
    const foreign = join(other.members[0].folder, 'genesis.json');
    expect(await runJson('ceremony', 'audit', transcript, '--genesis', foreign)).toMatchObject({
      code: 5,
      error: { code: 'MISMATCH' },
    });
    expect(
      await runJson('ceremony', 'audit', transcript, '--genesis', join(members[0].folder, 'genesis.json')),
    ).toMatchObject({ code: 0 });
    expect(await readdir(root)).not.toContain('report');
  });
});

const sealedWith = async (changes: object): Promise<Ceremony> => {
  const ceremony = await sealedCeremony(changes);
  copies.push(ceremony);
  return ceremony;
};

describe('mistakes leave nothing half done', () => {
  test('of several files that are collected, one that is bad keeps all others out', async () => {
    const { members } = await branch(opened);
    const [coordinator, bolt, coda] = members;
    for (const member of [bolt!, coda!]) expect((await runJson(...enrolArguments(member))).code).toBe(0);
    await edit(enrolmentIn(coda!.folder, 'coda'), 'coda.example.org', 'evil.example.org');
    const inputs = [bolt!, coda!].flatMap(({ name, folder }) => ['--in', enrolmentIn(folder, name)]);
    expect(await runJson('ceremony', 'collect', '--folder', coordinator.folder, ...inputs)).toMatchObject({
      code: 5,
      error: { code: 'BAD_SIGNATURE', message: expect.stringContaining('coda.json') },
    });
    expect(await readdir(coordinator.folder)).toEqual(['open.json']);
  });

  test('a wrong word, too few words, or a wrong pass phrase approve nothing', async () => {
    const { members } = await branch(built);
    const [coordinator] = members;
    const words = await wordsOf(coordinator.folder);
    const wrong = [...words];
    wrong[5] = wrong[5] === 'zoo' ? 'zone' : 'zoo';
    expect(await runJson(...approveArguments(coordinator, wrong))).toMatchObject({
      code: 6,
      error: { code: 'WRONG_WORDS', message: expect.stringMatching(/place 6/) },
    });
    expect(await runJson(...approveArguments(coordinator, words.slice(0, 11)))).toMatchObject({
      code: 6,
      error: { code: 'WRONG_WORDS' },
    });
    await writeFile(coordinator.passphraseFile, 'another\n');
    expect(await runJson(...approveArguments(coordinator, words))).toMatchObject({
      code: 6,
      error: { code: 'WRONG_PASSPHRASE' },
    });
    expect(await readdir(coordinator.folder)).not.toContain('approvals');
    expect((await readdir(coordinator.keys)).filter((file) => file.endsWith('approval.json'))).toEqual([]);
  });

  test('keys inside the folder that travels are refused', async () => {
    const { members } = await branch(opened);
    const [coordinator] = members;
    for (const keys of [coordinator.folder, join(coordinator.folder, 'keys')])
      expect(await runJson(...enrolArguments({ ...coordinator, keys }))).toMatchObject({
        code: 3,
        error: { code: 'KEYS_IN_CEREMONY' },
      });
  });

  test.each([
    ['no endpoint', []],
    [
      'an endpoint of another',
      ['--p2p', 'bolt-validator=/ip4/1.2.3.4/tcp/1', '--p2p', 'x=/ip4/1.2.3.4/tcp/1'],
    ],
    ['no multiaddress', ['--p2p', 'dune-validator=node.example.org:26656']],
    [
      'a relayer’s endpoint',
      ['--p2p', 'dune-validator=/ip4/1.2.3.4/tcp/1', '--exchange', 'dune-validator=https://x'],
    ],
  ])('endpoints: %s ends with code 2 and no key is made', async (_, endpoints) => {
    const { members } = await branch(opened);
    const dune = members[3]!;
    const base = enrolArguments(dune).filter((argument) => !/^(--p2p|dune-validator=)/.test(argument));
    expect(await runJson(...base, ...endpoints)).toMatchObject({ code: 2, error: { code: 'BAD_ENDPOINTS' } });
    expect(await readdir(dune.keys)).toEqual(['governance.json']);
  });

  test('an enrolment that was interrupted goes on with the keys that are there', async () => {
    const { members } = await branch(opened);
    const acme = members[0];
    const first = await runJson(...enrolArguments(acme));
    const keys = await readdir(acme.keys);
    for (const file of keys) if (/^signed-|deployer|relayer-node/.test(file)) await rm(join(acme.keys, file));
    await rm(join(acme.folder, 'enrolments'), { recursive: true });
    const second = await runJson(...enrolArguments(acme));
    expect(second.code).toBe(0);
    const keyOf = (ran: typeof first, at: number) => ran.keys[at].key;
    expect([0, 1, 2].map((at) => keyOf(second, at))).toEqual([0, 1, 2].map((at) => keyOf(first, at)));
    expect(keyOf(second, 4)).not.toBe(keyOf(first, 4));
  });

  test('repeated, every step says the same and changes nothing; with other endpoints it is refused', async () => {
    const { members } = await branch(sealed);
    const [coordinator, bolt] = members;
    const bytesOf = async (folder: string) =>
      Promise.all(
        (await readdir(folder, { recursive: true, withFileTypes: true }))
          .filter((entry) => entry.isFile())
          .map(async (entry) => [entry.name, await readFile(join(entry.parentPath, entry.name), 'utf8')]),
      );
    const before = [await bytesOf(coordinator.folder), await bytesOf(bolt!.keys)];
    const words = await wordsOf(coordinator.folder);
    await carry(coordinator.folder, bolt!.folder);
    for (const argv of [
      enrolArguments(bolt!),
      approveArguments(bolt!, words),
      ['ceremony', 'collect', '--folder', coordinator.folder, '--in', enrolmentIn(bolt!.folder, 'bolt')],
      ['ceremony', 'build', '--folder', coordinator.folder],
      ['ceremony', 'seal', '--folder', coordinator.folder],
    ])
      expect([argv[1], (await runJson(...argv)).code]).toEqual([argv[1], 0]);
    expect([await bytesOf(coordinator.folder), await bytesOf(bolt!.keys)]).toEqual(before);
    const other = enrolArguments(bolt!).map((argument) => argument.replace('/26656', '/26999'));
    expect(await runJson(...other)).toMatchObject({ code: 6, error: { code: 'ALREADY_ENROLLED' } });
  });

  test('a second opening, a stray file, a file under another name, a cut draft: each is named', async () => {
    const { root, members } = await branch(built);
    const [coordinator] = members;
    const plan = join(root, 'plan.json');
    expect(await runJson('ceremony', 'open', '--plan', plan, '--folder', coordinator.folder)).toMatchObject({
      code: 3,
      error: { code: 'EXISTS' },
    });
    const status = () => runJson('ceremony', 'status', '--folder', coordinator.folder);
    const stray = join(coordinator.folder, 'enrolments', 'mallory.json');
    await writeFile(stray, '{}');
    expect(await status()).toMatchObject({ code: 5, error: { code: 'NOT_ON_ROSTER' } });
    await rm(stray);
    const [echo, dune] = ['echo', 'dune'].map((name) => enrolmentIn(coordinator.folder, name));
    const text = await readFile(echo!, 'utf8');
    await writeFile(echo!, await readFile(dune!));
    expect(await status()).toMatchObject({ code: 5, error: { code: 'CONFLICT' } });
    await writeFile(echo!, text);
    await edit(join(coordinator.folder, 'draft.json'), /.{30}\n$/s, '');
    expect(await status()).toMatchObject({ code: 5, error: { code: 'BAD_DOCUMENT' } });
  });

  test('a plan that breaks a rule opens nothing', async () => {
    const { root, members } = await branch(opened);
    const folder = join(root, 'other');
    const plan = JSON.parse(await readFile(join(members[0].folder, 'open.json'), 'utf8')).plan;
    const path = join(root, 'bad.json');
    for (const changes of [{ relayerThreshold: '1' }, { organisations: plan.organisations.slice(0, 3) }]) {
      await writeFile(path, JSON.stringify({ ...plan, ...changes }));
      expect(await runJson('ceremony', 'open', '--plan', path, '--folder', folder)).toMatchObject({
        code: 3,
        error: { code: 'BAD_PLAN' },
      });
    }
    expect(await readdir(root)).not.toContain('other');
  });

  test('a clock that stands before the opening is refused before a key signs', async () => {
    const { members } = await branch(opened);
    const [coordinator] = members;
    await edit(join(coordinator.folder, 'open.json'), /"at":"\d{4}/, '"at":"9026');
    expect(await runJson(...enrolArguments(coordinator))).toMatchObject({
      code: 5,
      error: { code: 'CLOCK' },
    });
    expect(await readdir(coordinator.keys)).toEqual(['governance.json']);
  });
});

test('status says at each step who is missing and what comes next', async () => {
  const at = async ({ members }: Ceremony) => runJson('ceremony', 'status', '--folder', members[0].folder);
  expect(await at(opened)).toMatchObject({ stage: 'enrolling', missingEnrolments: [...NAMES] });
  expect(await at(built)).toMatchObject({ stage: 'approving', missingApprovals: [...NAMES] });
  expect(await at(sealed)).toMatchObject({ stage: 'sealed', missingApprovals: [] });
  const { members } = await branch(sealed);
  await rm(join(members[0].folder, 'approvals/coda.json'));
  await rm(join(members[0].folder, 'transcript.jsonl'));
  expect(await at({ ...sealed, members })).toMatchObject({ stage: 'approving', missingApprovals: ['coda'] });
});

test('the sealed genesis is one that a node loads, and every member audits the transcript to the same hash', async () => {
  const [coordinator, ...others] = sealed.members;
  const transcript = join(coordinator.folder, 'transcript.jsonl');
  const genesis = await loadGenesis(join(coordinator.folder, 'genesis.json'));
  const audits = await Promise.all(
    others.map(async ({ folder }) => {
      const own = join(folder, 'received.jsonl');
      await carry(transcript, own);
      return runJson('ceremony', 'audit', own);
    }),
  );
  for (const audit of audits)
    expect(audit).toMatchObject({
      code: 0,
      genesisHash: genesis.genesisHash,
      transcriptHash: audits[0]!.transcriptHash,
      approved: [...NAMES],
    });
});

test('the report is written beside nothing else, in text and HTML', async () => {
  const { root, members } = await branch(sealed);
  const out = join(root, 'minutes');
  await mkdir(out);
  const transcript = join(members[0].folder, 'transcript.jsonl');
  expect((await runCommand('ceremony', 'audit', transcript, '--report', out)).code).toBe(0);
  expect((await readdir(out)).sort()).toEqual(['report.html', 'report.txt']);
});

describe('from the transcript alone', () => {
  const initArguments = (ceremony: Ceremony, seat: string, owner: number, out: string): string[] => [
    ...['init', '--transcript', join(ceremony.members[0].folder, 'transcript.jsonl'), '--seat', seat],
    ...['--keys', ceremony.members[owner]!.keys, '--out', out, '--l1-url', 'http://127.0.0.1:9545'],
  ];

  test('a validator and a relayer are prepared, with everybody else’s endpoints', async () => {
    const ceremony = await branch(sealed);
    const out = join(ceremony.root, 'validator');
    expect(
      await runJson(...initArguments(ceremony, 'dune-validator', 3, out), '--rpc-port', '8545'),
    ).toMatchObject({
      code: 0,
      role: 'validator',
      organisation: 'dune',
    });
    const config = await loadConfig(join(out, 'node.toml'));
    expect(config).toMatchObject({
      name: 'dune-validator',
      keys: { consensus: join(ceremony.members[3]!.keys, 'dune-validator.json'), relayer: null },
      p2p: { listen: '/ip4/0.0.0.0/tcp/26656' },
      rpc: { host: '127.0.0.1', port: 8545 },
      relayer: null,
    });
    expect(config.p2p.peers).toHaveLength(7);
    expect(config.p2p.peers).toContainEqual({
      peerId: expect.stringMatching(/^12D3KooW/),
      address: '/dns4/relay.bolt.example.org/tcp/26657',
    });
    const genesis = await loadGenesis(config.genesisPath);
    expect(genesis.spec.validators.map(({ name }) => name).sort()).toEqual(
      NAMES.map((name) => `${name}-validator`),
    );

    const relayerOut = join(ceremony.root, 'relayer');
    expect((await runJson(...initArguments(ceremony, 'bolt-relayer', 1, relayerOut))).code).toBe(0);
    const relayer = await loadConfig(join(relayerOut, 'node.toml'));
    expect(relayer.relayer?.exchangeListen).toEqual({ host: '0.0.0.0', port: 8601 });
    expect(relayer.relayer?.peers.map(({ url }) => url)).toEqual([
      'https://relay.acme.example.org:8601',
      'https://relay.coda.example.org:8601',
    ]);
    expect(genesis.spec.relayers.map(({ address }) => address)).toEqual(
      expect.arrayContaining(relayer.relayer!.peers.map(({ address }) => address)),
    );
  });

  test('the keys of another member, another seat, or a tampered transcript prepare nothing', async () => {
    const ceremony = await branch(sealed);
    const out = join(ceremony.root, 'node');
    const transcript = join(ceremony.members[0].folder, 'transcript.jsonl');
    await carry(
      join(ceremony.members[2]!.keys, 'coda-validator.json'),
      join(ceremony.members[3]!.keys, 'coda-validator.json'),
    );
    await carry(
      join(ceremony.members[3]!.keys, 'dune-validator-node.json'),
      join(ceremony.members[3]!.keys, 'coda-validator-node.json'),
    );
    expect(await runJson(...initArguments(ceremony, 'coda-validator', 3, out))).toMatchObject({
      code: 5,
      error: { code: 'WRONG_KEY', message: expect.stringMatching(/coda-validator-node\.json/) },
    });
    expect(await runJson(...initArguments(ceremony, 'mallory-validator', 3, out))).toMatchObject({
      code: 2,
      error: { code: 'NO_SEAT', hint: expect.stringMatching(/acme-validator, acme-relayer/) },
    });
    await edit(transcript, 'dune.example.org', 'evil.example.org');
    expect(await runJson(...initArguments(ceremony, 'dune-validator', 3, out))).toMatchObject({
      code: 5,
      error: { code: 'CHAIN_BROKEN' },
    });
    expect(await readdir(ceremony.root)).not.toContain('node');
  });

  test('a folder that holds another network is not overwritten', async () => {
    const ceremony = await branch(sealed);
    const other = await branch(await sealedWith({ timestamp: '1700000002' }));
    const out = join(ceremony.root, 'node');
    expect((await runJson(...initArguments(ceremony, 'dune-validator', 3, out))).code).toBe(0);
    expect((await runJson(...initArguments(ceremony, 'dune-validator', 3, out))).code).toBe(0);
    expect(await runJson(...initArguments(other, 'dune-validator', 3, out))).toMatchObject({
      code: 3,
      error: { code: 'EXISTS' },
    });
  });

  test('bridge deploy takes a transcript or a genesis, not both and not a tampered one', async () => {
    const ceremony = await branch(sealed);
    const [acme] = ceremony.members;
    const transcript = join(acme.folder, 'transcript.jsonl');
    const deploy = (...sources: string[]) =>
      runJson(
        ...['bridge', 'deploy', ...sources, '--l1-url', 'http://127.0.0.1:1'],
        ...['--key', join(acme.keys, 'deployer.json'), '--passphrase-file', acme.passphraseFile],
      );
    for (const sources of [[], ['--transcript', transcript, '--genesis', join(acme.folder, 'genesis.json')]])
      expect(await deploy(...sources)).toMatchObject({ code: 2 });
    await edit(transcript, '"kind":"seal"', '"kind":"open"');
    expect(await deploy('--transcript', transcript)).toMatchObject({ code: 5 });
  });
});
