import type { HealthCheck, Server } from '../../core/config/dynamic.ts';
import type { ServersTransportSnapshot, Snapshot } from '../../core/snapshot.ts';
import { hostOf, portOf } from '../../core/url-address.ts';
import type { CheckAddress, CheckResult } from './check-result.ts';
import { checkGrpc } from './grpc-check.ts';
import { checkHttp } from './http-check.ts';
import { checkTcp } from './tcp-check.ts';

/** One server of one service that is to be checked. */
export interface CheckTarget {
  readonly service: string;
  readonly url: string;
  /** What the state is kept under: as long as server, check and transport stay the same, so does what is known. */
  readonly key: string;
  readonly config: HealthCheck;
  /** Runs the check once. Never rejects. */
  readonly run: () => Promise<CheckResult>;
}

/** Every server that a service with a `healthCheck` has. */
export function checkTargets(snapshot: Snapshot): CheckTarget[] {
  const targets: CheckTarget[] = [];
  for (const { name, status, config } of Object.values(snapshot.http.services)) {
    const { loadBalancer } = config;
    const check = loadBalancer?.healthCheck;
    if (status === 'disabled' || loadBalancer === undefined || check === undefined) continue;
    const transport = snapshot.http.serversTransports[loadBalancer.serversTransport ?? 'default@internal'];
    for (const server of new Map(loadBalancer.servers.map((one) => [one.url, one])).values()) {
      targets.push(targetOf(name, server, check, transport));
    }
  }
  return targets;
}

function targetOf(
  service: string,
  server: Server,
  config: HealthCheck,
  transport: ServersTransportSnapshot | undefined,
): CheckTarget {
  const url = new URL(server.url);
  const scheme = config.scheme !== undefined && config.scheme !== '' ? config.scheme : url.protocol.slice(0, -1);
  const secure = scheme === 'https';
  const host = hostOf(url);
  const port = config.port !== undefined && config.port !== 0 ? config.port : portOf(url);
  const address: CheckAddress = {
    host,
    port,
    ...(secure
      ? {
          tls: {
            ca: transport?.rootCAs ?? [],
            cert: (transport?.certificates ?? []).map((pair) => pair.cert),
            key: (transport?.certificates ?? []).map((pair) => pair.key),
            serverName: transport?.config.serverName ?? host,
            verify: transport?.config.insecureSkipVerify !== true,
          },
        }
      : {}),
  };
  const headers: Record<string, string> = { ...config.headers };
  if (config.hostname !== undefined && config.hostname !== '') headers.Host = config.hostname;
  const content = JSON.stringify([service, server.url, config, secure ? transport : null]);
  return {
    service,
    url: server.url,
    key: content,
    config,
    run: () => run(config, address, pathOf(config, url), headers),
  };
}

function run(
  config: HealthCheck,
  address: CheckAddress,
  path: string,
  headers: Readonly<Record<string, string>>,
): Promise<CheckResult> {
  switch (config.mode) {
    case 'tcp':
      return checkTcp(address, config.timeout);
    case 'grpc':
      return checkGrpc(address, headers, config.timeout);
    case 'http':
      return checkHttp({
        address,
        method: config.method,
        path,
        headers,
        status: config.status,
        body: config.body,
        followRedirects: config.followRedirects,
        timeoutMs: config.timeout,
      });
  }
}

/** The check's path as a link on the server's own URL, as Traefik has it: `health` and `/health` are the same. */
function pathOf({ path = '' }: HealthCheck, server: URL): string {
  const { pathname, search } = new URL(path, server);
  return pathname + search;
}
