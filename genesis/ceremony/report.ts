/**
 * The report: a sealed ceremony on paper, as text or as one HTML page that needs nothing from anywhere.
 *
 * Made from an audited transcript alone, so it can always be made again; it proves nothing by itself.
 */
import type { Hash } from '#consensus/primitives.ts';
import { describeSealed, planWarnings, sectionsToText, wordsSection } from '#genesis/ceremony/summary.ts';
import type { SealedCeremony } from '#genesis/ceremony/transcript.ts';
import { hashToWords } from '#genesis/ceremony/words.ts';

const titleOf = ({ opening }: SealedCeremony): string => `Key ceremony of ${opening.plan.name}`;

const fingerprints = ({ draft, transcriptHash }: SealedCeremony): readonly (readonly [string, Hash])[] => [
  ['Words of the draft that everyone approved', draft.draftHash],
  ['Words of this transcript', transcriptHash],
];

export const reportToText = (sealed: SealedCeremony): string =>
  `${[
    titleOf(sealed),
    ...planWarnings(sealed.opening.plan).map((warning) => `WARNING: ${warning}`),
    ...fingerprints(sealed).map(([title, hash]) => wordsSection(title, hash)),
    sectionsToText(describeSealed(sealed)),
    'Signed on paper, each with the twelve first words read aloud:',
    ...sealed.opening.plan.organisations.map(({ name }) => `  ${name}: ______________________________`),
  ].join('\n\n')}\n`;

const escapeHtml = (text: string): string =>
  text.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);

const STYLE = `body{font:11pt/1.45 Georgia,serif;margin:2.2cm auto;max-width:19cm;color:#111}h1{font-size:1.6em}
h2{font-size:1.1em;margin:1.6em 0 .3em;border-bottom:1px solid #999}table{border-collapse:collapse;width:100%}
th{text-align:left;font-weight:normal;color:#444;padding:.15em 1em .15em 0;vertical-align:top}
td{font-family:monospace;font-size:.82em;overflow-wrap:anywhere;padding:.15em 0}
ol{columns:4;padding-left:2em;font-size:1.1em}.warning{border:2px solid #111;padding:.5em;font-weight:bold}
.sign{height:2.4em;border-bottom:1px solid #111}section{break-inside:avoid}@page{margin:1.5cm}`;

const table = (rows: readonly (readonly [string, string])[]): string =>
  `<table>${rows.map(([label, value]) => `<tr><th scope="row">${escapeHtml(label)}</th><td>${escapeHtml(value)}</td></tr>`).join('')}</table>`;

const section = (title: string, content: string): string =>
  `<section><h2>${escapeHtml(title)}</h2>${content}</section>`;

export const reportToHtml = (sealed: SealedCeremony): string =>
  [
    '<!doctype html><html lang="en"><head><meta charset="utf-8">',
    `<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">`,
    `<title>${escapeHtml(titleOf(sealed))}</title><style>${STYLE}</style></head><body>`,
    `<h1>${escapeHtml(titleOf(sealed))}</h1>`,
    ...planWarnings(sealed.opening.plan).map((warning) => `<p class="warning">${escapeHtml(warning)}</p>`),
    ...fingerprints(sealed).map(([title, hash]) =>
      section(
        title,
        `<ol>${hashToWords(hash)
          .map((word) => `<li>${word}</li>`)
          .join('')}</ol>`,
      ),
    ),
    ...describeSealed(sealed)
      .filter(({ rows }) => rows.length > 0)
      .map(({ title, rows }) => section(title, table(rows))),
    section(
      'Signed on paper, each with the twelve first words read aloud',
      `<table>${sealed.opening.plan.organisations.map(({ name }) => `<tr><th scope="row">${escapeHtml(name)}</th><td class="sign"></td></tr>`).join('')}</table>`,
    ),
    '</body></html>',
    '',
  ].join('\n');
