import { measureRounds } from '../measure/rounds.ts';
import type { Bench } from '../measure/start-peer.ts';
import { summarise } from '../measure/statistics.ts';
import { FLOOR } from '../peers/all.ts';
import type { Peer } from '../peers/peer.ts';
import { splice } from '../peers/splice.ts';
import { cpuOf, ratiosOf } from '../results.ts';
import { type CpuScenario, findScenarios } from '../scenarios.ts';
import { noiseOf, type ScenarioMeasurement } from './gate.ts';

/** What the gate looks at: the hot path, new connections, bodies. Short, and each pinned. */
export const GATE_SCENARIOS = ['keepalive', 'tls-keepalive', 'connect-plain', 'connect-tls', 'body-1m'] as const;
/** Where the gate proves that it would notice a slower proxy. */
export const PROOF_SCENARIO: string = GATE_SCENARIOS[0];

export interface GateMeasurement extends ScenarioMeasurement {
  /** Ratio of the proxy that was made slower; null where it was not measured. */
  readonly slowed: number | null;
  readonly failures: readonly string[];
}

/**
 * Measures the subject twice, as two processes side by side (A/A), next to the splice. The ratio is the median over the
 * rounds of both; what they differ by is the noise.
 */
export async function measureForGate(
  bench: Bench,
  name: string,
  subject: Peer,
  slowed: Peer | null,
): Promise<GateMeasurement> {
  const [scenario] = findScenarios([name]);
  if (scenario?.kind !== 'cpu') throw new Error(`${name} is no scenario for the gate`);
  const one: Peer = { ...subject, name: 'A' };
  const other: Peer = { ...subject, name: 'A again' };
  const peers = [splice, one, other, ...(slowed === null ? [] : [{ ...slowed, name: 'slowed' }])];
  const result = await measureRounds(bench, scenario satisfies CpuScenario, peers);
  const errors = result.samples.flatMap(({ peer, round, errorDetail }) =>
    errorDetail === '' ? [] : [`${peer}, round ${round}: ${errorDetail}`],
  );
  const ratios = [...ratiosOf(result, one.name, FLOOR), ...ratiosOf(result, other.name, FLOOR)];
  return {
    ratio: summarise(ratios).median,
    noise: noiseOf(cpuOf(result, one.name), cpuOf(result, other.name)),
    generator: result.generator,
    rounds: ratios.length,
    slowed: slowed === null ? null : summarise(ratiosOf(result, 'slowed', FLOOR)).median,
    failures: [...result.failures.map(({ peer, reason }) => `${peer}: ${reason}`), ...errors],
  };
}
