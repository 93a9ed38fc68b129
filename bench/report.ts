import { figure, mebibytes } from './figures.ts';
import { summarise } from './measure/statistics.ts';
import { COMPARED, DIRECT } from './peers/all.ts';
import {
  bytesEach,
  type CpuResult,
  cpuOf,
  type IdleResult,
  type MemoryResult,
  peersOf,
  type Report,
  type Result,
  ratiosOf,
  type Sample,
  samplesOf,
} from './results.ts';
import { renderTable } from './table.ts';
import { checkTargets } from './verdict.ts';

/** Share of the proxy's processor used by others from which a sample is called disturbed. */
const DISTURBED = 0.1;

/** What a reader must not conclude from any of the figures; printed beneath them. */
export const NOT_MEASURED: readonly string[] = [
  'The network: all is loopback. Kernel time for packets, loss and round trips of a real link are not in these figures.',
  'Work in interrupts and the kernel threads that is not charged to a process.',
  'Equal work: the splice understands nothing of HTTP; nginx, HAProxy and the others parse, route and set headers.',
  'HTTP/2. Access logs, many routers, reloads and a second worker outside the scenarios named after them.',
];

/** The whole report as text for a terminal. */
export function renderReport(report: Report): string {
  const blocks = [
    renderHead(report),
    ...report.results.map(renderResult),
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

function renderResult(result: Result): string {
  const table = tableOf(result);
  return [
    `${result.scenario}: ${result.title} (load: ${result.generator})`,
    table.rows.length === 0 ? '  nothing measured' : renderTable(table.head, table.rows),
    ...(result.kind === 'cpu' ? renderDisturbance(result) : []),
    ...result.failures.map(({ peer, reason }) => `  FAILED ${peer}: ${reason.replaceAll(/\s*\n\s*/g, ' | ')}`),
    ...(result.notMeasured.trim() === '' ? [] : [`  not told: ${result.notMeasured.trim()}`]),
  ].join('\n');
}

export interface Table {
  readonly head: readonly string[];
  readonly rows: readonly (readonly string[])[];
}

/** The figures of a result, for a reader. */
export function tableOf(result: Result): Table {
  switch (result.kind) {
    case 'cpu':
      return cpuTable(result);
    case 'memory':
      return memoryTable(result);
    case 'idle':
      return idleTable(result);
  }
}

function cpuTable(result: CpuResult): Table {
  const { unit } = result;
  const compared = COMPARED.filter((peer) => peersOf(result).includes(peer));
  const reloading = result.samples.some((sample) => sample.reloads > 0);
  const added = peersOf(result).includes(DIRECT.name);
  const head = [
    'peer',
    `CPU µs/${unit}`,
    ...compared.map((peer) => `x ${peer}`),
    `${unit}s/s`,
    ...['p50 ms', 'p90', 'p99', 'p99.9', 'RSS MiB', 'busy'],
    ...(added ? ['added p50', 'added p99'] : []),
    ...(reloading ? ['reloads'] : []),
    'errors',
  ];
  const rows = byCpu(result).map((peer) => {
    const samples = samplesOf(result, peer);
    const median = (pick: (sample: Sample) => number): number => summarise(samples.map(pick)).median;
    const latency = (pick: (latency: Sample['latencyMicros']) => number): string =>
      figure(median((sample) => pick(sample.latencyMicros)) / 1_000);
    const details = [...new Set(samples.map((sample) => sample.errorDetail).filter((text) => text !== ''))];
    const errors = samples.reduce((sum, sample) => sum + sample.errors, 0);
    return [
      peer,
      withSpread(cpuOf(result, peer), figure),
      ...compared.map((other) => withSpread(ratiosOf(result, peer, other), (value) => value.toFixed(2))),
      figure(median((sample) => sample.requestsPerSecond)),
      ...[latency((l) => l.p50), latency((l) => l.p90), latency((l) => l.p99), latency((l) => l.p999)],
      mebibytes(median((sample) => sample.rssBytes)),
      `${(100 * median((sample) => sample.busy)).toFixed(0)} %`,
      ...(added
        ? [addedOf(result, peer, (l) => l.p50), addedOf(result, peer, (l) => l.p99)].map((micros) =>
            figure(micros / 1_000),
          )
        : []),
      ...(reloading ? [String(samples.reduce((sum, sample) => sum + sample.reloads, 0))] : []),
      details.length === 0 ? String(errors) : `${errors} (${details.join('; ')})`,
    ];
  });
  return { head, rows };
}

/** Microseconds by which a quantile is above that without a proxy in the same round: the median of the rounds. */
function addedOf(result: CpuResult, peer: string, pick: (latency: Sample['latencyMicros']) => number): number {
  const without = new Map(samplesOf(result, DIRECT.name).map((sample) => [sample.round, pick(sample.latencyMicros)]));
  const differences = samplesOf(result, peer).map(
    (sample) => pick(sample.latencyMicros) - (without.get(sample.round) ?? Number.NaN),
  );
  return summarise(differences.filter(Number.isFinite)).median;
}

/** Peers of a result, the cheapest first. */
export function byCpu(result: CpuResult): string[] {
  const median = (peer: string): number => summarise(cpuOf(result, peer)).median;
  return peersOf(result).sort((a, b) => median(a) - median(b));
}

/** `14.9 (14.5-15.4)`: the median, and the least and the most of the rounds. */
function withSpread(values: readonly number[], format: (value: number) => string): string {
  const { median, least, most } = summarise(values);
  if (!Number.isFinite(median)) return '-';
  return values.length < 2 ? format(median) : `${format(median)} (${format(least)}-${format(most)})`;
}

/** Says when other work ran on the proxy's processor: it costs cache and time slices, so it moves the figures. */
function renderDisturbance(result: CpuResult): string[] {
  const disturbed = result.samples.filter((sample) => sample.disturbance > DISTURBED);
  if (disturbed.length === 0) return [];
  const most = Math.max(...disturbed.map((sample) => sample.disturbance));
  const share = `up to ${(100 * most).toFixed(0)} % of the proxy's processor`;
  return [`  DISTURBED: others used ${share} in ${disturbed.length} of ${result.samples.length} samples`];
}

function memoryTable(result: MemoryResult): Table {
  const rows = result.growth.map((growth) => [
    growth.peer,
    `${mebibytes(growth.fewRssBytes)} after ${growth.fewRequests}`,
    `${mebibytes(growth.manyRssBytes)} after ${growth.manyRequests}`,
    mebibytes(growth.manyRssBytes - growth.fewRssBytes),
    String(growth.errors),
  ]);
  return { head: ['peer', 'RSS MiB, few requests', 'RSS MiB, many requests', 'growth', 'errors'], rows };
}

function idleTable(result: IdleResult): Table {
  const sorted = [...result.memory].sort((a, b) => bytesEach(a) - bytesEach(b));
  const rows = sorted.map((memory) => [
    memory.peer,
    figure(bytesEach(memory) / 1_024),
    String(memory.connections),
    mebibytes(memory.beforeRssBytes),
    mebibytes(memory.withRssBytes),
    memory.errorDetail === '' ? String(memory.errors) : `${memory.errors} (${memory.errorDetail})`,
  ]);
  return { head: ['peer', 'KiB each', 'connections', 'RSS MiB before', 'RSS MiB with', 'errors'], rows };
}

function renderTargets(report: Report): string {
  const rows = checkTargets(report).map(({ text, seen, verdict }) => [text, seen, verdict]);
  if (rows.length === 0) return 'Targets: none belongs to these scenarios';
  return `Targets (median of the rounds' ratios)\n${renderTable(['target', 'seen', 'verdict'], rows)}`;
}
