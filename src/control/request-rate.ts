/** How far back a rate looks. */
const WINDOW_MS = 10_000;

interface Sample {
  readonly at: number;
  readonly total: number;
}

/** Requests a second over the last ten seconds, from a total that only grows. */
export class RequestRate {
  readonly #samples: Sample[] = [];

  /** @param now milliseconds of a monotonic clock */
  note(total: number, now: number): void {
    this.#samples.push({ at: now, total });
    while (this.#samples.length > 2 && now - this.#samples[1]!.at >= WINDOW_MS) this.#samples.shift();
  }

  /** 0 until there are two samples. */
  get perSecond(): number {
    const first = this.#samples[0];
    const last = this.#samples.at(-1);
    if (first === undefined || last === undefined || last.at <= first.at) return 0;
    return ((last.total - first.total) * 1_000) / (last.at - first.at);
  }
}
