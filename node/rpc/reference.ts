/**
 * The table of methods in README.md, from their definitions. Run this file to write it; a test holds it to be current.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { Method } from '#node/rpc/method.ts';
import { METHODS } from '#node/rpc/methods.ts';

export const README_PATH: string = fileURLToPath(new URL('./README.md', import.meta.url));
const BEGIN = '<!-- methods: written by reference.ts -->';
const END = '<!-- end of methods -->';

const signatureOf = ({ name, params }: Method): string =>
  `\`${name}(${params.map((param) => (param.required ? param.name : `${param.name}?`)).join(', ')})\``;

const pad = (cells: readonly (readonly string[])[]): string[] => {
  const widths = cells[0]!.map((_, column) => Math.max(...cells.map((row) => row[column]!.length)));
  const line = (row: readonly string[]): string =>
    `| ${row.map((cell, column) => cell.padEnd(widths[column]!)).join(' | ')} |`;
  const [head, ...rest] = cells;
  return [line(head!), `| ${widths.map((width) => '-'.repeat(width)).join(' | ')} |`, ...rest.map(line)];
};

export const methodTable = (methods: Iterable<Method>): string =>
  pad([
    ['method', 'for', 'cost', 'answers'],
    ...[...methods]
      .sort((a, b) => (a.name < b.name ? -1 : 1))
      .map((method) => [
        signatureOf(method),
        method.access,
        String(method.cost),
        method.summary.replaceAll('|', '\\|'),
      ]),
  ]).join('\n');

/** @throws Error if the text has no place for the table */
export const withMethodTable = (text: string, methods: Iterable<Method>): string => {
  const [from, to] = [text.indexOf(BEGIN), text.indexOf(END)];
  if (from < 0 || to < from)
    throw new Error(`expected ${BEGIN} and ${END} in README.md, found no such lines`);
  return `${text.slice(0, from)}${BEGIN}\n\n${methodTable(methods)}\n\n${text.slice(to)}`;
};

if (process.argv[1] === fileURLToPath(import.meta.url))
  writeFileSync(README_PATH, withMethodTable(readFileSync(README_PATH, 'utf8'), METHODS.values()));
