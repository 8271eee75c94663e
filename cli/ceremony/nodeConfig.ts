/**
 * From a sealed ceremony to one seat's configuration: genesis, keys, and where everybody else is.
 *
 * What a sealed ceremony cannot know is asked for (L1 endpoints) or has a default that can be edited (ports, intervals).
 */
import type { EnrolledKey } from '#genesis/ceremony/enrolment.ts';
import type { SealedCeremony } from '#genesis/ceremony/transcript.ts';

export type SeatRole = 'validator' | 'relayer';

export type Seat = {
  readonly name: string;
  readonly organisation: string;
  readonly role: SeatRole;
  /** The consensus or relayer key. */
  readonly key: EnrolledKey;
};

/** All seats in the order of the roster. */
export const seatsOf = ({ draft }: SealedCeremony): readonly Seat[] =>
  draft.enrolments.flatMap(({ organisation, document }) =>
    document.keys.flatMap((key): Seat[] =>
      key.role === 'consensus' || key.role === 'relayer'
        ? [
            {
              name: key.seat,
              organisation,
              role: key.role === 'consensus' ? 'validator' : 'relayer',
              key,
            },
          ]
        : [],
    ),
  );

export type ConfigInput = {
  readonly seat: Seat;
  readonly seats: readonly Seat[];
  readonly genesisHash: string;
  readonly keysFolder: string;
  readonly l1Urls: readonly string[];
  readonly passphraseFile: string | undefined;
  readonly rpcPort: number | undefined;
};

/** The port of an endpoint such as `/dns4/x/tcp/26656`. */
const tcpPort = (multiaddress: string): string => multiaddress.slice(multiaddress.lastIndexOf('/') + 1);

const urlPort = (url: string): string => {
  const { port, protocol } = new URL(url);
  return port !== '' ? port : protocol === 'https:' ? '443' : '80';
};

const text = (value: string): string => JSON.stringify(value);

const relayerSection = ({ seat, seats }: ConfigInput): string[] =>
  seat.role !== 'relayer'
    ? []
    : [
        '[relayer]',
        '# Where it listens; the enrolled URL leads here, through a proxy with TLS if it is https.',
        `exchange_listen = "0.0.0.0:${urlPort(seat.key.exchange)}"`,
        ...seats
          .filter(({ role, name }) => role === 'relayer' && name !== seat.name)
          .flatMap(({ name, key }) => [
            `[[relayer.peers]] # ${name}`,
            `address = ${text(key.key)}`,
            `url = ${text(key.exchange)}`,
          ]),
        '',
      ];

/** TOML, as node/config.ts reads it. */
export const writeSeatConfig = (input: ConfigInput): string => {
  const { seat, seats, genesisHash, keysFolder, l1Urls, passphraseFile, rpcPort } = input;
  const role = seat.role === 'validator' ? 'consensus' : 'relayer';
  return [
    `# ${seat.name} of ${seat.organisation}, from the sealed ceremony with genesis ${genesisHash}.`,
    `# Run it with: causeway ${seat.role === 'validator' ? 'node' : 'relayer'} run --config node.toml`,
    `name = ${text(seat.name)}`,
    'genesis = "genesis.json"',
    'data_dir = "data"',
    '',
    '[keys]',
    `node = ${text(`${keysFolder}/${seat.name}-node.json`)}`,
    `${role} = ${text(`${keysFolder}/${seat.name}.json`)}`,
    ...(passphraseFile === undefined ? [] : [`passphrase_file = ${text(passphraseFile)}`]),
    '',
    '[p2p]',
    `listen = "/ip4/0.0.0.0/tcp/${tcpPort(seat.key.p2p)}"`,
    ...seats
      .filter(({ name }) => name !== seat.name)
      .flatMap(({ name, key }) => [
        `[[p2p.peers]] # ${name}`,
        `peer_id = ${text(key.peerId)}`,
        `address = ${text(key.p2p)}`,
      ]),
    '',
    ...(rpcPort === undefined ? [] : ['[rpc]', 'host = "127.0.0.1"', `port = ${rpcPort}`, '']),
    '[l1]',
    ...(l1Urls.length < 2 ? ['# Production reads at least two endpoints of independent operators.'] : []),
    `urls = [${l1Urls.map(text).join(', ')}]`,
    '',
    ...relayerSection(input),
    '[log]',
    'level = "info"',
    '',
  ].join('\n');
};
