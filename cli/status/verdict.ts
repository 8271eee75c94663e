/**
 * From what several nodes say to one verdict, whose word counts, and the exit code.
 *
 * Pure. The chain commits when any node that was asked sees it commit. Otherwise the reason is that of the node which
 * sees the most: the one that hears the most power.
 */
import { EXIT, type ExitCode } from '#cli/errors.ts';
import type { EndpointReport, RemoteStatus, RemoteValidator } from '#cli/status/remote.ts';

export type Verdict = {
  readonly state: RemoteStatus['progress']['state'] | 'unreachable';
  readonly exitCode: ExitCode;
  /** Whose sentence is shown first, null when nobody answers. */
  readonly spokesman: RemoteStatus | null;
};

const STATE_ORDER: Readonly<Record<RemoteStatus['progress']['state'], number>> = {
  committing: 0,
  behind: 2,
  stalled: 1,
  halted: 3,
};

const compareInsight = (a: RemoteStatus, b: RemoteStatus): number => {
  const byState = STATE_ORDER[a.progress.state] - STATE_ORDER[b.progress.state];
  if (byState !== 0) return byState;
  const [powerA, powerB] = [a.margin?.alivePower ?? -1n, b.margin?.alivePower ?? -1n];
  if (powerA !== powerB) return powerA > powerB ? -1 : 1;
  return a.height === b.height ? 0 : a.height > b.height ? -1 : 1;
};

export const judge = (reports: readonly EndpointReport[]): Verdict => {
  const answered = reports.flatMap((report) => (report.answers ? [report.status] : []));
  const [spokesman] = answered.toSorted(compareInsight);
  if (spokesman === undefined) return { state: 'unreachable', exitCode: EXIT.unreachable, spokesman: null };
  const { state } = spokesman.progress;
  return { state, exitCode: state === 'committing' ? EXIT.ok : EXIT.stalled, spokesman };
};

/** Each validator as the spokesman sees it, but where it is in its own words if it was asked itself. */
export const mergeValidators = (
  spokesman: RemoteStatus,
  reports: readonly EndpointReport[],
): readonly RemoteValidator[] => {
  const own = new Map<string, RemoteValidator>();
  for (const report of reports)
    if (report.answers)
      for (const validator of report.status.validators)
        if (validator.self) own.set(validator.address, validator);
  return spokesman.validators.map((seen) => {
    const self = own.get(seen.address);
    if (self === undefined || self === seen) return seen;
    const { height, round, step, lastVote } = self;
    return { ...seen, height, round, step, lastVote: lastVote ?? seen.lastVote };
  });
};
