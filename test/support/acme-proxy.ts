import type { X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import { join } from 'node:path';
import { type ConnectionOptions, connect, type TLSSocket } from 'node:tls';
import type { CertificateList } from '../../src/control/acme-commands.ts';
import { freePort } from './ports.ts';
import { type ProxyOptions, type ProxyProcess, startProxy } from './proxy.ts';
import { runCommand } from './run-command.ts';
import { waitFor } from './wait-for.ts';

/** A CA as the proxy needs to know it: pebble or step-ca. */
export interface AcmeAuthority {
  readonly directory: string;
  readonly rootFile: string;
  readonly httpPort: number;
  readonly tlsPort: number;
}

export interface AcmeProxyOptions extends Pick<ProxyOptions, 'workers' | 'env' | 'readyTimeoutMs'> {
  /** One router and one certificate each. */
  readonly hosts: readonly string[];
  readonly challenge?: 'http' | 'tls';
  /** More of the resolver's `acme` section. */
  readonly acme?: Readonly<Record<string, unknown>>;
  /** Instead of a file of its own in the proxy's directory. */
  readonly storage: string;
  /** Of the entry point `web`; where the authority looks, unless given. */
  readonly httpPort?: number;
  /** More of the dynamic file. */
  readonly dynamic?: Readonly<Record<string, unknown>>;
  /** More HTTP routers and middlewares. */
  readonly http?: { readonly routers?: object; readonly middlewares?: object };
}

/** A proxy whose `web` redirects to `websecure`, and whose hosts answer their own name by the resolver `ca`. */
export async function startAcmeProxy(authority: AcmeAuthority, options: AcmeProxyOptions): Promise<ProxyProcess> {
  const { challenge = 'http', storage } = options;
  const web = options.httpPort ?? (challenge === 'http' ? authority.httpPort : await freePort());
  const websecure = challenge === 'tls' ? authority.tlsPort : await freePort();
  return startProxy({
    static: {
      entryPoints: {
        web: {
          address: `127.0.0.1:${web}`,
          http: { redirections: { entryPoint: { to: 'websecure', scheme: 'https' } } },
        },
        websecure: { address: `127.0.0.1:${websecure}` },
        metrics: {},
      },
      metrics: { prometheus: { entryPoint: 'metrics' } },
      api: {},
      log: { level: 'DEBUG' },
      certificatesResolvers: {
        ca: {
          acme: {
            email: 'admin@example.test',
            caServer: authority.directory,
            caCertificates: [authority.rootFile],
            storage,
            ...(challenge === 'http' ? { httpChallenge: { entryPoint: 'web' } } : { tlsChallenge: {} }),
            ...options.acme,
          },
        },
      },
    },
    dynamic: dynamicFor(options.hosts, options),
    workers: options.workers ?? 2,
    ...(options.env === undefined ? {} : { env: options.env }),
    ...(options.readyTimeoutMs === undefined ? {} : { readyTimeoutMs: options.readyTimeoutMs }),
  });
}

/** The dynamic file for these hosts. */
export function dynamicFor(
  hosts: readonly string[],
  { dynamic = {}, http = {} }: Pick<AcmeProxyOptions, 'dynamic' | 'http'> = {},
): Record<string, unknown> {
  const routers = Object.fromEntries(
    hosts.map((host) => [
      host.replaceAll('.', '-'),
      { rule: `Host(\`${host}\`)`, service: 'api@internal', entryPoints: ['websecure'], tls: { certResolver: 'ca' } },
    ]),
  );
  return {
    http: {
      routers: { ...routers, ...http.routers },
      ...(http.middlewares === undefined ? {} : { middlewares: http.middlewares }),
    },
    ...dynamic,
  };
}

/** A TLS connection to `websecure`. @throws Error where the handshake fails */
export async function handshake(
  proxy: ProxyProcess,
  servername: string,
  options: ConnectionOptions = {},
): Promise<TLSSocket> {
  const socket = connect({
    host: '127.0.0.1',
    port: proxy.port('websecure'),
    servername,
    rejectUnauthorized: false,
    ...options,
  });
  // A socket that breaks later must not end the test run.
  socket.on('error', () => undefined);
  await once(socket, 'secureConnect');
  return socket;
}

/** What the proxy shows to a client that asks for this name. */
export async function servedCertificate(proxy: ProxyProcess, servername: string): Promise<X509Certificate> {
  const socket = await handshake(proxy, servername);
  const certificate = socket.getPeerX509Certificate();
  socket.destroy();
  if (certificate === undefined) throw new Error('no certificate came');
  return certificate;
}

/** Resolves when each host is served with a certificate for its name, in the time (milliseconds) that is allowed. */
export async function waitForCertificates(
  proxy: ProxyProcess,
  hosts: readonly string[],
  timeoutMs = 60_000,
): Promise<readonly X509Certificate[]> {
  const found: X509Certificate[] = [];
  for (const host of hosts) {
    const certificate = await waitFor(
      `a certificate for ${host}`,
      async () => {
        const one = await servedCertificate(proxy, host);
        return one.checkHost(host) === undefined ? undefined : one;
      },
      { timeoutMs, intervalMs: 50, describe: () => `\n${proxy.output().slice(-6000)}` },
    );
    found.push(certificate);
  }
  return found;
}

/** `proxy certs …` for a running proxy, with its answer as data. */
export async function certs(proxy: ProxyProcess, ...args: readonly string[]) {
  const result = await runCommand(['certs', ...args, '--config', proxy.configFile], { env: proxy.env });
  return { ...result, output: `${result.stdout}${result.stderr}` };
}

export async function certificateList(proxy: ProxyProcess): Promise<CertificateList> {
  const { stdout, stderr } = await certs(proxy, 'list', '--json');
  if (stdout === '') throw new Error(stderr);
  return JSON.parse(stdout) as CertificateList;
}

/** A storage in a directory of its own. */
export function storageIn(directory: string): string {
  return join(directory, 'acme.json');
}
