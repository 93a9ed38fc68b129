import { chooseGenerator } from '../load/choose.ts';
import type { PacedPattern } from '../load/load.ts';
import type { Peer } from '../peers/peer.ts';
import type { CpuResult, Sample } from '../results.ts';
import type { RateScenario } from '../scenarios.ts';
import { attempt, measureOnce, rotate, targetOf, warmUp } from './rounds.ts';
import { type Bench, startPeers, stopPeers } from './start-peer.ts';

/** A fixed rate needs some time before its high quantiles mean anything. */
const LEAST_SECONDS = 2;

/**
 * Finds the capacity of each peer with the generator that keeps all connections busy, then sends shares of it at a fixed
 * rate. One result for each share. Without a proxy the rate is that of the slowest peer's capacity: what the load and the
 * upstream alone make of it.
 */
export async function measureRates(bench: Bench, scenario: RateScenario, peers: readonly Peer[]): Promise<CpuResult[]> {
  // As much as a client of this kind can ask for: what wrk can, the paced one cannot send.
  const full = chooseGenerator(scenario.pattern, scenario.tls, bench.forcedGenerator ?? 'autocannon');
  bench.progress(`${scenario.name}: starting ${peers.map((peer) => peer.name).join(', ')}`);
  const { started, failures } = await startPeers(bench, peers, scenario);
  const samples = scenario.shares.map((): Sample[] => []);
  let paced = '';
  try {
    await warmUp(bench, scenario, full, scenario.pattern, started, failures);
    const capacity = new Map<string, number>();
    for (const peer of started) {
      bench.progress(`${scenario.name}: capacity of ${peer.name}`);
      await attempt(peer, failures, 'capacity', async () => {
        const load = await full.run(targetOf(scenario, peer), scenario.pattern, bench.seconds);
        capacity.set(peer.name, load.requests / load.seconds);
      });
    }
    const slowest = Math.min(...started.flatMap((p) => (p.running === null ? [] : [capacity.get(p.name) ?? Infinity])));
    for (let round = 1; round <= bench.rounds; round += 1) {
      for (const [index, share] of scenario.shares.entries()) {
        for (const peer of rotate(started, round - 1)) {
          const most = peer.running === null ? slowest : capacity.get(peer.name);
          if (most === undefined) continue;
          bench.progress(`${scenario.name}: round ${round} of ${bench.rounds}, ${share * 100} % on ${peer.name}`);
          const pattern: PacedPattern = { kind: 'paced', requestsPerSecond: Math.round(most * share) };
          const generator = chooseGenerator(pattern, scenario.tls, null);
          paced = generator.name;
          await attempt(peer, failures, `round ${round}`, async () => {
            const seconds = Math.max(LEAST_SECONDS, bench.seconds);
            samples[index]?.push(await measureOnce(bench, scenario, generator, pattern, peer, round, seconds));
          });
        }
      }
    }
  } finally {
    await stopPeers(bench, started);
  }
  return scenario.shares.map((share, index) => ({
    kind: 'cpu',
    scenario: `${scenario.name}-${share * 100}`,
    title: `${scenario.title}: ${share * 100} % of each peer's capacity`,
    unit: 'request',
    generator: `${paced}; capacity by ${full.name}`,
    samples: samples[index] ?? [],
    failures: index === 0 ? failures : [],
    notMeasured: scenario.notMeasured,
  }));
}
