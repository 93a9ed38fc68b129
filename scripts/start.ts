import { type ChildProcess, spawn } from 'node:child_process';
import { createConnection, createServer } from 'node:net';
import { constants } from 'node:os';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { type Address, parseAddress } from '../src/core/config/address.ts';
import { formatDiagnostic } from '../src/core/diagnostic.ts';
import { StaticConfigError } from '../src/core/static-config-error.ts';
import { loadStatic } from '../src/static-file.ts';
import { curlLines, type Ports } from './stand-in/curl-lines.ts';
import { type StandIns, startStandIns } from './stand-in/start.ts';
import { startLocalStepCa } from './step-ca/start.ts';

/*
 * `npm start`: the proxy as it is shipped (bin/proxy) on config/proxy.yml, with stand-ins for the backends that a newcomer
 * does not have. Arguments go on to the proxy: npm start -- --entryPoints.web.address=127.0.0.1:18080
 * With --with-step-ca it is config/step-ca/proxy.yml, and a real step-ca on this machine issues the certificates.
 *
 *   ports free? ─► stand-ins (─► step-ca) ─► bin/proxy ─► ready: what to try ─► (signal ─► passed on) ─► its exit code
 */

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const CONFIG = 'config/proxy.yml';
const STEP_CA_CONFIG = 'config/step-ca/proxy.yml';
const STEP_CA = '--with-step-ca';

/** A terminal's Ctrl-C reaches this process once by itself and once more through npm. A second one on purpose comes later. */
const SAME_SIGNAL_MS = 500;

async function main(given: readonly string[]): Promise<number> {
  process.chdir(ROOT);
  const withStepCa = given.includes(STEP_CA);
  const args = given.filter((arg) => arg !== STEP_CA);
  const file = withStepCa ? STEP_CA_CONFIG : CONFIG;
  const { config } = loadStatic(['--config', file, ...args], process.env);
  const web = addressOf(config.entryPoints, 'web');
  const websecure = addressOf(config.entryPoints, 'websecure');
  for (const [name, address] of Object.entries({ web, websecure })) await requireFree(name, address);

  const acme = config.certificatesResolvers['step-ca']?.acme;
  const stepCa = withStepCa && acme !== undefined ? await startLocalStepCa(acme, web.port) : null;
  const standIns = await startStandIns();
  // A process group of its own: a terminal's Ctrl-C must reach the proxy once, through here. Twice means "at once".
  const proxy = spawn(join(ROOT, 'bin/proxy'), ['run', '--config', file, ...args], {
    cwd: ROOT,
    stdio: ['ignore', 'inherit', 'inherit'],
    detached: true,
  });
  passSignalsOn(proxy);
  const ended = exitCodeOf(proxy);
  const ready = await Promise.race([whenAccepting(web, websecure).then(() => true), ended.then(() => false)]);
  if (ready) console.log(welcome(standIns, { web: web.port, websecure: websecure.port }, file, stepCa?.root));
  const code = await ended;
  await standIns.close();
  stepCa?.close();
  return code;
}

function addressOf(entryPoints: Readonly<Record<string, { readonly address: string }>>, name: string): Address {
  const text = entryPoints[name]?.address ?? '';
  const address = parseAddress(text);
  if (typeof address === 'string') throw new Error(`entry point ${name}: ${address}`);
  if (address.port === 0) throw new Error(`entry point ${name}: port 0 leaves nothing to print: name a port`);
  return address;
}

/** Asked before anything starts: what answers on a taken port would look like a proxy that is ready. */
async function requireFree(name: string, { host, port }: Address): Promise<void> {
  const server = createServer();
  const problem = await new Promise<NodeJS.ErrnoException | null>((resolve) => {
    server.once('error', resolve);
    server.listen({ host, port, exclusive: true }, () => server.close(() => resolve(null)));
  });
  if (problem === null) return;
  const free = `npm start -- --entryPoints.web.address=127.0.0.1:18080 --entryPoints.websecure.address=127.0.0.1:18443`;
  throw new Error(
    problem.code === 'EADDRINUSE'
      ? `port ${port} (entry point ${name}) is in use: stop what listens there (ss -ltnp 'sport = :${port}'), or take other ports:\n  ${free}`
      : `entry point ${name} cannot listen on ${host}:${port}: ${problem.message}`,
  );
}

function passSignalsOn(proxy: ChildProcess): void {
  let stoppedAt = Number.NEGATIVE_INFINITY;
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.on(signal, () => {
      const now = performance.now();
      if (now - stoppedAt < SAME_SIGNAL_MS) return;
      stoppedAt = now;
      proxy.kill(signal);
    });
  }
  for (const signal of ['SIGHUP', 'SIGUSR1'] as const) process.on(signal, () => void proxy.kill(signal));
  // Whatever ends this process, the proxy must not keep the ports of the next start.
  process.on('exit', () => void proxy.kill('SIGTERM'));
}

/** As a shell has it: 128 + the signal's number where a signal ended the process. */
function exitCodeOf(child: ChildProcess): Promise<number> {
  return new Promise((resolve, reject) => {
    child.once('error', (error) => reject(new Error(`bin/proxy cannot be started: ${error.message}`)));
    child.once('exit', (code, signal) => resolve(code ?? 128 + (signal === null ? 0 : constants.signals[signal])));
  });
}

async function whenAccepting(...addresses: readonly Address[]): Promise<void> {
  for (const { host, port } of addresses) {
    while (!(await accepts(host === '::' || host === '0.0.0.0' ? '127.0.0.1' : host, port))) await sleep(50);
  }
}

function accepts(host: string, port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = createConnection({ host, port });
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => resolve(false));
  });
}

function welcome({ lines }: StandIns, ports: Ports, file: string, root: string | undefined): string {
  const tries = curlLines(ports, root).flatMap(({ says, command }) => [`# ${says}`, command, '']);
  return [
    '',
    'Backends:',
    ...lines.map((line) => `  ${line}`),
    '',
    'Try, in another terminal:',
    '',
    ...tries,
    ...(root === undefined
      ? []
      : [`Certificates come from the step-ca of this machine (root: ${root}): bin/proxy certs`]),
    `Routes are in ${dirname(file)}/dynamic/: edit a file there and it is live. Ctrl-C stops everything.`,
  ].join('\n');
}

try {
  process.exitCode = await main(process.argv.slice(2));
} catch (error) {
  if (error instanceof StaticConfigError) {
    for (const diagnostic of error.diagnostics) console.error(formatDiagnostic(diagnostic));
  }
  console.error(`npm start: ${error instanceof Error ? error.message : String(error)}`);
  process.exitCode = 1;
}
