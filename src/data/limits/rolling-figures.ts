/** Responses of the last ten seconds, and latencies of the last minute, as Traefik's circuit breaker looks at them. */
const COUNT_SLICES = 10;
const COUNT_SLICE_MS = 1_000;
const LATENCY_SLICES = 6;
const LATENCY_SLICE_MS = 10_000;
/** Latencies within 2 % of each other are counted as one. */
const STEP = Math.log(1.02);

interface CountSlice {
  total: number;
  networkErrors: number;
  readonly byStatus: Map<number, number>;
}

/** Bounded: by statuses, and by latencies that can be told apart (about 1,100), in each slice. */
export class RollingFigures {
  readonly #counts: CountSlice[] = Array.from({ length: COUNT_SLICES }, () => ({
    total: 0,
    networkErrors: 0,
    byStatus: new Map<number, number>(),
  }));
  readonly #latencies: Map<number, number>[] = Array.from({ length: LATENCY_SLICES }, () => new Map<number, number>());
  readonly #measures: boolean;
  #countTurn = 0;
  #latencyTurn = 0;

  /** @param measures whether anybody asks for latencies */
  constructor(measures: boolean) {
    this.#measures = measures;
  }

  /** @param now milliseconds of a monotonic clock @param latencyMs -1 = it has none */
  record(status: number, networkError: boolean, latencyMs: number, now: number): void {
    this.#turn(now);
    const slice = this.#counts[this.#countTurn % COUNT_SLICES]!;
    slice.total++;
    if (networkError) slice.networkErrors++;
    slice.byStatus.set(status, (slice.byStatus.get(status) ?? 0) + 1);
    if (!this.#measures || latencyMs < 0) return;
    const step = Math.ceil(Math.log(Math.max(0.001, latencyMs)) / STEP);
    const latencies = this.#latencies[this.#latencyTurn % LATENCY_SLICES]!;
    latencies.set(step, (latencies.get(step) ?? 0) + 1);
  }

  /** Share of responses that came of no connection, or of none in time; 0 where there are none. */
  networkErrorRatio(now: number): number {
    this.#turn(now);
    let [total, errors] = [0, 0];
    for (const slice of this.#counts) {
      total += slice.total;
      errors += slice.networkErrors;
    }
    return total === 0 ? 0 : errors / total;
  }

  /** Responses from `fromA` up to below `toA`, for each of those from `fromB` to below `toB`; 0 where there are none of these. */
  codeRatio(fromA: number, toA: number, fromB: number, toB: number, now: number): number {
    this.#turn(now);
    let [a, b] = [0, 0];
    for (const { byStatus } of this.#counts) {
      for (const [status, count] of byStatus) {
        if (status >= fromA && status < toA) a += count;
        if (status >= fromB && status < toB) b += count;
      }
    }
    return b === 0 ? 0 : a / b;
  }

  /** Whole milliseconds that so many of a hundred responses did not exceed; 0 where there are none. */
  latencyMs(quantile: number, now: number): number {
    this.#turn(now);
    const merged = new Map<number, number>();
    let total = 0;
    for (const latencies of this.#latencies) {
      for (const [step, count] of latencies) {
        merged.set(step, (merged.get(step) ?? 0) + count);
        total += count;
      }
    }
    let left = Math.max(1, Math.ceil((Math.min(100, quantile) / 100) * total));
    for (const [step, count] of [...merged].sort(([a], [b]) => a - b)) {
      left -= count;
      if (left <= 0) return Math.floor(Math.exp(step * STEP) + 1e-6);
    }
    return 0;
  }

  reset(): void {
    for (const slice of this.#counts) empty(slice);
    for (const latencies of this.#latencies) latencies.clear();
  }

  /** Empties the slices whose time is over. */
  #turn(now: number): void {
    const counts = Math.floor(now / COUNT_SLICE_MS);
    for (let turn = Math.max(this.#countTurn + 1, counts - COUNT_SLICES + 1); turn <= counts; turn++)
      empty(this.#counts[turn % COUNT_SLICES]!);
    this.#countTurn = Math.max(this.#countTurn, counts);
    const latencies = Math.floor(now / LATENCY_SLICE_MS);
    for (let turn = Math.max(this.#latencyTurn + 1, latencies - LATENCY_SLICES + 1); turn <= latencies; turn++)
      this.#latencies[turn % LATENCY_SLICES]!.clear();
    this.#latencyTurn = Math.max(this.#latencyTurn, latencies);
  }
}

function empty(slice: CountSlice): void {
  slice.total = 0;
  slice.networkErrors = 0;
  slice.byStatus.clear();
}
