/**
 * What the access log costs. Run: `npm run bench:access-log [-- --seconds S --rounds N --check]`; with `--check` it exits
 * with 1 where a format costs more than 15 % CPU a request. A proxy with the log and one without are loaded at the same
 * time, several rounds, so that what else the machine does weighs on both alike; CPU is that of worker and primary, from /proc.
 */
import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { type AddressInfo, createConnection, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { readTree } from './measure/cpu.ts';
import { findProgram } from './processes.ts';

const LIMIT_PERCENT = 15;
const PROXY = join(import.meta.dirname, '../bin/proxy');
const UPSTREAM = join(import.meta.dirname, 'upstream/raw-server.ts');

/** What is compared with a proxy without an access log. The first is the same twice: what it shows is the bench's own. */
const SETTINGS: Readonly<Record<string, string>> = {
  off: '',
  common: 'accessLog:\n  filePath: FILE\n',
  json: 'accessLog:\n  filePath: FILE\n  format: json\n',
  'json, headers': 'accessLog:\n  filePath: FILE\n  format: json\n  fields:\n    headers:\n      defaultMode: keep\n',
};

interface Running {
  readonly name: string;
  readonly pid: number;
  readonly port: number;
  readonly file: string;
  readonly perRequest: number[];
  requests: number;
}

interface Pair {
  readonly without: Running;
  readonly own: Running;
}

const option = (name: string, fallback: number): number => {
  const at = process.argv.indexOf(`--${name}`);
  return at < 0 ? fallback : Number(process.argv[at + 1]);
};
const seconds = option('seconds', 3);
const rounds = option('rounds', 5);

const wrk = findProgram('wrk');
if (wrk === null) throw new Error('wrk is not installed (Debian: apt install wrk)');
const directory = mkdtempSync(join(tmpdir(), 'phoenix-bench-'));
const children: ReturnType<typeof spawn>[] = [];
try {
  await run(wrk);
} finally {
  for (const child of children) child.kill('SIGTERM');
  await Promise.all(
    children.map((child) => (child.exitCode === null ? new Promise((r) => child.on('exit', r)) : null)),
  );
  rmSync(directory, { recursive: true, force: true });
}

async function run(wrk: string): Promise<void> {
  const upstream = await freePort();
  start(process.execPath, [UPSTREAM, String(upstream), '128']);
  await accepting(upstream);
  const dynamic = join(directory, 'dynamic.yml');
  writeFileSync(
    dynamic,
    `http: { routers: { all: { rule: "PathPrefix(\`/\`)", service: app } }, services: { app: { loadBalancer: { servers: [{ url: "http://127.0.0.1:${upstream}" }] } } } }\n`,
  );
  const pairs: Pair[] = [];
  for (const [name, text] of Object.entries(SETTINGS)) {
    // Each has its own to be compared with: one that serves all is compiled better, and looks cheaper for that alone.
    pairs.push({ without: await startProxy('off', '', dynamic), own: await startProxy(name, text, dynamic) });
  }
  // The compiler has seen everything before it counts.
  for (const { without, own } of pairs) for (const one of [without, own]) await load(wrk, one, 2);
  for (let round = 0; round < rounds; round++) {
    for (const { without, own } of pairs) await Promise.all([measure(wrk, without), measure(wrk, own)]);
  }
  report(pairs);
}

async function measure(wrk: string, one: Running): Promise<void> {
  const before = readTree(one.pid).cpuMicros;
  const lines = countLines(one.file);
  const requests = await load(wrk, one, seconds);
  // Lines that are held back are part of the cost.
  await sleep(400);
  one.perRequest.push((readTree(one.pid).cpuMicros - before) / requests);
  one.requests += requests;
  const written = countLines(one.file) - lines;
  // Requests that were under way when the load ended have a line, and are not in its count.
  if (one.name !== 'off' && (written < requests || written > requests + 64)) {
    throw new Error(`${one.name}: ${requests} requests made ${written} lines`);
  }
}

function report(pairs: readonly Pair[]): void {
  let worst = 0;
  console.log(`CPU a request, ${rounds} rounds of ${seconds} s, 16 connections, one worker`);
  for (const { without, own } of pairs) {
    const percent = median(own.perRequest.map((value, round) => (value / without.perRequest[round]! - 1) * 100));
    if (own.name === 'common' || own.name === 'json') worst = Math.max(worst, percent);
    const [before, after] = [median(without.perRequest), median(own.perRequest)];
    console.log(
      `${own.name.padEnd(14)} ${before.toFixed(1)} → ${after.toFixed(1)} µs  ${percent >= 0 ? '+' : ''}${percent.toFixed(1)} %  (${own.requests} requests)`,
    );
  }
  console.log(`worst of common and json: +${worst.toFixed(1)} % (limit ${LIMIT_PERCENT} %)`);
  if (process.argv.includes('--check') && worst > LIMIT_PERCENT) process.exitCode = 1;
}

async function startProxy(name: string, accessLog: string, dynamic: string): Promise<Running> {
  const port = await freePort();
  const file = join(directory, `${port}.log`);
  const config = join(directory, `${port}.yml`);
  writeFileSync(
    config,
    `entryPoints: { web: { address: "127.0.0.1:${port}" } }\nproviders: { file: { filename: ${dynamic} } }\nlog: { level: ERROR }\n${accessLog.replace('FILE', file)}`,
  );
  const child = start(PROXY, ['run', '--config', config, '--workers', '1']);
  await accepting(port);
  return { name, pid: child.pid!, port, file, perRequest: [], requests: 0 };
}

function start(command: string, args: readonly string[]): ReturnType<typeof spawn> {
  const child = spawn(command, args, { stdio: ['ignore', 'inherit', 'inherit'] });
  children.push(child);
  return child;
}

/** Requests that were answered. */
async function load(wrk: string, { port }: Running, seconds: number): Promise<number> {
  const args = [
    '-t',
    '1',
    '-c',
    '16',
    '-d',
    `${seconds}s`,
    '-H',
    'Referer: http://a.example/',
    `http://127.0.0.1:${port}/api/items?page=2`,
  ];
  const child = spawn(wrk, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  let text = '';
  for await (const chunk of child.stdout) text += chunk;
  const requests = Number(/(\d+) requests in/.exec(text)?.[1]);
  if (!(requests > 0) || /Non-2xx|Socket errors/.test(text)) throw new Error(`the load failed: ${text}`);
  return requests;
}

function countLines(file: string): number {
  try {
    if (statSync(file).size === 0) return 0;
  } catch {
    return 0;
  }
  const bytes = readFileSync(file);
  let lines = 0;
  for (let at = bytes.indexOf(10); at >= 0; at = bytes.indexOf(10, at + 1)) lines++;
  return lines;
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[sorted.length >> 1] ?? Number.NaN;
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer().once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address() as AddressInfo;
      server.close(() => resolve(port));
    });
  });
}

async function accepting(port: number): Promise<void> {
  for (let i = 0; i < 1_000; i++) {
    const open = await new Promise<boolean>((resolve) => {
      const socket = createConnection(port, '127.0.0.1', () => resolve(true)).on('error', () => resolve(false));
      socket.on('connect', () => socket.destroy());
    });
    if (open) return;
    await sleep(20);
  }
  throw new Error(`nothing accepts on port ${port}`);
}
