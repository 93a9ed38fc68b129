import { X509Certificate } from 'node:crypto';
import { Gauge, Registry } from 'prom-client';
import { ERROR_TABLE, type ErrorCode } from '../../core/errors.ts';
import type { CertificateSnapshot } from '../../core/snapshot.ts';
import type { AcmeProgress } from '../acme-commands.ts';
import type { ProxyStatus } from '../status.ts';
import { type Answer, type InternalRequest, plainText, refuseMethod } from './answer.ts';
import { addServices } from './service-metrics.ts';
import type { ApiState } from './state.ts';

/**
 * `prometheus@internal`: what the control plane knows, by Traefik's names where Traefik has one. The figures live elsewhere
 * and are put into a registry for each scrape: nothing here can drift from what `proxy status` says.
 */
export async function metrics(request: InternalRequest, state: ApiState): Promise<Answer> {
  const refused = refuseMethod(request.method);
  if (refused !== null) return refused;
  const registry = new Registry();
  const status = state.status?.();
  if (status !== undefined) {
    addStatus(registry, status);
    addServices((name, help, labelNames) => gauge(registry, name, help, labelNames), status);
  }
  if (status?.acme) addAcme(registry, status.acme);
  const certificates = [...state.snapshot.tls.certificates, state.snapshot.tls.defaultCertificate];
  const expiry = gauge(registry, 'traefik_tls_certs_not_after', 'Certificate expiration timestamp', [
    'cn',
    'serial',
    'sans',
  ]);
  for (const certificate of certificates) expiry.set(labelsOf(certificate), certificate.notAfter / 1_000);
  const answer = plainText(200, await registry.metrics());
  return { ...answer, headers: { ...answer.headers, 'Content-Type': registry.contentType } };
}

function addStatus(registry: Registry, status: ProxyStatus): void {
  const { requests, reloads, lastReload, workers, workerDeaths } = status;
  const set = (name: string, help: string, value: number): void => gauge(registry, name, help, []).set(value);
  set('traefik_config_reloads_total', 'Configuration reloads', reloads.succeeded + reloads.failed);
  set(
    'phoenix_config_reload_failures_total',
    'Configuration reloads that had an error or were refused',
    reloads.failed,
  );
  set(
    'traefik_config_last_reload_success',
    'Whether the last configuration reload succeeded',
    Number(lastReload?.ok ?? false),
  );
  set(
    'phoenix_config_last_reload_timestamp_seconds',
    'When the configuration was last reloaded',
    (lastReload?.at ?? 0) / 1_000,
  );
  set('phoenix_config_version', 'Version of the snapshot that is served', status.snapshot.version);
  set('phoenix_requests_total', 'Requests, over all entry points', requests.total);
  set('phoenix_open_connections', 'Connections of clients that are open', requests.connections);
  set('phoenix_worker_deaths_total', 'Workers that died and were replaced', workerDeaths.count);
  const byState = gauge(registry, 'phoenix_workers', 'Workers by state', ['state']);
  for (const name of ['starting', 'serving', 'draining']) {
    byState.set({ state: name }, workers.filter((worker) => worker.state === name).length);
  }
  const failed = gauge(registry, 'phoenix_requests_failed_total', 'Failed requests, by whose fault it was', [
    'code',
    'source',
  ]);
  for (const [code, kind] of Object.entries(ERROR_TABLE)) {
    failed.set({ code, source: kind.source }, requests.errors[code as ErrorCode] ?? 0);
  }
  const up = gauge(registry, 'traefik_service_server_up', 'Whether a server of a service is up', ['service', 'url']);
  for (const service of status.services) {
    for (const { url, status: state } of service.servers)
      up.set({ service: service.name, url }, Number(state === 'UP'));
  }
}

/** A reason may be long, and there may be one for each host: enough to be told of, within bounds. */
const MAX_REASONS = 100;
const MAX_REASON_CHARS = 200;

function addAcme(registry: Registry, { states, open, resolvers }: AcmeProgress): void {
  const byState = gauge(registry, 'phoenix_acme_certificates', 'Certificates by ACME, by state', ['state']);
  for (const state of ['waiting', 'ordering', 'valid', 'failed', 'unused'] as const) {
    byState.set({ state }, states[state] ?? 0);
  }
  const failed = gauge(registry, 'phoenix_acme_failures', 'Orders that failed in a row, with the last reason', [
    'from',
    'name',
    'reason',
  ]);
  for (const { from, names, failures = 0, lastError = '' } of open
    // While the CA itself is away its orders do not count as failures: the reason is there all the same.
    .filter((row) => row.state === 'failed')
    .slice(0, MAX_REASONS)) {
    failed.set({ from, name: names[0] ?? '', reason: lastError.slice(0, MAX_REASON_CHARS) }, failures);
  }
  const reached = gauge(registry, 'phoenix_acme_authority_reachable', 'Whether the CA of a resolver answers', [
    'resolver',
  ]);
  for (const { resolver, outage } of resolvers) reached.set({ resolver }, outage === undefined ? 1 : 0);
}

/** All are gauges to the library, which cannot set a counter: their names say which only grow. */
function gauge<T extends string>(registry: Registry, name: string, help: string, labelNames: readonly T[]): Gauge<T> {
  return new Gauge({ name, help, labelNames, registers: [registry] });
}

const labels = new WeakMap<CertificateSnapshot, { cn: string; serial: string; sans: string }>();

/** Parsed once for each certificate. */
function labelsOf(certificate: CertificateSnapshot): { cn: string; serial: string; sans: string } {
  let known = labels.get(certificate);
  if (known === undefined) {
    const { subject, serialNumber } = new X509Certificate(certificate.cert);
    const cn = /^CN=(.*)$/m.exec(subject)?.[1] ?? '';
    // As Traefik has it: decimal, and the names that are DNS names or addresses, comma separated.
    known = { cn, serial: BigInt(`0x${serialNumber}`).toString(), sans: certificate.names.join(',') };
    labels.set(certificate, known);
  }
  return known;
}
