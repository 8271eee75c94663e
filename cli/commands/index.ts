/** Every command, in the order of the help. */
import type { Command } from '#cli/command.ts';
import { bridgeClaim } from '#cli/commands/bridgeClaim.ts';
import { bridgeDeploy } from '#cli/commands/bridgeDeploy.ts';
import { bridgeDeposit } from '#cli/commands/bridgeDeposit.ts';
import { bridgeStatus } from '#cli/commands/bridgeStatus.ts';
import { bridgeWithdraw } from '#cli/commands/bridgeWithdraw.ts';
import { ceremonyApprove } from '#cli/commands/ceremonyApprove.ts';
import { ceremonyAudit } from '#cli/commands/ceremonyAudit.ts';
import { ceremonyBuild } from '#cli/commands/ceremonyBuild.ts';
import { ceremonyCollect } from '#cli/commands/ceremonyCollect.ts';
import { ceremonyEnrol } from '#cli/commands/ceremonyEnrol.ts';
import { ceremonyOpen } from '#cli/commands/ceremonyOpen.ts';
import { ceremonySeal } from '#cli/commands/ceremonySeal.ts';
import { ceremonyStatus } from '#cli/commands/ceremonyStatus.ts';
import { ceremonyVerify } from '#cli/commands/ceremonyVerify.ts';
import { dbPrune } from '#cli/commands/dbPrune.ts';
import { dbStats } from '#cli/commands/dbStats.ts';
import { devnetDownCommand } from '#cli/commands/devnetDown.ts';
import { devnetStatusCommand } from '#cli/commands/devnetStatus.ts';
import { devnetUpCommand } from '#cli/commands/devnetUp.ts';
import { evidenceCommand } from '#cli/commands/evidence.ts';
import { genesisBuild } from '#cli/commands/genesisBuild.ts';
import { genesisInspect } from '#cli/commands/genesisInspect.ts';
import { guardExport } from '#cli/commands/guardExport.ts';
import { guardImport } from '#cli/commands/guardImport.ts';
import { guardInspect } from '#cli/commands/guardInspect.ts';
import { guardRaise } from '#cli/commands/guardRaise.ts';
import { initCommand } from '#cli/commands/init.ts';
import { keyBackup } from '#cli/commands/keyBackup.ts';
import { keyInspect } from '#cli/commands/keyInspect.ts';
import { keyList } from '#cli/commands/keyList.ts';
import { keyNew } from '#cli/commands/keyNew.ts';
import { keyPassphrase } from '#cli/commands/keyPassphrase.ts';
import { keyRestore } from '#cli/commands/keyRestore.ts';
import { nodeRunCommand } from '#cli/commands/nodeRun.ts';
import { relayerRunCommand } from '#cli/commands/relayerRun.ts';
import { statusCommand } from '#cli/commands/status.ts';
import { validatorsList } from '#cli/commands/validatorsList.ts';
import { validatorsProposeAdd, validatorsProposeRemove } from '#cli/commands/validatorsPropose.ts';
import { validatorsReady } from '#cli/commands/validatorsReady.ts';
import { validatorsVote } from '#cli/commands/validatorsVote.ts';
import { walInspect } from '#cli/commands/walInspect.ts';
import { walRepair } from '#cli/commands/walRepair.ts';

export const COMMANDS: readonly Command[] = [
  devnetUpCommand,
  devnetDownCommand,
  devnetStatusCommand,
  statusCommand,
  evidenceCommand,
  genesisBuild,
  genesisInspect,
  ceremonyOpen,
  ceremonyEnrol,
  ceremonyCollect,
  ceremonyBuild,
  ceremonyVerify,
  ceremonyApprove,
  ceremonySeal,
  ceremonyAudit,
  ceremonyStatus,
  initCommand,
  keyNew,
  keyInspect,
  keyList,
  keyPassphrase,
  keyBackup,
  keyRestore,
  nodeRunCommand,
  relayerRunCommand,
  dbStats,
  dbPrune,
  walInspect,
  walRepair,
  guardInspect,
  guardExport,
  guardImport,
  guardRaise,
  validatorsList,
  validatorsProposeAdd,
  validatorsProposeRemove,
  validatorsVote,
  validatorsReady,
  bridgeDeploy,
  bridgeDeposit,
  bridgeWithdraw,
  bridgeClaim,
  bridgeStatus,
];
