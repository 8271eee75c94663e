/**
 * The status for people: the sentence first, then the validators, the missing votes, the margin, the nodes asked.
 *
 * Pure; at most `WIDTH` columns, whatever a node says. Colour is the caller's.
 */
import { formatTable, type Style } from '#cli/io.ts';
import type { EndpointReport, RemoteStatus, RemoteValidator } from '#cli/status/remote.ts';
import { mergeValidators, type Verdict } from '#cli/status/verdict.ts';
import { formatDuration } from '#node/consensus/statusWords.ts';

export const WIDTH = 100;
const MAX_ROWS = 60;

export type Paint = (style: Style, text: string) => string;

/** What a node says is text for a terminal only without control characters. */
const plain = (text: string): string => text.replace(/\p{C}/gu, ' ');

/** Breaks at spaces; a word longer than a line is cut into lines. */
export const wrap = (text: string, indent = ''): string => {
  const room = WIDTH - indent.length;
  const lines: string[] = [];
  let line = '';
  for (const word of plain(text).split(/\s+/)) {
    let rest = word;
    if (line !== '' && line.length + 1 + rest.length > room) {
      lines.push(line);
      line = '';
    }
    while (rest.length > room) {
      lines.push(rest.slice(0, room));
      rest = rest.slice(room);
    }
    line = line === '' ? rest : `${line} ${rest}`;
  }
  lines.push(line);
  return lines.map((each) => indent + each).join('\n');
};

const cut = (text: string, width: number): string => {
  const safe = plain(text);
  return safe.length <= width ? safe : `${safe.slice(0, width - 1)}…`;
};

const STATE_WORDS: Readonly<Record<Verdict['state'], readonly [Style, string]>> = {
  committing: ['green', 'Committing'],
  behind: ['yellow', 'Behind'],
  stalled: ['red', 'Not committing'],
  halted: ['red', 'Halted'],
  unreachable: ['red', 'Unreachable'],
};

const headline = ({ state, spokesman }: Verdict, paint: Paint): string => {
  const [style, word] = STATE_WORDS[state];
  if (spokesman === null)
    return paint(style, wrap('Unreachable: none of the nodes that were asked answers.'));
  const { progress, height, lastBlockAgoMs } = spokesman;
  const newest = lastBlockAgoMs === null ? '' : `, ${formatDuration(lastBlockAgoMs)} ago`;
  const lines = [paint(style, wrap(`${word}, newest block ${height}${newest}. ${progress.sentence}.`))];
  if (progress.remedy !== null) lines.push(wrap(progress.remedy, '  '));
  return lines.join('\n');
};

const voteOf = ({ lastVote }: RemoteValidator): string => {
  if (lastVote === null) return '-';
  const { height, round, type, valueId, agoMs } = lastVote;
  const value = valueId === null ? 'nil' : valueId.slice(0, 8);
  return `${height}/${round} ${type} ${value}, ${formatDuration(agoMs)}`;
};

const ABSENCES: Readonly<Record<string, string>> = {
  disconnected: 'away',
  silent: 'silent',
  notSigning: 'not signing',
  mute: 'no vote',
};

const linkOf = ({ self, absence, connected }: RemoteValidator): string => {
  if (absence !== null) return ABSENCES[absence] ?? cut(absence, 11);
  if (self) return 'itself';
  return connected ? 'connected' : 'by relay';
};

const validatorRow = (validator: RemoteValidator): string[] => [
  cut(validator.name, 20),
  String(validator.power),
  validator.height === null ? '-' : String(validator.height),
  validator.round === null || validator.round < 0 ? '-' : String(validator.round),
  cut(validator.step ?? '-', 9),
  cut(voteOf(validator), 34),
  validator.roundTripMs === null ? '-' : `${Math.round(validator.roundTripMs)} ms`,
  linkOf(validator),
];

const HEADER = ['validator', 'power', 'height', 'round', 'step', 'newest vote', 'latency', 'link'];

/** Absent ones first when not all fit. */
const validatorTable = (validators: readonly RemoteValidator[]): string => {
  const shown =
    validators.length <= MAX_ROWS
      ? validators
      : validators
          .toSorted((a, b) => Number(b.absence !== null) - Number(a.absence !== null))
          .slice(0, MAX_ROWS);
  const more = validators.length - shown.length;
  const rows = formatTable([HEADER, ...shown.map(validatorRow)]).split('\n');
  if (more > 0) rows.push(`and ${more} more`);
  return rows.map((row) => cut(row, WIDTH)).join('\n');
};

/** Only votes that the step waits for: before, everybody's are missing. */
const missingLines = ({ votes, step, round, margin }: RemoteStatus): readonly string[] => {
  if (votes === null || margin === null || (step !== 'prevote' && step !== 'precommit')) return [];
  const kinds = step === 'prevote' ? (['prevotes'] as const) : (['prevotes', 'precommits'] as const);
  return kinds.flatMap((kind) => {
    const { power, missing } = votes[kind];
    if (missing.length === 0) return [];
    const who = missing
      .slice(0, 12)
      .map(({ name, address, power: each, why }) => `${name} (${address}, power ${each}: ${why})`);
    if (missing.length > who.length) who.push(`${missing.length - who.length} more`);
    return [
      wrap(
        `Missing ${kind} of round ${round} (${power} of ${margin.totalPower} power voted): ${who.join('; ')}`,
      ),
    ];
  });
};

export const describeMargin = (margin: NonNullable<RemoteStatus['margin']>): string => {
  const { alivePower, totalPower, quorumPower, failuresTolerated: left, halted } = margin;
  const power = `${alivePower} of ${totalPower} power alive, a quorum is ${quorumPower}`;
  if (halted) return `0 more failures until it halts: it is halted (${power})`;
  if (left === 0) return `Survives 0 more failures: the next one halts the chain (${power})`;
  return `Survives ${left} more ${left === 1 ? 'failure' : 'failures'}, the heaviest first (${power})`;
};

const nodeLines = (
  reports: readonly EndpointReport[],
  { spokesman }: Verdict,
  paint: Paint,
): readonly string[] =>
  reports.flatMap((report) => {
    const label = `${cut(report.name, 24)}  ${cut(report.url, 60)}`;
    if (!report.answers)
      return [`${label}  ${paint('red', 'unreachable')}`, wrap(`${report.problem}. ${report.remedy}`, '  ')];
    const { progress, signing } = report.status;
    const [style] = STATE_WORDS[progress.state];
    const lines = [`${label}  ${paint(style, progress.state)}`];
    if (report.status !== spokesman && progress.state !== spokesman?.progress.state)
      lines.push(wrap(progress.sentence, '  '));
    if (signing !== null && signing.reason !== null)
      lines.push(paint('yellow', wrap(`does not sign: ${signing.reason}`, '  ')));
    return lines;
  });

export const renderStatus = (reports: readonly EndpointReport[], verdict: Verdict, paint: Paint): string => {
  const { spokesman } = verdict;
  const parts = [headline(verdict, paint)];
  if (spokesman !== null && spokesman.validators.length > 0) {
    parts.push(validatorTable(mergeValidators(spokesman, reports)));
    const lines = [...missingLines(spokesman)];
    if (spokesman.margin !== null) lines.push(wrap(describeMargin(spokesman.margin)));
    parts.push(lines.join('\n'));
  }
  parts.push(nodeLines(reports, verdict, paint).join('\n'));
  return parts.join('\n\n');
};
