/** `causeway validators ready`: an approved validator says that it is in sync, and enters at the end of the epoch. */
import { genesisOption, keyOption, rpcUrlOption } from '#cli/bridge/options.ts';
import { defineCommand } from '#cli/command.ts';
import { CliError, EXIT } from '#cli/errors.ts';
import { parsePath, passphraseFdOption, passphraseFileOption, requiredOption } from '#cli/options.ts';

export const validatorsReady = defineCommand({
  path: ['validators', 'ready'],
  summary: 'enter the validator set at the end of this epoch',
  description:
    'Signs with the consensus key that this validator is ready in the current epoch, and sends it from any account that has ETH for the fee. Start the node first and let it catch up: --rpc-url should be its own endpoint. Run it again if the epoch ended meanwhile.',
  examples: [
    'validators ready --genesis genesis.json --rpc-url http://127.0.0.1:8545 --consensus-key keys/consensus.json --key keys/user.json',
  ],
  options: {
    genesis: genesisOption,
    rpcUrl: rpcUrlOption,
    consensusKey: requiredOption(
      '--consensus-key <file>',
      'keystore of the consensus key; the pass phrase is that of --key',
      parsePath,
    ),
    key: keyOption,
    passphraseFile: passphraseFileOption,
    passphraseFd: passphraseFdOption,
  },
  run: async ({ genesis: path, rpcUrl, consensusKey, key, ...sources }, io) => {
    const { createSignerAccount } = await import('#bridge/relayer/signerAccount.ts');
    const { obtainPassphrase } = await import('#cli/passphrase.ts');
    const { openSystem } = await import('#cli/validators/session.ts');
    const { openSignerFile } = await import('#node/keys/signerFile.ts');
    const { client, genesis, tellSet, validatorSet } = await openSystem({ genesis: path, rpcUrl });
    const passphrase = await obtainPassphrase(sources, io);
    const consensus = await openSignerFile(consensusKey, passphrase);
    const sender = await openSignerFile(key, passphrase);
    const syncing: unknown = await client.request({ method: 'eth_syncing' } as never);
    if (syncing !== false)
      throw new CliError(`expected the node at ${rpcUrl} to be in sync, found it catching up`, {
        code: 'NOT_IN_SYNC',
        exitCode: EXIT.denied,
        hint: 'Wait until causeway status says that it follows the chain: a validator that cannot vote weakens the others.',
      });
    const epoch = await client.readContract({ ...validatorSet, functionName: 'epoch' });
    const epochEnd = await client.readContract({ ...validatorSet, functionName: 'epochEnd' });
    const domain = { chainId: genesis.spec.chainId, genesisHash: genesis.genesisHash };
    const signature = await consensus.sign({ kind: 'ready', domain, epoch });
    const hash = await tellSet(createSignerAccount(sender), {
      functionName: 'ready',
      args: [consensus.address, signature],
    });
    return {
      data: { validator: consensus.address, epoch, votesFrom: epochEnd + 1n, transaction: hash },
      text: `${consensus.address} votes from height ${epochEnd + 1n} on`,
    };
  },
});
