import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { freePort, waitUntilServing } from '../network.ts';
import type { Certificate, CommandLine, Peer } from '../peers/peer.ts';
import type { Processes, Running } from '../processes.ts';
import type { Scenario } from '../scenarios.ts';
import { PATHS, type UpstreamKind } from '../upstream/upstream.ts';
import type { Processors } from './processors.ts';

/** What measuring needs, for the length of a run. */
export interface Bench {
  readonly processes: Processes;
  readonly processors: Processors;
  readonly upstreamPort: Readonly<Record<UpstreamKind, number>>;
  readonly certificate: Certificate;
  /** Folder of this run, removed at its end. */
  readonly directory: string;
  readonly rounds: number;
  readonly seconds: number;
  readonly warmupSeconds: number;
  readonly forcedGenerator: string | null;
  /** Says what is going on, in a few words. */
  progress(text: string): void;
}

/** A peer that serves. */
export interface StartedPeer {
  readonly name: string;
  readonly warmsUp: boolean;
  readonly port: number;
  /** null: no proxy, the port is the upstream's. */
  readonly running: Running | null;
  readonly reload: CommandLine['reload'];
}

/** Starts a peer on the proxy's processor and waits until it answers 200. Rejects, with its output, when it does not. */
export async function startPeer(bench: Bench, peer: Peer, scenario: Scenario): Promise<StartedPeer> {
  const { name, warmsUp } = peer;
  const port = await freePort();
  const adminPort = await freePort();
  const directory = join(bench.directory, `${scenario.name}-${name}`);
  mkdirSync(directory, { recursive: true });
  const upstreamPort = bench.upstreamPort[scenario.upstream];
  const { tls, workers, routers } = scenario;
  const { certificate } = bench;
  const accessLog = scenario.accessLog ? join(directory, 'access.log') : null;
  const setting = { tls, port, adminPort, upstreamPort, certificate, directory, workers, routers, accessLog };
  const line = peer.prepare(setting);
  if (line === null) return { name, warmsUp, port: upstreamPort, running: null, reload: undefined };
  const processor = scenario.wide ? bench.processors.proxyWorkers : bench.processors.proxy;
  const running = bench.processes.start(name, line.command, line.args, processor, line.env);
  try {
    await waitUntilServing({ port, tls, path: PATHS.small }, running);
  } catch (error) {
    await bench.processes.stop(running.pid);
    throw error;
  }
  return { name, warmsUp, port, running, reload: line.reload };
}

/** Starts all peers at once. Those that fail are named with their reason; the others go on. */
export async function startPeers(
  bench: Bench,
  peers: readonly Peer[],
  scenario: Scenario,
): Promise<{ started: StartedPeer[]; failures: { peer: string; reason: string }[] }> {
  const outcomes = await Promise.allSettled(peers.map((peer) => startPeer(bench, peer, scenario)));
  const started: StartedPeer[] = [];
  const failures: { peer: string; reason: string }[] = [];
  for (const [index, outcome] of outcomes.entries()) {
    const peer = peers[index]?.name ?? '';
    if (outcome.status === 'fulfilled') started.push(outcome.value);
    else failures.push({ peer, reason: messageOf(outcome.reason) });
  }
  return { started, failures };
}

export async function stopPeers(bench: Bench, peers: readonly StartedPeer[]): Promise<void> {
  await Promise.all(peers.map(({ running }) => (running === null ? null : bench.processes.stop(running.pid))));
}

export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
