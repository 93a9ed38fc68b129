import { escapeHtml } from '../html/chart.ts';
import type { Frame } from './stacks.ts';

const WIDTH = 1_400;
const ROW = 17;
const TOP = 44;
const CHARACTER = 6.4;
/** Narrower frames are left out, with all above them. */
const LEAST = 0.6;

const COLOURS = {
  ours: '#ff9f5a',
  node: '#8fbf8f',
  dependency: '#c9a0dc',
  kernel: '#e58a8a',
  openssl: '#f3d36b',
  native: '#9db8d9',
} as const;

/**
 * A flame graph, the outermost functions at the top: a function is as wide as the share of time in it and what it calls.
 * One SVG that needs nothing else; the figures of a frame show as its tooltip.
 */
export function flameGraph(root: Frame, title: string, unit: string): string {
  const rows: string[] = [];
  let depth = 0;
  const draw = (frame: Frame, x: number, level: number): void => {
    const width = (frame.total / root.total) * WIDTH;
    if (width < LEAST) return;
    depth = Math.max(depth, level);
    const y = TOP + level * ROW;
    const share = ((100 * frame.total) / root.total).toFixed(1);
    const self = ((100 * frame.self) / root.total).toFixed(1);
    const figures = `${share} % of ${unit}, ${self} % in itself`;
    const fits = Math.floor((width - 6) / CHARACTER);
    const label = fits < 3 ? '' : frame.name.length > fits ? `${frame.name.slice(0, fits - 1)}…` : frame.name;
    rows.push(
      `<g><title>${escapeHtml(frame.name)} ${escapeHtml(frame.origin)}\n${figures}</title>` +
        `<rect x="${x.toFixed(1)}" y="${y}" width="${(width - 0.3).toFixed(1)}" height="${ROW - 1}" fill="${colourOf(frame)}"/>` +
        (label === '' ? '' : `<text x="${(x + 3).toFixed(1)}" y="${y + 12}">${escapeHtml(label)}</text>`) +
        '</g>',
    );
    let at = x;
    const children = [...frame.children.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
    for (const child of children) {
      draw(child, at, level + 1);
      at += (child.total / root.total) * WIDTH;
    }
  };
  if (root.total > 0) draw(root, 0, 0);
  const height = TOP + (depth + 1) * ROW + 4;
  const legend = Object.entries(COLOURS).map(
    ([name, colour], index) =>
      `<rect x="${index * 110}" y="24" width="12" height="12" fill="${colour}"/><text x="${index * 110 + 17}" y="34">${name}</text>`,
  );
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" width="${WIDTH}" height="${height}">
<style>text{font:11px ui-monospace,monospace;fill:#1c2026}rect:hover{stroke:#1c2026}</style>
<rect width="${WIDTH}" height="${height}" fill="#fff"/><text x="0" y="14" style="font-size:13px">${escapeHtml(title)}</text>
${legend.join('')}
${rows.join('\n')}
</svg>
`;
}

function colourOf({ name, origin }: Frame): string {
  if (/^(?:src|dist)\//.test(origin)) return COLOURS.ours;
  if (origin.startsWith('node_modules/')) return COLOURS.dependency;
  if (origin.startsWith('node:')) return COLOURS.node;
  if (/kernel|vdso/.test(origin)) return COLOURS.kernel;
  if (
    /^(?:SSL|ssl|ossl|EVP|CRYPTO|BN_|EC_|ecp|tls|OSSL|RSA|X509|ASN1|aes|AES|sha|SHA|gcm|bn_|ml_kem|OPENSSL)/.test(name)
  ) {
    return COLOURS.openssl;
  }
  return COLOURS.native;
}
