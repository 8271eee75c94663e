/** `causeway ceremony enrol`: a member makes or takes its keys, offline, and proves that it holds each. */
import { folderOption, keysOption, organisationOption, parseSeatEndpoint } from '#cli/ceremony/options.ts';
import { defineCommand } from '#cli/command.ts';
import { passphraseFdOption, passphraseFileOption, repeatedOption, switchOption } from '#cli/options.ts';
import { obtainPassphrase } from '#cli/passphrase.ts';

export const ceremonyEnrol = defineCommand({
  path: ['ceremony', 'enrol'],
  summary: 'make or take your keys and prove that you hold them',
  description:
    'Needs no network. Takes the keys of your seats from your folder of keys, makes those that are missing, and writes enrolments/ORGANISATION.json: public keys, endpoints, and a proof by every key. Private keys stay where they are. It refuses an opening that names another governance key for you. It may be repeated: the same keys and the same file come out.',
  examples: [
    'ceremony enrol --folder ceremony --organisation acme --keys keys --p2p acme-validator=/dns4/node.acme.example/tcp/26656',
    'ceremony enrol --folder ceremony --organisation acme --keys keys --p2p acme-relayer=/dns4/relay.acme.example/tcp/26656 --exchange acme-relayer=https://relay.acme.example',
  ],
  options: {
    folder: folderOption,
    organisation: organisationOption,
    keys: keysOption,
    p2p: repeatedOption(
      '--p2p <seat=multiaddress>',
      'where the node of this seat is dialled; once a seat',
      parseSeatEndpoint,
    ),
    exchange: repeatedOption(
      '--exchange <seat=url>',
      'where the relayer of this seat serves signatures; once a relayer',
      parseSeatEndpoint,
    ),
    passphraseFile: passphraseFileOption,
    passphraseFd: passphraseFdOption,
    light: switchOption(
      '--light',
      'cheap key derivation, for tests and devnets whose pass phrase lies beside the key',
    ),
  },
  run: async ({ folder, organisation, keys, p2p = [], exchange = [], light, ...sources }, io) => {
    const { ceremonyFiles, readOpening, writeOnce } = await import('#cli/ceremony/folder.ts');
    const { enrolMember } = await import('#cli/ceremony/enrol.ts');
    const { requireKeysApart } = await import('#cli/ceremony/memberKeys.ts');
    const { writeEnrolment } = await import('#genesis/ceremony/enrolment.ts');
    const { organisationOf } = await import('#genesis/ceremony/open.ts');
    const { describeEnrolments, describeOpening, sectionsToText, wordsSection } = await import(
      '#genesis/ceremony/summary.ts'
    );
    const { LIGHT_COST, STANDARD_COST } = await import('#node/keys/keystore.ts');
    const files = ceremonyFiles(folder);
    requireKeysApart(keys, files);
    const opening = await readOpening(files);
    organisationOf(opening, organisation);
    const passphrase = await obtainPassphrase(sources, io, { repeat: true });
    const enrolment = await enrolMember(
      opening,
      organisation,
      { folder: keys, passphrase, cost: light ? LIGHT_COST : STANDARD_COST },
      { p2p, exchange },
    );
    const file = files.enrolment(organisation);
    await writeOnce(file, writeEnrolment(enrolment));
    return {
      data: {
        file,
        organisation,
        openHash: opening.openHash,
        enrolmentHash: enrolment.enrolmentHash,
        keys: enrolment.document.keys.map(({ proof: _, ...key }) => key),
      },
      text: [
        sectionsToText([...describeOpening(opening), describeEnrolments([enrolment])]),
        wordsSection('Words of the opening: compare them with another member', opening.openHash),
        `Give ${file} to the coordinator. Your keys stay in ${keys}.`,
      ].join('\n\n'),
    };
  },
});
