import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { freePort, waitUntilServing } from '../network.ts';
import type { Certificate, Peer } from '../peers/peer.ts';
import type { Processes, Running } from '../processes.ts';
import type { Scenario } from '../scenarios.ts';
import type { Processors } from './processors.ts';

/** What measuring needs, for the length of a run. */
export interface Bench {
  readonly processes: Processes;
  readonly processors: Processors;
  readonly upstreamPort: number;
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
  readonly running: Running;
}

/** Starts a peer on the proxy's processor and waits until it answers 200. Rejects, with its output, when it does not. */
export async function startPeer(bench: Bench, peer: Peer, scenario: Scenario): Promise<StartedPeer> {
  const port = await freePort();
  const directory = join(bench.directory, `${scenario.name}-${peer.name}`);
  mkdirSync(directory, { recursive: true });
  const { upstreamPort, certificate } = bench;
  const { command, args } = peer.prepare({ tls: scenario.tls, port, upstreamPort, certificate, directory });
  const running = bench.processes.start(peer.name, command, args, bench.processors.proxy);
  try {
    await waitUntilServing({ port, tls: scenario.tls, path: scenario.path }, running);
  } catch (error) {
    await bench.processes.stop(running.pid);
    throw error;
  }
  return { name: peer.name, warmsUp: peer.warmsUp, port, running };
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

export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
