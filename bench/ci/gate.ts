import { summarise } from '../measure/statistics.ts';

/** What is known of one scenario when the baseline was recorded. */
export interface ScenarioBaseline {
  /** CPU time a request, as a multiple of the splice's in the same round: the median. */
  readonly ratio: number;
  /** Noise of that run, see {@link noiseOf}. */
  readonly noise: number;
  readonly generator: string;
}

/** What was measured of one scenario now. */
export interface ScenarioMeasurement extends ScenarioBaseline {
  /** Rounds that count. */
  readonly rounds: number;
}

export interface GateVerdict {
  readonly verdict: 'same' | 'better' | 'WORSE' | 'not judged';
  /** Share by which the ratio may exceed the baseline. */
  readonly tolerance: number;
  /** Share by which it does: 0.1 = 10 % worse. */
  readonly change: number;
  /** Why it was not judged; empty otherwise. */
  readonly reason: string;
}

/** What two runs on the same quiet machine differ by, besides the noise within a run: the compiler's luck, memory layout. Seen: 11 %. */
export const MARGIN_SAME_MACHINE = 0.15;
/** On another processor the kernel's share of a request weighs differently from JavaScript's. */
export const MARGIN_OTHER_MACHINE = 0.25;
/** However noisy the machine is, what costs half as much again is a failure. */
export const MOST_TOLERATED = 0.5;

/**
 * The noise of an A/A run: how far apart two processes of the same proxy are, measured side by side, as a share. The
 * median of the rounds' differences, plus twice the error of that median by the spread of the rounds.
 */
export function noiseOf(first: readonly number[], second: readonly number[]): number {
  const rounds = Math.min(first.length, second.length);
  if (rounds < 2) return Number.NaN;
  const differences = Array.from({ length: rounds }, (_, i) => Math.log((first[i] ?? 1) / (second[i] ?? 1)));
  const { median } = summarise(differences);
  const deviation = summarise(differences.map((difference) => Math.abs(difference - median))).median;
  // 1.4826 makes a standard deviation of a median deviation, 1.2533 the error of a median of that of a mean.
  return Math.abs(median) + (2 * 1.2533 * 1.4826 * deviation) / Math.sqrt(rounds);
}

/** Whether a scenario costs more than it did, by more than can be noise. */
export function judge(
  now: ScenarioMeasurement,
  baseline: ScenarioBaseline | undefined,
  sameMachine: boolean,
): GateVerdict {
  const margin = sameMachine ? MARGIN_SAME_MACHINE : MARGIN_OTHER_MACHINE;
  const none = { verdict: 'not judged', tolerance: Number.NaN, change: Number.NaN } as const;
  if (baseline === undefined) return { ...none, reason: 'the baseline has no such scenario' };
  if (baseline.generator !== now.generator) {
    return { ...none, reason: `measured with ${now.generator}, the baseline with ${baseline.generator}` };
  }
  if (!Number.isFinite(now.ratio) || !Number.isFinite(now.noise)) return { ...none, reason: 'too few rounds' };
  const tolerance = Math.min(MOST_TOLERATED, margin + now.noise);
  const change = now.ratio / baseline.ratio - 1;
  const verdict = change > tolerance ? 'WORSE' : change < -tolerance ? 'better' : 'same';
  return { verdict, tolerance, change, reason: '' };
}

/** Whether the gate would have noticed what is known to be slower. If not, its "same" says nothing. */
export function sees(slowed: number, now: ScenarioMeasurement, sameMachine: boolean): boolean {
  return judge({ ...now, ratio: slowed }, now, sameMachine).verdict === 'WORSE';
}
