import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { figure } from '../figures.ts';
import { summarise } from '../measure/statistics.ts';
import { FLOOR } from '../peers/all.ts';
import { byCpu, type Table, tableOf } from '../report.ts';
import {
  bytesEach,
  type CpuResult,
  cpuOf,
  type IdleResult,
  type MemoryResult,
  type Report,
  type Result,
  ratiosOf,
  type Sample,
  samplesOf,
} from '../results.ts';
import { checkTargets } from '../verdict.ts';
import { type Bar, barChart, escapeHtml } from './chart.ts';

const OURS = 'phoenix';

/** The report as one HTML file that needs nothing else. */
export function renderPage(report: Report): string {
  const style = readFileSync(join(import.meta.dirname, 'style.css'), 'utf8');
  const versions = Object.entries(report.versions).map(([peer, version]) => `${peer} ${version}`);
  const links = report.results.map(({ scenario }) => `<a href="#${scenario}">${escapeHtml(scenario)}</a>`);
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width,initial-scale=1">
<title>phoenix-proxy bench, ${escapeHtml(report.date.slice(0, 10))}</title><style>${style}</style></head><body>
<h1>phoenix-proxy bench</h1>
<p>CPU time of the whole proxy for each request, of all peers in one run under the same load. Shorter bars are better; the
line on a bar goes from the least to the most of the rounds. The splice passes bytes on and understands nothing: the floor
for a proxy on Node streams.</p>
<p class="soft">${escapeHtml(report.date)}${report.quick ? ' (a rough look, not figures to quote)' : ''} · ${escapeHtml(report.machine)} ·
upstream: ${escapeHtml(report.upstream)} · Node ${escapeHtml(report.node)} · ${report.rounds} rounds of ${report.seconds} s</p>
<p class="soft">${escapeHtml(versions.join(' · '))}</p>
${report.missing.map(({ peer, reason }) => `<p class="failed">missing: ${escapeHtml(peer)}: ${escapeHtml(reason)}</p>`).join('\n')}
<nav>${links.join(' ')}</nav>
${renderTargets(report)}
${report.results.map(renderResult).join('\n')}
<section><h2>Not measured</h2><ul>${report.notMeasured.map((text) => `<li>${escapeHtml(text)}</li>`).join('')}</ul></section>
</body></html>
`;
}

function renderTargets(report: Report): string {
  const rows = checkTargets(report).map(
    ({ text, seen, verdict }) =>
      `<tr><td>${escapeHtml(text)}</td><td>${escapeHtml(seen)}</td><td class="${verdict}">${verdict}</td></tr>`,
  );
  if (rows.length === 0) return '';
  return `<section><h2>Targets</h2><table><tr><th>target</th><th>seen</th><th></th></tr>${rows.join('')}</table></section>`;
}

function renderResult(result: Result): string {
  const table = tableOf(result);
  const failures = result.failures.map(
    ({ peer, reason }) => `<p class="failed">failed: ${escapeHtml(peer)}: ${escapeHtml(reason.slice(0, 400))}</p>`,
  );
  const note = result.notMeasured.trim();
  return `<section id="${result.scenario}"><h2>${escapeHtml(result.scenario)}</h2>
<p class="soft">${escapeHtml(result.title)}. Load: ${escapeHtml(result.generator)}.</p>
${charts(result)}
${failures.join('\n')}
${note === '' ? '' : `<p class="note">Not told: ${escapeHtml(note)}</p>`}
<details><summary>figures</summary><div class="scroll">${htmlTable(table)}</div></details></section>`;
}

function charts(result: Result): string {
  switch (result.kind) {
    case 'cpu':
      return cpuCharts(result);
    case 'idle':
      return idleChart(result);
    case 'memory':
      return memoryChart(result);
  }
}

function cpuCharts(result: CpuResult): string {
  const proxies = byCpu(result).filter((peer) => cpuOf(result, peer).some((value) => value > 0));
  const cpu = proxies.map((peer): Bar => {
    const { median, least, most } = summarise(cpuOf(result, peer));
    const ratio = summarise(ratiosOf(result, peer, FLOOR)).median;
    const times = Number.isFinite(ratio) && peer !== FLOOR ? ` · ${ratio.toFixed(2)} × splice` : '';
    return { label: peer, value: median, least, most, text: `${figure(median)} µs${times}`, tone: toneOf(peer) };
  });
  const latencies = byCpu(result).map((peer): Bar => {
    const samples = samplesOf(result, peer);
    const median = (pick: (sample: Sample) => number): number => summarise(samples.map(pick)).median / 1_000;
    const p50 = median((sample) => sample.latencyMicros.p50);
    const p99 = median((sample) => sample.latencyMicros.p99);
    const text = `${figure(p50)} · ${figure(p99)} ms`;
    return { label: peer, value: p50, least: p50, most: p99, text, tone: toneOf(peer) };
  });
  const parts = [`<h3>CPU time per ${result.unit}</h3>`, barChart(`${result.scenario}: CPU time`, cpu)];
  if (latencies.some((bar) => bar.value > 0)) {
    parts.push('<h3>Latency: p50 (bar) and p99 (line)</h3>', barChart(`${result.scenario}: latency`, latencies));
  }
  return parts.join('\n');
}

function idleChart(result: IdleResult): string {
  const sorted = [...result.memory].sort((a, b) => bytesEach(a) - bytesEach(b));
  const bars = sorted.map((memory): Bar => {
    const kibibytes = bytesEach(memory) / 1_024;
    const text = `${figure(kibibytes)} KiB`;
    return { label: memory.peer, value: kibibytes, least: kibibytes, most: kibibytes, text, tone: toneOf(memory.peer) };
  });
  return `<h3>Memory of a connection</h3>${barChart(`${result.scenario}: memory`, bars)}`;
}

function memoryChart(result: MemoryResult): string {
  const bars = result.growth.flatMap((growth): Bar[] =>
    (
      [
        [growth.fewRssBytes, growth.fewRequests],
        [growth.manyRssBytes, growth.manyRequests],
      ] as const
    ).map(([bytes, requests]) => {
      const value = bytes / 1_048_576;
      const text = `${figure(value)} MiB after ${requests} requests`;
      return { label: growth.peer, value, least: value, most: value, text, tone: toneOf(growth.peer) };
    }),
  );
  return barChart(`${result.scenario}: memory`, bars);
}

function toneOf(peer: string): Bar['tone'] {
  if (peer === OURS) return 'ours';
  return peer === FLOOR || peer === 'direct' ? 'floor' : 'other';
}

function htmlTable({ head, rows }: Table): string {
  const cells = (tag: string, row: readonly string[]): string =>
    `<tr>${row.map((cell) => `<${tag}>${escapeHtml(cell)}</${tag}>`).join('')}</tr>`;
  return `<table>${cells('th', head)}${rows.map((row) => cells('td', row)).join('')}</table>`;
}
