/** `causeway bridge deploy`: the peg’s contracts on the L1, at the addresses that the genesis names. */
import type { DeploymentProgress } from '#bridge/deployment/deployPeg.ts';
import { keyOption, l1UrlOption } from '#cli/bridge/options.ts';
import { defineCommand } from '#cli/command.ts';
import { CliError, EXIT } from '#cli/errors.ts';
import { formatTable } from '#cli/io.ts';
import {
  defaultedOption,
  optionalOption,
  parsePath,
  parseWholeNumber,
  passphraseFdOption,
  passphraseFileOption,
} from '#cli/options.ts';
import type { Genesis } from '#genesis/spec.ts';

export const bridgeDeploy = defineCommand({
  path: ['bridge', 'deploy'],
  summary: 'deploy the peg’s contracts on the L1',
  description:
    'Deploys factory, vault and verifier from the specification’s deployer, an account that is used for nothing else and that pays the backed balances in, and ends when the result is verified at finality. It may be repeated: a run after a crash goes on where the last one stopped.',
  examples: [
    'bridge deploy --genesis genesis.json --l1-url http://127.0.0.1:9545 --key keys/deployer.json',
    'bridge deploy --transcript transcript.jsonl --l1-url https://l1.example.org --key keys/deployer.json',
    'bridge deploy --genesis genesis.json --l1-url https://l1.example.org --key keys/deployer.json --timeout 3600 --json',
  ],
  options: {
    genesis: optionalOption(
      '--genesis <file>',
      'the sidechain’s genesis file',
      parsePath,
      'CAUSEWAY_GENESIS',
    ),
    transcript: optionalOption(
      '--transcript <file>',
      'a sealed ceremony’s transcript, instead of the genesis file',
      parsePath,
    ),
    l1Url: l1UrlOption,
    key: keyOption,
    timeout: defaultedOption(
      '--timeout <seconds>',
      'give up waiting after this long; a later run goes on',
      parseWholeNumber,
      1_800,
    ),
    journal: optionalOption(
      '--journal <file>',
      'where transactions are recorded before they are broadcast; by default beside the genesis',
      parsePath,
    ),
    passphraseFile: passphraseFileOption,
    passphraseFd: passphraseFdOption,
  },
  run: async (
    { genesis: genesisPath, transcript, l1Url, key, timeout, journal: journalPath, ...sources },
    io,
  ) => {
    const { createPublicClient, http } = await import('viem');
    const { deployPeg } = await import('#bridge/deployment/deployPeg.ts');
    const { createManifest } = await import('#bridge/deployment/manifest.ts');
    const { withDeploymentJournal } = await import('#cli/bridge/deploymentJournal.ts');
    const { openSigner } = await import('#cli/bridge/session.ts');
    const { genesisToPegInputs } = await import('#genesis/pegInputs.ts');
    const { path, genesis } = await openGenesis(genesisPath, transcript);
    const signer = await openSigner(key, sources, io);
    const deployed = await withDeploymentJournal(journalPath ?? `${path}.deployment`, (journal) =>
      deployPeg({
        manifest: createManifest(genesisToPegInputs(genesis)),
        publicClient: createPublicClient({ transport: http(l1Url), cacheTime: 0 }),
        signer,
        journal,
        onProgress: (progress) => io.progress(describeProgress(progress)),
        timeoutMs: timeout * 1_000,
        signal: io.signal,
      }),
    );
    return {
      data: { ...deployed, addresses: genesis.l1 },
      text: formatTable([
        ...Object.entries(genesis.l1),
        ['deployed in', `L1 block ${deployed.deploymentBlock}, verified at finality`],
      ]),
    };
  },
});

/** What is deployed follows from the genesis, so the L1 addresses that everyone approved are the ones, or it fails. */
const openGenesis = async (
  genesisPath: string | undefined,
  transcript: string | undefined,
): Promise<{ readonly path: string; readonly genesis: Genesis }> => {
  if ((genesisPath === undefined) === (transcript === undefined))
    throw new CliError(
      `expected either --genesis or --transcript, found ${transcript === undefined ? 'neither' : 'both'}`,
      {
        code: 'USAGE',
        exitCode: EXIT.usage,
        hint: 'Name the genesis file, or the transcript of the sealed ceremony (and unset CAUSEWAY_GENESIS).',
      },
    );
  if (transcript !== undefined) {
    const { loadSealed } = await import('#cli/ceremony/sealed.ts');
    return { path: transcript, genesis: (await loadSealed(transcript)).draft.genesis };
  }
  const { loadGenesis } = await import('#genesis/genesisFile.ts');
  return { path: genesisPath!, genesis: await loadGenesis(genesisPath!) };
};

const describeProgress = (progress: DeploymentProgress): string => {
  if (progress.state === 'broadcast') return `${progress.step}: broadcast ${progress.hash}`;
  if (progress.state === 'done') return `${progress.step}: done`;
  return `waiting for finality: ${progress.reason}`;
};
