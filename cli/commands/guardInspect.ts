/** `causeway guard inspect`: what a validator's key signed last, as its data folder knows. */
import { defineCommand } from '#cli/command.ts';
import { dataOption, runningNote, runningPid } from '#cli/commands/dataFolder.ts';
import { describeGuard, guardToJson, requireGuard } from '#cli/commands/guardText.ts';

export const guardInspect = defineCommand({
  path: ['guard', 'inspect'],
  summary: 'show what this validator signed last',
  description:
    'Shows the newest signature and the lock that the sign guard holds. Read-only; works while the node runs. Exit code 8 if there is no usable guard.',
  examples: ['guard inspect --data validator-1/data', 'guard inspect --data validator-1/data --json'],
  options: { data: dataOption },
  run: async ({ data }) => {
    const guard = await requireGuard(data);
    const pid = await runningPid(data);
    const slots =
      guard.wholeSlots === 2 || guard.state.signature === null
        ? []
        : ['one of two slots is not whole: a crash between two signatures, or the disk lost data'];
    return {
      data: { ...guardToJson(guard), wholeSlots: guard.wholeSlots, runningPid: pid },
      text: [describeGuard(guard), ...slots, ...runningNote(pid)].join('\n'),
    };
  },
});
