import { chooseGenerator } from '../load/choose.ts';
import type { Generator, LoadResult, Pattern, Target } from '../load/load.ts';
import type { Peer } from '../peers/peer.ts';
import type { CpuResult, Failure, Sample } from '../results.ts';
import type { CpuScenario, RateScenario } from '../scenarios.ts';
import { readTree } from './cpu.ts';
import { readProcessorTime } from './disturbance.ts';
import { type Bench, messageOf, type StartedPeer, startPeers, stopPeers } from './start-peer.ts';

/**
 * Measures one scenario: starts every peer, warms each up, then in each round loads one after the other, beginning
 * with another one each time, so that no peer always follows the same neighbour.
 */
export async function measureRounds(bench: Bench, scenario: CpuScenario, peers: readonly Peer[]): Promise<CpuResult> {
  const { name, title, unit, notMeasured, pattern } = scenario;
  const generator = chooseGenerator(pattern, scenario.tls, bench.forcedGenerator ?? scenario.generator);
  bench.progress(`${name}: starting ${peers.map((peer) => peer.name).join(', ')}`);
  const { started, failures } = await startPeers(bench, peers, scenario);
  const samples: Sample[] = [];
  try {
    await warmUp(bench, scenario, generator, pattern, started, failures);
    for (let round = 1; round <= bench.rounds; round += 1) {
      for (const peer of rotate(started, round - 1)) {
        bench.progress(`${name}: round ${round} of ${bench.rounds}, ${peer.name}`);
        await attempt(peer, failures, `round ${round}`, async () => {
          samples.push(await measureOnce(bench, scenario, generator, pattern, peer, round, bench.seconds));
        });
      }
    }
  } finally {
    await stopPeers(bench, started);
  }
  return { kind: 'cpu', scenario: name, title, unit, generator: generator.name, samples, failures, notMeasured };
}

/** Runs the load on each peer for a while without counting it. */
export async function warmUp(
  bench: Bench,
  scenario: CpuScenario | RateScenario,
  generator: Generator,
  pattern: Pattern,
  started: readonly StartedPeer[],
  failures: Failure[],
): Promise<void> {
  if (bench.warmupSeconds === 0) return;
  for (const peer of started) {
    if (peer.running === null) continue;
    bench.progress(`${scenario.name}: warming up ${peer.name}`);
    const seconds = peer.warmsUp ? bench.warmupSeconds : Math.max(0.2, bench.warmupSeconds / 5);
    await attempt(
      peer,
      failures,
      'warm-up',
      async () => void (await generator.run(targetOf(scenario, peer), pattern, seconds)),
    );
  }
}

/** One that ended has said so already; one that failed a single round gets its chance in the next. */
export async function attempt(
  peer: StartedPeer,
  failures: Failure[],
  what: string,
  work: () => Promise<void>,
): Promise<void> {
  if (peer.running?.ended() && failures.some((failure) => failure.peer === peer.name)) return;
  try {
    await work();
  } catch (error) {
    failures.push({ peer: peer.name, reason: `${what}: ${messageOf(error)}` });
  }
}

export function targetOf(scenario: CpuScenario | RateScenario, peer: StartedPeer): Target {
  return { port: peer.port, tls: scenario.tls && peer.running !== null, path: scenario.path };
}

/** Loads one peer once. Throws when it died under the load, or gave no answer. */
export async function measureOnce(
  bench: Bench,
  scenario: CpuScenario | RateScenario,
  generator: Generator,
  pattern: Pattern,
  peer: StartedPeer,
  round: number,
  seconds: number,
): Promise<Sample> {
  const proxy = scenario.wide ? null : bench.processors.proxy;
  const pid = peer.running?.pid ?? null;
  const processorBefore = readProcessorTime(proxy);
  const before = readUsage(pid);
  const began = performance.now();
  const reloads = scenario.kind === 'cpu' ? startReloading(peer, scenario.reloadEveryMs) : null;
  let load: LoadResult;
  try {
    load = await generator.run(targetOf(scenario, peer), pattern, seconds);
  } finally {
    await reloads?.stop();
  }
  const after = readUsage(pid);
  const processorMicros = readProcessorTime(proxy) - processorBefore;
  const elapsedMicros = (performance.now() - began) * 1_000;
  // CPU time of a process that ended may be lost to the sum, so such a sample would flatter its peer.
  const lost = before.pids.filter((id) => !after.pids.includes(id));
  if (lost.length > 0 && reloads === null) {
    throw new Error(`process ${lost.join(', ')} ended under load: ${peer.running?.output()}`);
  }
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
    reloads: reloads?.count() ?? 0,
  };
}

function readUsage(pid: number | null): { pids: readonly number[]; cpuMicros: number; rssBytes: number } {
  return pid === null ? { pids: [], cpuMicros: 0, rssBytes: 0 } : readTree(pid);
}

/** Numbers of configurations never repeat, or one would be no change. */
let generation = 0;

/** Changes the peer's configuration again and again until it is stopped. null where there is nothing to change. */
function startReloading(peer: StartedPeer, everyMs: number): { stop(): Promise<void>; count(): number } | null {
  const { reload, running } = peer;
  if (everyMs === 0 || reload === undefined || running === null) return null;
  let count = 0;
  let failure: unknown = null;
  let last: Promise<void> = Promise.resolve();
  const timer = setInterval(() => {
    last = last
      .then(() => {
        generation += 1;
        return reload(running, generation);
      })
      .then(
        () => {
          count += 1;
        },
        (error: unknown) => {
          failure ??= error;
        },
      );
  }, everyMs);
  return {
    count: () => count,
    async stop() {
      clearInterval(timer);
      await last;
      if (failure !== null) throw failure;
    },
  };
}

export function rotate<T>(items: readonly T[], by: number): T[] {
  const start = items.length === 0 ? 0 : by % items.length;
  return [...items.slice(start), ...items.slice(0, start)];
}
