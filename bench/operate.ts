import { spawn } from 'node:child_process';
import { mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import http from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

/*
 * What operating the proxy costs its clients: `npm run bench:operate`.
 *
 *   start with 100 routers ─► first answer
 *   reload of 1,000 routers ─► live in all workers; the latency of requests meanwhile against that before
 *   20 changes in 8 s under 300 kept-alive requests and 100 new connections a second ─► failures, time until live
 *
 * Everything runs on one machine, the load among it: times are upper bounds.
 */
const ROOT = fileURLToPath(new URL('..', import.meta.url));
const WORKERS = 2;

const dir = await mkdtemp(join(tmpdir(), 'phoenix-operate-'));
const upstream = http.createServer((_, response) => response.end('ok'));
await new Promise<void>((resolve) => upstream.listen(0, '127.0.0.1', resolve));
const upstreamPort = (upstream.address() as { port: number }).port;
const port = await freePort();
await writeFile(
  join(dir, 'proxy.yml'),
  `entryPoints: {web: {address: "127.0.0.1:${port}"}}\nproviders: {file: {filename: ${join(dir, 'dynamic.yml')}}}\n`,
);

try {
  await write(100, 0);
  const started = performance.now();
  const proxy = spawn(
    join(ROOT, 'bin/proxy'),
    ['run', '--config', join(dir, 'proxy.yml'), '--workers', String(WORKERS)],
    {
      env: { ...process.env, RUNTIME_DIRECTORY: join(dir, 'run') },
      stdio: ['ignore', 'pipe', 'inherit'],
    },
  );
  let output = '';
  proxy.stdout.setEncoding('utf8').on('data', (text: string) => {
    output += text;
  });
  try {
    await until(async () => (await get(null)) === 'ok', 10_000);
    say('ready with 100 routers', `${ms(performance.now() - started)} after its start`);
    await until(async () => (output.match(/ready:/g) ?? []).length > 0, 10_000);
    await reloadOfThousand(proxy.pid!, () => output);
    await twentyChanges(() => output);
  } finally {
    proxy.kill('SIGTERM');
    await new Promise((resolve) => proxy.once('exit', resolve));
  }
} finally {
  upstream.close();
  upstream.closeAllConnections();
  await rm(dir, { recursive: true, force: true });
}

async function reloadOfThousand(pid: number, output: () => string): Promise<void> {
  const agent = new http.Agent({ keepAlive: true });
  const latencies: number[] = [];
  let failed = 0;
  let running = true;
  const load = (async () => {
    while (running) {
      const from = performance.now();
      if ((await get(agent)) !== 'ok') failed++;
      latencies.push(performance.now() - from);
      await sleep(2);
    }
  })();
  await sleep(3_000);
  const before = latencies.splice(0);
  const live: number[] = [];
  for (let i = 1; i <= 5; i++) {
    await write(1_000, i);
    const seen = versions(output());
    const from = performance.now();
    process.kill(pid, 'SIGHUP');
    await until(async () => versions(output()) > seen, 10_000);
    live.push(performance.now() - from);
    await sleep(300);
  }
  running = false;
  await load;
  agent.destroy();
  say('reload of 1,000 routers', `live in ${WORKERS} workers ${live.map(ms).join(', ')} after the signal`);
  say(
    'requests meanwhile',
    `${latencies.length}, ${failed} failed, p99 ${ms(quantile(latencies, 0.99))} (before: ${ms(quantile(before, 0.99))})`,
  );
}

async function twentyChanges(output: () => string): Promise<void> {
  const agent = new http.Agent({ keepAlive: true });
  let done = 0;
  let failed = 0;
  const count = (answer: string): void => {
    done++;
    if (answer !== 'ok') failed++;
  };
  const kept = setInterval(() => void get(agent).then(count), 1_000 / 300);
  const fresh = setInterval(() => void get(null).then(count), 1_000 / 100);
  const live: number[] = [];
  for (let i = 1; i <= 20; i++) {
    const next = sleep(400);
    const seen = versions(output());
    const from = performance.now();
    await write(100, 100 + i);
    await until(async () => versions(output()) > seen, 5_000);
    live.push(performance.now() - from);
    await next;
  }
  clearInterval(kept);
  clearInterval(fresh);
  await sleep(200);
  agent.destroy();
  say(
    '20 changes in 8 s',
    `${done} requests, ${failed} failed; live after ${ms(quantile(live, 0.5))} at the median, ${ms(Math.max(...live))} at most`,
  );
}

/** The routes, and one that says which generation this is. */
async function write(routers: number, generation: number): Promise<void> {
  const lines = ['http:', '  routers:', '    all: {rule: "PathPrefix(`/`)", service: app, priority: 1}'];
  for (let i = 1; i < routers; i++) {
    lines.push(
      `    r${i}: {rule: "Host(\`r${i}-${i % 10 === 0 ? generation : 0}.test\`) && PathPrefix(\`/api\`)", service: app}`,
    );
  }
  lines.push(`    now: {rule: "Host(\`generation-${generation}.test\`)", service: app}`);
  lines.push('  services:', `    app: {loadBalancer: {servers: [{url: "http://127.0.0.1:${upstreamPort}"}]}}`);
  await writeFile(join(dir, '.next'), `${lines.join('\n')}\n`);
  await rename(join(dir, '.next'), join(dir, 'dynamic.yml'));
}

/** @param agent null: a connection of its own */
function get(agent: http.Agent | null): Promise<string> {
  return new Promise((resolve) => {
    const request = http.get({ host: '127.0.0.1', port, agent: agent ?? false, timeout: 5_000 }, (response) => {
      let body = '';
      response.setEncoding('utf8').on('data', (text: string) => {
        body += text;
      });
      response.on('end', () => resolve(body));
      response.on('error', (error) => resolve(error.message));
    });
    request.on('timeout', () => request.destroy(new Error('no answer')));
    request.on('error', (error) => resolve(error.message));
  });
}

function versions(output: string): number {
  return (output.match(new RegExp(`is live in ${WORKERS} workers`, 'g')) ?? []).length;
}

async function until(condition: () => Promise<boolean>, withinMs: number): Promise<void> {
  const end = performance.now() + withinMs;
  while (!(await condition())) {
    if (performance.now() > end) throw new Error('what was waited for did not come');
    await sleep(1);
  }
}

function quantile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0;
}

function ms(value: number): string {
  return `${value < 10 ? value.toFixed(1) : Math.round(value)} ms`;
}

function say(what: string, result: string): void {
  console.log(`${what.padEnd(26)}${result}`);
}

async function freePort(): Promise<number> {
  const server = http.createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port: free } = server.address() as { port: number };
  await new Promise((resolve) => server.close(resolve));
  return free;
}
