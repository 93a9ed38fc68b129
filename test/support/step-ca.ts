import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll } from 'vitest';
import { type Child, startChild, stopAll, waitUntilAccepting } from './child.ts';
import { startDns } from './pebble.ts';
import { freePort } from './ports.ts';
import { tempDir } from './temp.ts';
import { findTool } from './tools.ts';

export interface StepCaOptions {
  /** Where it looks for challenges on the address of a name; free ports unless given. */
  readonly httpPort?: number;
  readonly tlsPort?: number;
  /** Life of its certificates as a Go duration; `5m`. The least it may be asked for is 5 s. */
  readonly duration?: string;
  /** How far before the moment of issue they begin, as a Go duration; step-ca's own is `1m`. */
  readonly backdate?: string;
  /** Makes everything and does not start it: the CA that is late. */
  readonly start?: boolean;
}

/** A real step-ca with an ACME provisioner `acme` (http-01, tls-alpn-01, dns-01, IP addresses), made by `step ca init`. */
export interface StepCa extends AsyncDisposable {
  readonly port: number;
  readonly directory: string;
  readonly rootFile: string;
  /** SHA-256 of the root certificate, in hexadecimal. */
  readonly fingerprint: string;
  readonly httpPort: number;
  readonly tlsPort: number;
  readonly dnsManagementPort: number;
  output(): string;
  /** Starts it (again), with the keys and the database it had. Resolves when it accepts. */
  start(): Promise<void>;
  /** SIGTERM, and waits: an outage. */
  halt(): Promise<void>;
}

/** What {@link startStepCa} needs; for `toolsMissing`. */
export const STEP_CA_TOOLS = ['step-ca', 'step', 'pebble-challtestsrv'] as const;

afterAll(stopAll);

/** Makes a step-ca on loopback, for which every name resolves to 127.0.0.1. */
export async function startStepCa(options: StepCaOptions = {}): Promise<StepCa> {
  const temp = await tempDir('phoenix-test-step-ca-');
  const port = await freePort();
  const httpPort = options.httpPort ?? (await freePort());
  const tlsPort = options.tlsPort ?? (await freePort());
  const password = join(temp.path, 'password');
  await writeFile(password, 'test\n', { mode: 0o600 });
  await step(temp.path, [
    ...['ca', 'init', '--name', 'Test CA', '--deployment-type', 'standalone', '--provisioner', 'admin'],
    ...['--dns', 'localhost', '--dns', '127.0.0.1', '--dns', 'ca.internal.test', '--address', `127.0.0.1:${port}`],
    ...['--password-file', password],
  ]);
  await step(temp.path, ['ca', 'provisioner', 'add', 'acme', '--type', 'ACME']);
  const configFile = join(temp.path, 'config/ca.json');
  await writeFile(
    configFile,
    withDuration(await readFile(configFile, 'utf8'), options.duration ?? '5m', options.backdate ?? '1m'),
  );
  const rootFile = join(temp.path, 'certs/root_ca.crt');
  const fingerprint = (await step(temp.path, ['certificate', 'fingerprint', rootFile])).trim();
  const dns = await startDns();

  let child: Child | undefined;
  let output = '';
  const start = async (): Promise<void> => {
    child = startChild(
      findTool('step-ca') ?? 'step-ca',
      [
        ...[configFile, '--password-file', password, '--insecure', '--resolver', `127.0.0.1:${dns.port}`],
        ...['--acme-http-port', String(httpPort), '--acme-tls-port', String(tlsPort)],
      ],
      { STEPPATH: temp.path },
    );
    await waitUntilAccepting(child, '127.0.0.1', port);
  };
  const halt = async (): Promise<void> => {
    await child?.stop();
    output += child?.output() ?? '';
    child = undefined;
  };
  if (options.start !== false) await start();
  return {
    port,
    directory: `https://127.0.0.1:${port}/acme/acme/directory`,
    rootFile,
    fingerprint,
    httpPort,
    tlsPort,
    dnsManagementPort: dns.managementPort,
    output: () => output + (child?.output() ?? ''),
    start,
    halt,
    [Symbol.asyncDispose]: async () => {
      await Promise.all([halt(), dns.child.stop()]);
      await temp.remove();
    },
  };
}

/** Runs `step`; what it printed. @throws Error with its output where it fails */
async function step(home: string, args: readonly string[]): Promise<string> {
  const child = startChild(findTool('step') ?? 'step', args, { STEPPATH: home });
  const { code } = await child.exit;
  if (code !== 0) throw new Error(`step ${args.join(' ')} ended with ${code}:\n${child.output()}`);
  return child.output();
}

function withDuration(text: string, duration: string, backdate: string): string {
  const config = JSON.parse(text) as {
    authority: { backdate?: string; provisioners: { type: string; claims?: object }[] };
  };
  config.authority.backdate = backdate;
  for (const provisioner of config.authority.provisioners) {
    if (provisioner.type !== 'ACME') continue;
    provisioner.claims = {
      ...provisioner.claims,
      minTLSCertDuration: '5s',
      maxTLSCertDuration: '24h',
      defaultTLSCertDuration: duration,
    };
  }
  return JSON.stringify(config, null, 2);
}
