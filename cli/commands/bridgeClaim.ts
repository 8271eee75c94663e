/** `causeway bridge claim`: pays out a withdrawal on the L1, by proof. */
import {
  genesisOption,
  journalOption,
  keyOption,
  l1UrlOption,
  resumeOption,
  rpcUrlOption,
} from '#cli/bridge/options.ts';
import { defineCommand } from '#cli/command.ts';
import { formatEth } from '#cli/io.ts';
import {
  optionalOption,
  parseHashOption,
  parseWholeNumber,
  passphraseFdOption,
  passphraseFileOption,
} from '#cli/options.ts';

export const bridgeClaim = defineCommand({
  path: ['bridge', 'claim'],
  summary: 'claim a withdrawal on the L1',
  description:
    'Builds the proof for a burn, waits for a checkpoint that covers it if there is none yet, and claims. Anyone may claim; the recipient named in the burn is paid. A withdrawal that was claimed already is a success.',
  examples: [
    'bridge claim 0x… --genesis genesis.json --l1-url http://127.0.0.1:9545 --rpc-url http://127.0.0.1:8545 --key keys/user.json',
  ],
  argument: { name: 'burnTx', help: 'hash of the burn on the sidechain', parse: parseHashOption },
  options: {
    genesis: genesisOption,
    l1Url: l1UrlOption,
    rpcUrl: rpcUrlOption,
    key: keyOption,
    index: optionalOption(
      '--index <number>',
      'which withdrawal, when the transaction made several',
      parseWholeNumber,
    ),
    journal: journalOption,
    resume: resumeOption,
    passphraseFile: passphraseFileOption,
    passphraseFd: passphraseFdOption,
  },
  run: async ({ argument: burnTx, genesis, l1Url, rpcUrl, key, index, journal, resume, ...sources }, io) => {
    const { claim, waitForClaim } = await import('#bridge/user/withdrawal.ts');
    const { openAccount, openPeg, withRecordedCrossing } = await import('#cli/bridge/session.ts');
    const peg = await openPeg({ genesis, l1Url, rpcUrl });
    const account = await openAccount(key, sources, io);
    const proof = await waitForClaim(peg, burnTx, {
      ...(index === undefined ? {} : { index: BigInt(index) }),
      signal: io.signal,
      onProgress: ({ burnHeight, anchoredHeight }) =>
        io.progress(`burned at height ${burnHeight}; anchored on the L1 up to ${anchoredHeight}`),
    });
    const request = { kind: 'claim' as const, details: { burnTx, index: String(proof.index) } };
    const claimed = await withRecordedCrossing(journal ?? `${key}.crossings`, request, resume, (record) =>
      claim(peg, { account, claim: proof, record, signal: io.signal }),
    );
    return {
      data: claimed,
      text: `${formatEth(claimed.amountWei)} paid to ${claimed.recipient} in ${claimed.claimTx}`,
    };
  },
});
