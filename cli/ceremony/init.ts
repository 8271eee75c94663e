/**
 * Prepares one seat on its own machine from the sealed transcript and the keys that lie there.
 *
 * Everything is judged before the first file is written: the transcript, the seat, that the keys are the enrolled ones,
 * that the configuration is one.
 */
import { join } from 'node:path';
import { writeOnce } from '#cli/ceremony/folder.ts';
import { type Seat, seatsOf, writeSeatConfig } from '#cli/ceremony/nodeConfig.ts';
import { loadSealed } from '#cli/ceremony/sealed.ts';
import { CliError, EXIT } from '#cli/errors.ts';
import { CeremonyError } from '#genesis/ceremony/errors.ts';
import { serialiseGenesis } from '#genesis/genesisFile.ts';
import { parseConfig } from '#node/config.ts';
import { readKeyName } from '#node/keys/keyFile.ts';

export type InitOptions = {
  readonly transcript: string;
  readonly seat: string;
  readonly keys: string;
  readonly out: string;
  readonly l1Urls: readonly string[];
  readonly passphraseFile: string | undefined;
  readonly rpcPort: number | undefined;
};

export type Prepared = {
  readonly seat: Seat;
  readonly genesisHash: string;
  readonly transcriptHash: string;
  readonly config: string;
  readonly genesis: string;
};

/** @throws CeremonyError WRONG_KEY; KeyError */
const requireEnrolledKeys = async ({ name, organisation, key }: Seat, keys: string): Promise<void> => {
  for (const [file, enrolled] of [
    [`${name}.json`, key.key],
    [`${name}-node.json`, key.peerId],
  ] as const) {
    const found = await readKeyName(join(keys, file));
    if (found !== enrolled)
      throw new CeremonyError(
        'WRONG_KEY',
        `expected in ${join(keys, file)} the key ${enrolled} that ${organisation} enrolled for ${name}, found ${found ?? 'one that does not say its name'}: use the folder of keys of the ceremony`,
      );
  }
};

const findSeat = (seats: readonly Seat[], name: string): Seat => {
  const seat = seats.find((candidate) => candidate.name === name);
  if (seat === undefined)
    throw new CliError(`expected a seat of the ceremony, found "${name}"`, {
      code: 'NO_SEAT',
      exitCode: EXIT.usage,
      hint: `Its seats: ${seats.map((one) => one.name).join(', ')}.`,
    });
  return seat;
};

/** @throws CeremonyError, KeyError, ConfigError; CliError NO_SEAT, EXISTS */
export const prepareSeat = async (options: InitOptions): Promise<Prepared> => {
  const sealed = await loadSealed(options.transcript);
  const seats = seatsOf(sealed);
  const seat = findSeat(seats, options.seat);
  await requireEnrolledKeys(seat, options.keys);
  const { genesis } = sealed.draft;
  const [config, genesisFile] = [join(options.out, 'node.toml'), join(options.out, 'genesis.json')];
  const toml = writeSeatConfig({
    seat,
    seats,
    genesisHash: genesis.genesisHash,
    keysFolder: options.keys,
    l1Urls: options.l1Urls,
    passphraseFile: options.passphraseFile,
    rpcPort: options.rpcPort,
  });
  parseConfig(toml, config);
  await writeOnce(genesisFile, serialiseGenesis(genesis));
  await writeOnce(config, toml);
  await writeOnce(join(options.out, 'transcript.jsonl'), sealed.text);
  return {
    seat,
    genesisHash: genesis.genesisHash,
    transcriptHash: sealed.transcriptHash,
    config,
    genesis: genesisFile,
  };
};
