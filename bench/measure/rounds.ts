import { chooseGenerator } from '../load/choose.ts';
import type { Generator } from '../load/load.ts';
import type { Peer } from '../peers/peer.ts';
import type { CpuResult, Failure, Sample } from '../results.ts';
import type { CpuScenario } from '../scenarios.ts';
import { readTree } from './cpu.ts';
import { readProcessorTime } from './disturbance.ts';
import { type Bench, messageOf, type StartedPeer, startPeers } from './start-peer.ts';

/**
 * Measures one scenario: starts every peer, warms each up, then in each round loads one after the other, beginning
 * with another one each time, so that no peer always follows the same neighbour.
 */
export async function measureRounds(bench: Bench, scenario: CpuScenario, peers: readonly Peer[]): Promise<CpuResult> {
  const generator = chooseGenerator(scenario.pattern, scenario.tls, bench.forcedGenerator);
  bench.progress(`${scenario.name}: starting ${peers.map((peer) => peer.name).join(', ')}`);
  const { started, failures } = await startPeers(bench, peers, scenario);
  const samples: Sample[] = [];
  const attempt = async (peer: StartedPeer, what: string, work: () => Promise<void>): Promise<void> => {
    // One that ended has said so already; one that failed a single round gets its chance in the next.
    if (peer.running.ended() && failures.some((failure) => failure.peer === peer.name)) return;
    try {
      await work();
    } catch (error) {
      failures.push({ peer: peer.name, reason: `${what}: ${messageOf(error)}` } satisfies Failure);
    }
  };
  try {
    for (const peer of started) {
      if (bench.warmupSeconds === 0) break;
      bench.progress(`${scenario.name}: warming up ${peer.name}`);
      const target = { port: peer.port, tls: scenario.tls, path: scenario.path };
      const seconds = peer.warmsUp ? bench.warmupSeconds : Math.max(0.2, bench.warmupSeconds / 5);
      await attempt(peer, 'warm-up', async () => void (await generator.run(target, scenario.pattern, seconds)));
    }
    for (let round = 1; round <= bench.rounds; round += 1) {
      for (const peer of rotate(started, round - 1)) {
        bench.progress(`${scenario.name}: round ${round} of ${bench.rounds}, ${peer.name}`);
        await attempt(peer, `round ${round}`, async () => {
          samples.push(await measureOnce(bench, scenario, generator, peer, round));
        });
      }
    }
  } finally {
    await Promise.all(started.map((peer) => bench.processes.stop(peer.running.pid)));
  }
  const { name, title } = scenario;
  return { kind: 'cpu', scenario: name, title, generator: generator.name, samples, failures };
}

async function measureOnce(
  bench: Bench,
  scenario: CpuScenario,
  generator: Generator,
  peer: StartedPeer,
  round: number,
): Promise<Sample> {
  const { proxy } = bench.processors;
  const processorBefore = readProcessorTime(proxy);
  const before = readTree(peer.running.pid);
  const began = performance.now();
  const target = { port: peer.port, tls: scenario.tls, path: scenario.path };
  const load = await generator.run(target, scenario.pattern, bench.seconds);
  const after = readTree(peer.running.pid);
  const processorMicros = readProcessorTime(proxy) - processorBefore;
  const elapsedMicros = (performance.now() - began) * 1_000;
  // CPU time of a process that ended is lost to the sum, so such a sample would flatter its peer.
  const lost = before.pids.filter((pid) => !after.pids.includes(pid));
  if (lost.length > 0) throw new Error(`process ${lost.join(', ')} ended under load: ${peer.running.output()}`);
  if (load.requests === 0) throw new Error(`no request succeeded (${load.errorDetail || 'no errors told'})`);
  const cpuMicros = after.cpuMicros - before.cpuMicros;
  return {
    ...load,
    peer: peer.name,
    round,
    cpuMicrosPerRequest: cpuMicros / load.requests,
    requestsPerSecond: load.requests / load.seconds,
    rssBytes: after.rssBytes,
    busy: cpuMicros / elapsedMicros,
    disturbance: Math.max(0, processorMicros - cpuMicros) / elapsedMicros,
  };
}

function rotate<T>(items: readonly T[], by: number): T[] {
  const start = items.length === 0 ? 0 : by % items.length;
  return [...items.slice(start), ...items.slice(0, start)];
}
