/**
 * What a command writes: data on stdout, progress on stderr, colour only where it is welcome.
 *
 * Owns the streams. Progress lines are redrawn only on a terminal; elsewhere each is a line of its own.
 */
import { styleText } from 'node:util';

export type Style = 'bold' | 'dim' | 'green' | 'red' | 'yellow' | 'cyan';

export type Io = {
  readonly json: boolean;
  /** Aborted by the first Ctrl-C or SIGTERM. */
  readonly signal: AbortSignal;
  /** For people, on stderr, one line each. */
  progress(text: string): void;
  /** For people or machines, on stdout. */
  out(text: string): void;
  style(style: Style, text: string): string;
  /** The same for stdout. */
  styleOut(style: Style, text: string): string;
  /** Is stdout a terminal, so that it can be drawn again? */
  readonly isTerminal: boolean;
};

export type Streams = {
  readonly stdout: { write(text: string): unknown; readonly isTTY?: boolean };
  readonly stderr: { write(text: string): unknown; readonly isTTY?: boolean };
  readonly env: Readonly<Record<string, string | undefined>>;
};

/** NO_COLOR wins over everything, FORCE_COLOR over the terminal check (no-color.org). */
export const wantsColour = (
  { stderr, env }: Streams,
  stream: { readonly isTTY?: boolean } = stderr,
): boolean => {
  if (env.NO_COLOR !== undefined && env.NO_COLOR !== '') return false;
  if (env.FORCE_COLOR !== undefined && env.FORCE_COLOR !== '0') return true;
  return stream.isTTY === true && env.TERM !== 'dumb';
};

export const createIo = (streams: Streams, json: boolean, signal: AbortSignal): Io => {
  const paint =
    (colour: boolean) =>
    (style: Style, text: string): string =>
      colour ? styleText(style, text, { validateStream: false }) : text;
  return {
    json,
    signal,
    progress: (text) => void streams.stderr.write(`${text}\n`),
    out: (text) => void streams.stdout.write(`${text}\n`),
    style: paint(wantsColour(streams)),
    styleOut: paint(wantsColour(streams, streams.stdout)),
    isTerminal: streams.stdout.isTTY === true,
  };
};

/** Left-aligned columns, two spaces apart. */
export const formatTable = (rows: readonly (readonly string[])[]): string => {
  const widths: number[] = [];
  for (const row of rows)
    row.forEach((cell, column) => {
      widths[column] = Math.max(widths[column] ?? 0, cell.length);
    });
  return rows
    .map((row) =>
      row.map((cell, column) => (column === row.length - 1 ? cell : cell.padEnd(widths[column]!))).join('  '),
    )
    .join('\n');
};

/** JSON with bigints as decimal strings. */
export const toJson = (value: unknown): string =>
  JSON.stringify(value, (_, member) => (typeof member === 'bigint' ? String(member) : member));

/** Wei as ETH, exact, without trailing zeros. */
export const formatEth = (wei: bigint): string => {
  const sign = wei < 0n ? '-' : '';
  const digits = (wei < 0n ? -wei : wei).toString().padStart(19, '0');
  const fraction = digits.slice(-18).replace(/0+$/, '');
  return `${sign}${digits.slice(0, -18)}${fraction === '' ? '' : `.${fraction}`} ETH`;
};
