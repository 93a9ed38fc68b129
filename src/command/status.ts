import type { Command } from 'commander';
import type { ProxyStatus } from '../control/status.ts';
import { describeProgress } from './acme-progress.ts';
import { callProxy } from './client.ts';
import { EXIT } from './exit-code.ts';
import { type RemoteOptions, remote } from './options.ts';
import { print, printable } from './print.ts';
import { span } from './span.ts';
import { table } from './table.ts';

/** `proxy status`: what an operator wants to know first. Exits 1 where no worker serves, so that it can be a health check. */
export function addStatus(program: Command): void {
  remote(
    program
      .command('status')
      .description('version, workers, entry points, certificates, services, requests, the last reload'),
  ).action(async (options: RemoteOptions) => {
    const { ok, data } = await callProxy(options, 'status');
    const status = data as unknown as ProxyStatus & { readonly message?: string };
    if (options.json) console.log(JSON.stringify(status));
    else if (ok) for (const line of describe(status, Date.now()).split('\n')) print(printable(line));
    else console.error(`proxy: ${status.message}`);
    process.exitCode = ok && status.workers.some((w) => w.state === 'serving') ? EXIT.fine : EXIT.refused;
  });
}

/** @param now milliseconds since the epoch */
export function describe(status: ProxyStatus, now: number): string {
  const { snapshot, requests, lastReload, workerDeaths } = status;
  const lines = [
    `phoenix-proxy ${status.code}, process ${status.pid}: ${status.state}, up ${span(status.uptimeSeconds * 1_000)}`,
    `config      ${status.config === '' ? 'flags and environment alone' : status.config}`,
    `snapshot    version ${snapshot.version}: ${snapshot.routers} routers, ${snapshot.services} services, ${snapshot.errors} errors, ${snapshot.warnings} warnings`,
    `last reload ${lastReload === null ? 'none' : `${lastReload.ok ? 'ok' : 'FAILED'}, ${span(now - lastReload.at)} ago: ${lastReload.message}`} (${status.reloads.succeeded} ok, ${status.reloads.failed} failed)`,
    `requests    ${requests.perSecond.toFixed(1)}/s, ${requests.total} in all, ${requests.connections} connections open`,
  ];
  const errors = Object.entries(requests.errors).sort(([, a], [, b]) => b - a);
  if (errors.length > 0) lines.push(`failed      ${errors.map(([code, count]) => `${code} ${count}`).join(', ')}`);
  const { accessLogDropped, logDropped } = requests;
  if (accessLogDropped + logDropped > 0) {
    lines.push(
      `lost        ${accessLogDropped} lines of the access log, ${logDropped} of the log: a disk is or was full or slow`,
    );
  }
  for (const problem of status.problems) lines.push(`PROBLEM     ${problem}`);
  if (workerDeaths.count > 0) {
    const retry = workerDeaths.retryAt > now ? `, the next start in ${span(workerDeaths.retryAt - now)}` : '';
    lines.push(`deaths      ${workerDeaths.count} workers died; the last: ${workerDeaths.last}${retry}`);
  }
  lines.push(
    '',
    ...table(
      ['WORKER', 'STATE', 'CODE', 'SNAPSHOT', 'UP', 'REQUESTS', 'CONNECTIONS'],
      status.workers.map((w) => [
        String(w.pid),
        w.state,
        w.code,
        String(w.version),
        span(now - w.startedAt),
        String(w.requests),
        String(w.connections),
      ]),
    ),
    '',
    ...table(
      ['ENTRY POINT', 'ADDRESS'],
      status.entryPoints.map(({ name, address }) => [name, address]),
    ),
    '',
    ...table(
      ['CERTIFICATE', 'EXPIRES', 'FROM'],
      status.certificates.map(({ names, notAfter, origin }) => [names.join(' '), expiry(notAfter - now), origin]),
    ),
  );
  if (status.acme !== null) lines.push('', ...describeProgress(status.acme, now));
  if (status.services.length > 0) {
    lines.push(
      '',
      ...table(
        ['SERVICE', 'STATUS', 'SERVERS'],
        status.services.map(({ name, status: state, servers }) => [
          name,
          state,
          servers.map(describeServer).join(', '),
        ]),
      ),
    );
  }
  return lines.join('\n');
}

function expiry(left: number): string {
  return left < 0 ? `EXPIRED ${span(-left)} ago` : `in ${span(left)}`;
}

/** `http://10.0.0.7:8000 DOWN (status 503: loading model)`. */
function describeServer({
  url,
  status,
  check,
  ejected,
  draining,
}: ProxyStatus['services'][number]['servers'][number]): string {
  const why: string[] = [];
  if (check !== undefined && check.kind !== 'ok') why.push(check.detail);
  if (ejected !== undefined) why.push(`out after ${ejected.reason}`);
  if (draining === true) why.push('draining');
  return why.length === 0 ? `${url} ${status}` : `${url} ${status} (${why.join('; ')})`;
}
