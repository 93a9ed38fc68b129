import { spawnSync } from 'node:child_process';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll } from 'vitest';
import { makeCa } from './certs.ts';
import { type Child, startChild, stopAll, waitUntilAccepting } from './child.ts';
import { freePort } from './ports.ts';
import { tempDir } from './temp.ts';
import { findTool } from './tools.ts';

export interface PebbleOptions {
  /** Where it looks for http-01 and tls-alpn-01 on 127.0.0.1; every name resolves there. Free ports unless given. */
  readonly httpPort?: number;
  readonly tlsPort?: number;
  /** Where it listens; a free port unless given. */
  readonly port?: number;
  /** Per cent of good nonces that it refuses; 0. */
  readonly rejectNonces?: number;
  /** Takes every challenge for answered. */
  readonly alwaysValid?: boolean;
  /** Seconds that certificates live; 90 days. Needs a pebble with profiles. */
  readonly validitySeconds?: number;
  /** Account binding: kid → HMAC key in base64url. Accounts without one are refused then. */
  readonly eab?: Readonly<Record<string, string>>;
  /** Alternate chains offered besides the first. */
  readonly alternateRoots?: number;
}

/** A running pebble, the ACME test server, with a DNS server of its own for which every name is 127.0.0.1. */
export interface Pebble extends AsyncDisposable {
  readonly port: number;
  readonly directory: string;
  /** PEM file of the root that its HTTPS certificate hangs from. */
  readonly rootFile: string;
  readonly root: string;
  readonly httpPort: number;
  readonly tlsPort: number;
  readonly dnsPort: number;
  /** For {@link setTxt}. */
  readonly dnsManagementPort: number;
  output(): string;
  stop(): Promise<void>;
}

/** What {@link startPebble} needs; for `toolsMissing`. */
export const PEBBLE_TOOLS = ['pebble', 'pebble-challtestsrv'] as const;

afterAll(stopAll);

/** Starts pebble and its DNS server on loopback. They share nothing with other instances, and forget everything when they stop. */
export async function startPebble(options: PebbleOptions = {}): Promise<Pebble> {
  const temp = await tempDir('phoenix-test-pebble-');
  const ca = makeCa('Pebble HTTPS Root');
  const { cert, key } = ca.issue({ sans: ['localhost', '127.0.0.1', 'pebble.test'] });
  await mkdir(join(temp.path, 'tls'));
  const files = {
    root: join(temp.path, 'tls/root.pem'),
    cert: join(temp.path, 'tls/cert.pem'),
    key: join(temp.path, 'tls/key.pem'),
  };
  await writeFile(files.root, ca.cert);
  await writeFile(files.cert, cert);
  await writeFile(files.key, key, { mode: 0o600 });
  const port = options.port ?? (await freePort());
  const httpPort = options.httpPort ?? (await freePort());
  const tlsPort = options.tlsPort ?? (await freePort());
  const dns = await startDns();
  const config = join(temp.path, 'pebble.json');
  const seconds = options.validitySeconds ?? 90 * 86_400;
  await writeFile(
    config,
    JSON.stringify({
      pebble: {
        listenAddress: `127.0.0.1:${port}`,
        managementListenAddress: `127.0.0.1:${await freePort()}`,
        certificate: files.cert,
        privateKey: files.key,
        httpPort,
        tlsPort,
        ocspResponderURL: '',
        externalAccountBindingRequired: options.eab !== undefined,
        ...(options.eab === undefined ? {} : { externalAccountMACKeys: options.eab }),
        // Debian's release knows the first, later ones the second.
        certificateValidityPeriod: seconds,
        profiles: { default: { description: 'The only one', validityPeriod: seconds } },
        retryAfter: { authz: 1, order: 1 },
      },
    }),
  );
  const child = startChild(findTool('pebble') ?? 'pebble', ['-config', config, '-dnsserver', `127.0.0.1:${dns.port}`], {
    PEBBLE_VA_NOSLEEP: '1',
    PEBBLE_VA_ALWAYS_VALID: options.alwaysValid === true ? '1' : '0',
    PEBBLE_WFE_NONCEREJECT: String(options.rejectNonces ?? 0),
    PEBBLE_ALTERNATE_ROOTS: String(options.alternateRoots ?? 0),
    PEBBLE_AUTHZREUSE: '0',
  });
  await waitUntilAccepting(child, '127.0.0.1', port);
  let stopped: Promise<void> | undefined;
  const stop = (): Promise<void> => {
    stopped ??= (async () => {
      await Promise.all([child.stop(), dns.child.stop()]);
      await temp.remove();
    })();
    return stopped;
  };
  return {
    port,
    directory: `https://localhost:${port}/dir`,
    rootFile: files.root,
    root: ca.cert,
    httpPort,
    tlsPort,
    dnsPort: dns.port,
    dnsManagementPort: dns.managementPort,
    output: child.output,
    stop,
    [Symbol.asyncDispose]: stop,
  };
}

export interface TestDns {
  readonly child: Child;
  readonly port: number;
  readonly managementPort: number;
}

/** A DNS server on loopback that answers 127.0.0.1 for every name. */
export async function startDns(): Promise<TestDns> {
  const port = await freePort();
  const managementPort = await freePort();
  const command = findTool('pebble-challtestsrv') ?? 'pebble-challtestsrv';
  // Debian's release has other flags than later ones.
  const help = spawnSync(command, ['-h'], { encoding: 'utf8' }).stderr;
  const child = startChild(command, [
    ...[help.includes('-dnsserver') ? '-dnsserver' : '-dns01', `127.0.0.1:${port}`],
    ...['-management', `127.0.0.1:${managementPort}`, '-defaultIPv4', '127.0.0.1', '-defaultIPv6', ''],
    ...['-http01', '', '-https01', '', '-tlsalpn01', '', ...(help.includes('-doh') ? ['-doh', ''] : [])],
  ]);
  await waitUntilAccepting(child, '127.0.0.1', managementPort);
  return { child, port, managementPort };
}
