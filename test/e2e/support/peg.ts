/** The user's side of the peg on a devnet under test, with the devnet's users and roles. */
import { mnemonicToAccount } from 'viem/accounts';
import { depositEth, followDeposit, type Imported } from '#bridge/user/deposit.ts';
import { createPeg, type Peg } from '#bridge/user/peg.ts';
import { createMemoryCrossingJournal, type StepRecord } from '#bridge/user/steps.ts';
import { MNEMONIC } from '#cli/devnet/accounts.ts';
import { devnetLayout } from '#cli/devnet/layout.ts';
import { parseAddress } from '#consensus/primitives.ts';
import { loadGenesis } from '#genesis/genesisFile.ts';
import type { Genesis } from '#genesis/spec.ts';
import type { Devnet } from '#test/e2e/support/devnet.ts';

export const genesisOf = (devnet: Devnet): Promise<Genesis> => loadGenesis(devnetLayout(devnet.data).genesis);

export const pegAt = async (devnet: Devnet, validator: number): Promise<Peg> => {
  const { spec, l1 } = await genesisOf(devnet);
  return createPeg({
    l1Url: devnet.l1Url,
    sidechainUrl: devnet.urls[validator]!,
    l1ChainId: spec.l1ChainId,
    sidechainId: spec.chainId,
    addresses: l1,
    pollMs: 100,
  });
};

export const userAccount = (index: number) => mnemonicToAccount(MNEMONIC, { addressIndex: index });

export const unrecorded = (id: string): StepRecord => ({ journal: createMemoryCrossingJournal(), id });

/** One deposit by a user to itself, followed until the sidechain minted it. */
export const depositAndFollow = async (peg: Peg, user: number, amountWei: bigint): Promise<Imported> => {
  const account = userAccount(user);
  const deposited = await depositEth(peg, {
    account,
    recipient: parseAddress(account.address),
    amountWei,
    record: unrecorded(`user-${user}-${amountWei}`),
  });
  return followDeposit(peg, deposited.l1Tx, { timeoutMs: 60_000 });
};
