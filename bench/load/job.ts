import { quantile } from '../measure/statistics.ts';
import type { LoadResult, Pattern, Target } from './load.ts';

/** What a generator's own process is asked to do: its only argument, as JSON. */
export interface Job<P extends Pattern> {
  readonly target: Target;
  readonly pattern: P;
  readonly seconds: number;
}

export function readJob<P extends Pattern>(): Job<P> {
  return JSON.parse(process.argv[2] ?? '') as Job<P>;
}

/** Collects what a generator's process sees, and writes it to stdout for the bench. */
export class Tally {
  readonly #latencies: number[] = [];
  readonly #errors = new Map<string, number>();

  /** @param micros from the moment it should have been sent to its arrival */
  answer(micros: number): void {
    this.#latencies.push(micros);
  }

  error(kind: string): void {
    this.#errors.set(kind, (this.#errors.get(kind) ?? 0) + 1);
  }

  get answers(): number {
    return this.#latencies.length;
  }

  report(seconds: number): void {
    const sorted = Float64Array.from(this.#latencies).sort();
    const result: LoadResult = {
      requests: sorted.length,
      seconds,
      latencyMicros: {
        p50: quantile(sorted, 0.5),
        p90: quantile(sorted, 0.9),
        p99: quantile(sorted, 0.99),
        p999: quantile(sorted, 0.999),
      },
      errors: [...this.#errors.values()].reduce((sum, count) => sum + count, 0),
      errorDetail: [...this.#errors].map(([kind, count]) => `${count} ${kind}`).join(', '),
    };
    process.stdout.write(JSON.stringify(result));
  }
}
