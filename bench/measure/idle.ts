import { spawn } from 'node:child_process';
import { join } from 'node:path';
import type { Target } from '../load/load.ts';
import type { Peer } from '../peers/peer.ts';
import { delay } from '../processes.ts';
import type { IdleMemory, IdleResult } from '../results.ts';
import type { IdleScenario } from '../scenarios.ts';
import { readTree } from './cpu.ts';
import { type Bench, messageOf, type StartedPeer, startPeer, stopPeers } from './start-peer.ts';

/** Connections made and closed before memory is read for the first time: code and buffers that stay are not counted. */
const WARM_UP = 500;
/** Pause before memory is read, for what is freed late. */
const SETTLE_MS = 3_000;
const LIMIT_MS = 120_000;

/** Measures the resident memory that idle connections take. One peer at a time, each fresh. */
export async function measureIdle(bench: Bench, scenario: IdleScenario, peers: readonly Peer[]): Promise<IdleResult> {
  const memory: IdleMemory[] = [];
  const failures: { peer: string; reason: string }[] = [];
  for (const peer of peers) {
    try {
      bench.progress(`${scenario.name}: ${peer.name}`);
      const started = await startPeer(bench, peer, scenario);
      try {
        memory.push(await measureOne(scenario, started));
      } finally {
        await stopPeers(bench, [started]);
      }
    } catch (error) {
      failures.push({ peer: peer.name, reason: messageOf(error) });
    }
  }
  const { name, title, notMeasured } = scenario;
  return { kind: 'idle', scenario: name, title, generator: 'own', memory, failures, notMeasured };
}

async function measureOne(scenario: IdleScenario, peer: StartedPeer): Promise<IdleMemory> {
  const pid = peer.running?.pid ?? 0;
  const target: Target = { port: peer.port, tls: scenario.tls, path: scenario.path };
  await (await hold(target, WARM_UP)).close();
  await delay(SETTLE_MS);
  const beforeRssBytes = readTree(pid).rssBytes;
  const held = await hold(target, scenario.connections);
  await delay(SETTLE_MS);
  const withRssBytes = readTree(pid).rssBytes;
  const closed = await held.close();
  if (held.open === 0) throw new Error(`no connection could be made (${held.errorDetail})`);
  const detail = [held.errorDetail, closed === 0 ? '' : `${closed} closed by the proxy`].filter((text) => text !== '');
  return {
    peer: peer.name,
    connections: held.open,
    beforeRssBytes,
    withRssBytes,
    errors: held.errors + closed,
    errorDetail: detail.join(', '),
  };
}

interface Held {
  readonly open: number;
  readonly errors: number;
  readonly errorDetail: string;
  /** Closes them all; tells how many the proxy had closed by itself. */
  close(): Promise<number>;
}

/** Opens connections, makes a request on each, and keeps them. */
async function hold(target: Target, connections: number): Promise<Held> {
  const script = join(import.meta.dirname, '../load/idle-client.ts');
  const child = spawn(process.execPath, [script, JSON.stringify({ target, connections })], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const limit = setTimeout(() => child.kill('SIGKILL'), LIMIT_MS);
  const end = (): void => void child.kill('SIGKILL');
  process.once('exit', end);
  const lines: string[] = [];
  let text = '';
  let wake: (() => void) | null = null;
  child.stdout.on('data', (chunk: Buffer) => {
    text += chunk.toString('utf8');
    const parts = text.split('\n');
    text = parts.pop() ?? '';
    lines.push(...parts);
    wake?.();
  });
  let ended = false;
  child.once('close', () => {
    ended = true;
    clearTimeout(limit);
    process.removeListener('exit', end);
    wake?.();
  });
  const line = async (): Promise<string> => {
    while (lines.length === 0) {
      if (ended) throw new Error('the client of idle connections ended without a report');
      await new Promise<void>((resolve) => {
        wake = resolve;
      });
    }
    return lines.shift() ?? '';
  };
  const report = JSON.parse(await line()) as Omit<Held, 'close'>;
  return {
    ...report,
    async close() {
      child.stdin.end();
      return (JSON.parse(await line()) as { closed: number }).closed;
    },
  };
}
