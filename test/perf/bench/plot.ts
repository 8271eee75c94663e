/** Bars as SVG, without a library: one result's throughput against the bound. Pure. */

export type Bar = { readonly label: string; readonly value: number; readonly note: string };

const WIDTH = 720;
const LEFT = 130;
const ROW = 34;
const RIGHT = 190;

const escapeXml = (text: string): string =>
  text.replace(/&/g, '&amp;').replace(/</g, '&lt;').replace(/>/g, '&gt;').replace(/"/g, '&quot;');

/** @param limit a line that no bar can pass, in the bars' unit */
export const barsToSvg = (
  title: string,
  bars: readonly Bar[],
  limit: { readonly label: string; readonly value: number },
): string => {
  const most = Math.max(limit.value, ...bars.map(({ value }) => value));
  const scale = (WIDTH - LEFT - RIGHT) / most;
  const height = 78 + ROW * bars.length;
  const limitX = LEFT + scale * limit.value;
  const rows = bars.flatMap(({ label, value, note }, index) => {
    const y = 62 + ROW * index;
    return [
      `<text x="${LEFT - 10}" y="${y + 16}" text-anchor="end">${escapeXml(label)}</text>`,
      `<rect x="${LEFT}" y="${y}" width="${Math.max(1, scale * value).toFixed(1)}" height="22" rx="3" fill="#2f6f9f"/>`,
      `<text x="${(LEFT + scale * value + 8).toFixed(1)}" y="${y + 16}">${escapeXml(note)}</text>`,
    ];
  });
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" width="${WIDTH}" height="${height}" font-family="system-ui, sans-serif" font-size="13">`,
    `<rect width="${WIDTH}" height="${height}" fill="#ffffff"/>`,
    `<text x="${LEFT}" y="22" font-size="15" font-weight="600">${escapeXml(title)}</text>`,
    `<line x1="${limitX.toFixed(1)}" y1="50" x2="${limitX.toFixed(1)}" y2="${height - 12}" stroke="#b4532a" stroke-dasharray="5 4"/>`,
    `<text x="${limitX.toFixed(1)}" y="44" text-anchor="middle" fill="#b4532a">${escapeXml(limit.label)}</text>`,
    ...rows,
    '</svg>',
    '',
  ].join('\n');
};
