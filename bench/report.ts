import { summarise } from './measure/statistics.ts';
import { FLOOR } from './peers/all.ts';
import { type CpuResult, cpuOf, type MemoryResult, type Report, ratiosOf, type Sample } from './results.ts';
import { renderTable } from './table.ts';
import { checkTargets } from './verdict.ts';

const MEBIBYTE = 1_048_576;
/** Share of the proxy's processor used by others from which a sample is called disturbed. */
const DISTURBED = 0.1;

/** What a reader must not conclude from the figures; printed beneath them. */
export const NOT_MEASURED: readonly string[] = [
  'The network: all is loopback. Kernel time for packets, loss and round trips of a real link are not in these figures.',
  'Work in interrupts and the kernel threads that is not charged to a process; scaling over more than one worker.',
  'Latency at a fixed rate: each connection waits for its answer before it asks again, so p50 and p99 show the queue ' +
    'of a loaded proxy, with coordinated omission. Read them as a symptom, CPU time as the result.',
  'Equal work: the splice understands nothing of HTTP; nginx, HAProxy and the others parse, route and set headers. ' +
    'Set-up of the kept-alive connections (TLS handshakes too) is inside each round.',
  'HTTP/2, WebSocket, server-sent events, uploads, access logs, many routers, reloads under load, resumed TLS sessions.',
];

/** The whole report as text for a terminal. */
export function renderReport(report: Report): string {
  const blocks = [
    renderHead(report),
    ...report.results.map((result) => (result.kind === 'cpu' ? renderCpu(result) : renderMemory(result))),
    renderTargets(report),
    ['Not measured', ...report.notMeasured.map((text) => `  - ${text}`)].join('\n'),
  ];
  return `\n${blocks.join('\n\n')}\n`;
}

function renderHead(report: Report): string {
  const versions = Object.entries(report.versions).map(([peer, version]) => `${peer} ${version}`);
  return [
    `phoenix-proxy bench, ${report.date}${report.quick ? ' (--quick: a rough look, not figures to quote)' : ''}`,
    `  ${report.machine}`,
    `  upstream: ${report.upstream}; Node ${report.node}; ${report.rounds} rounds of ${report.seconds} s`,
    `  peers: ${versions.join(', ')}`,
    ...report.missing.map(({ peer, reason }) => `  MISSING ${peer}: ${reason}`),
  ].join('\n');
}

function renderCpu(result: CpuResult): string {
  const peers = [...new Set(result.samples.map((sample) => sample.peer))];
  const byCpu = peers.sort((a, b) => summarise(cpuOf(result, a)).median - summarise(cpuOf(result, b)).median);
  const head = ['peer', 'CPU µs/req', '(spread)', `x ${FLOOR}`, '(spread)', 'req/s', 'p50 ms', 'p99 ms'];
  const rows = byCpu.map((peer) => cpuRow(result, peer));
  return [
    `${result.scenario}: ${result.title} (load: ${result.generator})`,
    rows.length === 0 ? '  nothing measured' : renderTable([...head, 'RSS MiB', 'busy', 'errors'], rows),
    ...renderDisturbance(result),
    ...result.failures.map(({ peer, reason }) => `  FAILED ${peer}: ${reason}`),
  ].join('\n');
}

/** Says when other work ran on the proxy's processor: it costs cache and time slices, so it moves the figures. */
function renderDisturbance(result: CpuResult): string[] {
  const disturbed = result.samples.filter((sample) => sample.disturbance > DISTURBED);
  if (disturbed.length === 0) return [];
  const most = Math.max(...disturbed.map((sample) => sample.disturbance));
  const share = `up to ${(100 * most).toFixed(0)} % of the proxy's processor`;
  return [`  DISTURBED: others used ${share} in ${disturbed.length} of ${result.samples.length} samples`];
}

function cpuRow(result: CpuResult, peer: string): string[] {
  const samples = result.samples.filter((sample) => sample.peer === peer);
  const median = (pick: (sample: Sample) => number): number => summarise(samples.map(pick)).median;
  const cpu = summarise(cpuOf(result, peer));
  const ratio = summarise(ratiosOf(result, peer, FLOOR));
  const details = [...new Set(samples.map((sample) => sample.errorDetail).filter((text) => text !== ''))];
  const errors = samples.reduce((sum, sample) => sum + sample.errors, 0);
  return [
    peer,
    figure(cpu.median),
    `${figure(cpu.least)}-${figure(cpu.most)}`,
    ratio.median.toFixed(2),
    `${ratio.least.toFixed(2)}-${ratio.most.toFixed(2)}`,
    Math.round(median((sample) => sample.requestsPerSecond)).toString(),
    figure(median((sample) => sample.latencyMicros.p50) / 1_000),
    figure(median((sample) => sample.latencyMicros.p99) / 1_000),
    (median((sample) => sample.rssBytes) / MEBIBYTE).toFixed(0),
    `${(100 * median((sample) => sample.busy)).toFixed(0)} %`,
    details.length === 0 ? String(errors) : `${errors} (${details.join('; ')})`,
  ];
}

function renderMemory(result: MemoryResult): string {
  const rows = result.growth.map((growth) => [
    growth.peer,
    `${mebibytes(growth.fewRssBytes)} after ${growth.fewRequests}`,
    `${mebibytes(growth.manyRssBytes)} after ${growth.manyRequests}`,
    mebibytes(growth.manyRssBytes - growth.fewRssBytes),
    String(growth.errors),
  ]);
  const head = ['peer', 'RSS MiB, few requests', 'RSS MiB, many requests', 'growth', 'errors'];
  return [
    `${result.scenario}: ${result.title} (load: ${result.generator})`,
    rows.length === 0 ? '  nothing measured' : renderTable(head, rows),
    ...result.failures.map(({ peer, reason }) => `  FAILED ${peer}: ${reason}`),
  ].join('\n');
}

function renderTargets(report: Report): string {
  const rows = checkTargets(report).map(({ text, seen, verdict }) => [text, seen, verdict]);
  if (rows.length === 0) return 'Targets: none belongs to these scenarios';
  return `Targets (median of the rounds' ratios)\n${renderTable(['target', 'seen', 'verdict'], rows)}`;
}

function mebibytes(bytes: number): string {
  return (bytes / MEBIBYTE).toFixed(1);
}

/** Three significant figures, which is more than the noise leaves. */
function figure(value: number): string {
  if (Number.isNaN(value)) return '-';
  return value >= 100 ? value.toFixed(0) : value.toPrecision(3);
}
