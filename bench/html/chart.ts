/** A bar of a chart: a value, its spread, and what is written beside it. */
export interface Bar {
  readonly label: string;
  readonly value: number;
  readonly least: number;
  readonly most: number;
  readonly text: string;
  /** Ours stands out, the floor stands back. */
  readonly tone: 'ours' | 'floor' | 'other';
}

const WIDTH = 720;
const LABEL = 120;
const VALUE = 190;
const ROW = 26;
const BAR = 16;

/** Horizontal bars from zero, with a line from the least to the most of the rounds. An SVG element. */
export function barChart(title: string, bars: readonly Bar[]): string {
  const shown = bars.filter((bar) => Number.isFinite(bar.value));
  const longest = Math.max(...shown.map((bar) => bar.most), Number.MIN_VALUE);
  // One that is many times the others would make them all the same: it is cut, and says so.
  const sorted = shown.map((bar) => bar.most).sort((a, b) => a - b);
  const usual = sorted[Math.floor(sorted.length / 2)] ?? longest;
  const end = longest > 6 * usual ? 4 * usual : longest;
  const scale = (WIDTH - LABEL - VALUE) / end;
  const height = shown.length * ROW + 8;
  const rows = shown.map((bar, index) => {
    const y = 4 + index * ROW;
    const middle = y + ROW / 2;
    const cut = bar.value > end;
    const width = Math.max(1, Math.min(bar.value, end) * scale);
    const reach = Math.max(width, Math.min(bar.most, end) * scale);
    return [
      `<text class="label ${bar.tone}" x="${LABEL - 8}" y="${middle}">${escapeHtml(bar.label)}</text>`,
      `<rect class="bar ${bar.tone}" x="${LABEL}" y="${middle - BAR / 2}" width="${width.toFixed(1)}" height="${BAR}" rx="2"/>`,
      cut ? `<path class="cut" d="M${LABEL + width - 14} ${middle + 10}l6-20m4 20l6-20"/>` : '',
      bar.most > bar.least && !cut
        ? `<path class="spread" d="M${(LABEL + bar.least * scale).toFixed(1)} ${middle}H${(LABEL + reach).toFixed(1)}"/>`
        : '',
      `<text class="value ${bar.tone}" x="${(LABEL + reach + 8).toFixed(1)}" y="${middle}">${escapeHtml(bar.text)}</text>`,
    ].join('');
  });
  return `<svg viewBox="0 0 ${WIDTH} ${height}" role="img" aria-label="${escapeHtml(title)}">${rows.join('')}</svg>`;
}

export function escapeHtml(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;');
}
