import { spawn, spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { request } from 'node:https';
import { dirname, join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { AcmeConfig } from '../../src/core/config/static.ts';
import { startDns } from './dns.ts';
import { findCommand } from './find.ts';

export interface LocalStepCa {
  /** PEM file of its root. */
  readonly root: string;
  close(): void;
}

const START_WITHIN_MS = 20_000;

/**
 * A real step-ca for the resolver of config/step-ca/proxy.yml: made at the first start in the directory that its root is
 * named in, and used again from then on. It listens where `caServer` says, and comes to `httpPort` with its challenges.
 *
 * @throws Error with what to do
 */
export async function startLocalStepCa(acme: AcmeConfig, httpPort: number): Promise<LocalStepCa> {
  const [stepCa, step] = [findCommand('step-ca'), findCommand('step')];
  const { hostname, port, host } = new URL(acme.caServer);
  const root = resolve(acme.caCertificates[0] ?? '.step-ca/certs/root_ca.crt');
  const home = dirname(dirname(root));
  const config = join(home, 'config/ca.json');
  const password = join(home, 'password');
  const env = { ...process.env, STEPPATH: home };
  const run = (...args: readonly string[]): void => {
    const { status, stderr } = spawnSync(step, args, { env, encoding: 'utf8' });
    if (status !== 0) throw new Error(`step ${args.join(' ')} failed:\n${stderr}`);
  };
  if (!existsSync(config)) {
    mkdirSync(home, { recursive: true, mode: 0o700 });
    writeFileSync(password, randomBytes(24).toString('base64url'), { mode: 0o600 });
    run(
      ...['ca', 'init', '--deployment-type', 'standalone', '--name', 'Phoenix local CA', '--provisioner', 'admin'],
      ...['--dns', hostname, '--address', host, '--password-file', password],
    );
    run('ca', 'provisioner', 'add', 'acme', '--type', 'ACME');
  }
  const made = JSON.parse(readFileSync(config, 'utf8')) as { address: string };
  if (made.address !== host) writeFileSync(config, JSON.stringify({ ...made, address: host }, null, 2));

  const dns = await startDns();
  const child = spawn(
    stepCa,
    [
      ...[config, '--password-file', password, '--resolver', `127.0.0.1:${dns.port}`],
      // Only a step-ca that is for trying may ask other ports than 80.
      ...['--insecure', '--acme-http-port', String(httpPort)],
    ],
    // Of a process group of its own, so that Ctrl-C leaves it to the proxy's last requests.
    { env, stdio: ['ignore', 'pipe', 'pipe'], detached: true },
  );
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => {
      output = (output + text).slice(-8192);
    });
  }
  let ended = false;
  child.once('error', () => {
    ended = true;
  });
  child.once('exit', () => {
    ended = true;
  });
  const close = (): void => {
    child.kill('SIGTERM');
    dns.close();
  };
  process.once('exit', () => child.kill('SIGTERM'));
  const deadline = performance.now() + START_WITHIN_MS;
  while (!(await isHealthy(hostname, Number(port || 443), readFileSync(root, 'utf8')))) {
    if (ended || performance.now() > deadline) {
      close();
      throw new Error(`step-ca did not start on ${host}:\n${output}`);
    }
    await sleep(100);
  }
  if (ended) {
    close();
    throw new Error(
      `another step-ca answers on ${host}: stop it, or take another port with --certificatesResolvers.step-ca.acme.caServer=…`,
    );
  }
  return { root, close };
}

function isHealthy(host: string, port: number, ca: string): Promise<boolean> {
  return new Promise((done) => {
    const asked = request({ host, port, path: '/health', ca, timeout: 1000 }, (response) => {
      response.resume();
      done(response.statusCode === 200);
    });
    asked.on('error', () => done(false));
    asked.on('timeout', () => asked.destroy());
    asked.end();
  });
}
