/** Every command, in the order of the help. */
import type { Command } from '#cli/command.ts';
import { genesisBuild } from '#cli/commands/genesisBuild.ts';
import { genesisInspect } from '#cli/commands/genesisInspect.ts';
import { keyInspect } from '#cli/commands/keyInspect.ts';
import { keyNew } from '#cli/commands/keyNew.ts';

export const COMMANDS: readonly Command[] = [genesisBuild, genesisInspect, keyNew, keyInspect];
