import { chooseGenerator } from '../load/choose.ts';
import type { Generator } from '../load/load.ts';
import type { Peer } from '../peers/peer.ts';
import { delay } from '../processes.ts';
import type { MemoryGrowth, MemoryResult } from '../results.ts';
import type { MemoryScenario } from '../scenarios.ts';
import { readTree } from './cpu.ts';
import { type Bench, messageOf, type StartedPeer, startPeers, stopPeers } from './start-peer.ts';

/** Pause before memory is read, for buffers of closed connections to go. */
const SETTLE_MS = 1_000;
/** Bound on the time spent for one peer; on a slow machine fewer requests are made, and the report says how many. */
const LIMIT_SECONDS = 90;
const SLICE_SECONDS = 5;

/** Measures how resident memory of each peer's process tree grows from few requests to many. One peer at a time. */
export async function measureMemory(
  bench: Bench,
  scenario: MemoryScenario,
  peers: readonly Peer[],
): Promise<MemoryResult> {
  const generator = chooseGenerator(scenario.pattern, scenario.tls, bench.forcedGenerator);
  const { started, failures } = await startPeers(bench, peers, scenario);
  const growth: MemoryGrowth[] = [];
  try {
    for (const peer of started) {
      try {
        growth.push(await measureGrowth(bench, scenario, generator, peer));
      } catch (error) {
        failures.push({ peer: peer.name, reason: messageOf(error) });
      }
    }
  } finally {
    await stopPeers(bench, started);
  }
  const { name, title, notMeasured } = scenario;
  return { kind: 'memory', scenario: name, title, generator: generator.name, growth, failures, notMeasured };
}

async function measureGrowth(
  bench: Bench,
  scenario: MemoryScenario,
  generator: Generator,
  peer: StartedPeer,
): Promise<MemoryGrowth> {
  const target = { port: peer.port, tls: scenario.tls, path: scenario.path };
  const limit = performance.now() + LIMIT_SECONDS * 1_000;
  let requests = 0;
  let errors = 0;
  let perSecond = 10_000;
  const loadUntil = async (goal: number): Promise<number> => {
    while (requests < goal && performance.now() < limit) {
      bench.progress(`${scenario.name}: ${peer.name}, ${requests} of ${scenario.many} requests`);
      // A little less than what seems to be missing, since a slice cannot be shortened once it runs.
      const wanted = (0.9 * (goal - requests)) / perSecond;
      const load = await generator.run(target, scenario.pattern, Math.min(SLICE_SECONDS, Math.max(0.2, wanted)));
      if (load.requests === 0) throw new Error(`no request succeeded (${load.errorDetail || 'no errors told'})`);
      requests += load.requests;
      errors += load.errors;
      perSecond = load.requests / load.seconds;
    }
    await delay(SETTLE_MS);
    return readTree(peer.running?.pid ?? 0).rssBytes;
  };
  const fewRssBytes = await loadUntil(scenario.few);
  const fewRequests = requests;
  const manyRssBytes = await loadUntil(scenario.many);
  return { peer: peer.name, fewRequests, fewRssBytes, manyRequests: requests, manyRssBytes, errors };
}
