/** A request that is one of a limited number at a time. */
interface Permit {
  readonly limiter: string;
  readonly key: string;
}

/**
 * Who is under way at limits on requests at a time, over all workers. It holds what is under way and nothing else: no request,
 * no entry.
 */
export class Permits {
  /** By limiter, then by key. */
  readonly #counts = new Map<string, Map<string, number>>();
  /** By worker, then by the worker's id of the request. */
  readonly #held = new Map<number, Map<number, Permit>>();

  /** @returns whether the request may go on; then it is counted until {@link release} */
  take(worker: number, id: number, limiter: string, key: string, limit: number): boolean {
    const counts = this.#counts.get(limiter);
    const count = counts?.get(key) ?? 0;
    if (count >= limit) return false;
    if (counts === undefined) this.#counts.set(limiter, new Map([[key, 1]]));
    else counts.set(key, count + 1);
    const held = this.#held.get(worker);
    if (held === undefined) this.#held.set(worker, new Map([[id, { limiter, key }]]));
    else held.set(id, { limiter, key });
    return true;
  }

  /** One that was refused is no error: its client left as it was. */
  release(worker: number, id: number): void {
    const held = this.#held.get(worker);
    const permit = held?.get(id);
    if (held === undefined || permit === undefined) return;
    held.delete(id);
    this.#give(permit);
  }

  /** A worker is gone, and its requests with it. */
  gone(worker: number): void {
    const held = this.#held.get(worker);
    this.#held.delete(worker);
    for (const permit of held?.values() ?? []) this.#give(permit);
  }

  /** Requests under way at all limits. */
  get size(): number {
    let size = 0;
    for (const counts of this.#counts.values()) for (const count of counts.values()) size += count;
    return size;
  }

  #give({ limiter, key }: Permit): void {
    const counts = this.#counts.get(limiter)!;
    const count = counts.get(key)! - 1;
    if (count > 0) {
      counts.set(key, count);
      return;
    }
    counts.delete(key);
    if (counts.size === 0) this.#counts.delete(limiter);
  }
}
