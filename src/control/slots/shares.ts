interface Share {
  /** Requests that wait or are served. */
  present: number;
  /** Milliseconds of places used, in requests that are over. */
  settled: number;
  /** What those under way are expected to use. */
  pending: number;
}

/**
 * How much of the places each key has used, while it has requests there. Who comes anew begins where the least served one
 * is: neither behind for what others had before, nor with a credit for the time it was away.
 */
export class Shares {
  readonly #shares = new Map<string, Share>();

  /** A request of this key came. The empty key is nobody's. */
  enter(key: string): void {
    if (key === '') return;
    const share = this.#shares.get(key);
    if (share !== undefined) {
      share.present++;
      return;
    }
    let least = Number.POSITIVE_INFINITY;
    for (const { settled } of this.#shares.values()) least = Math.min(least, settled);
    this.#shares.set(key, { present: 1, settled: least === Number.POSITIVE_INFINITY ? 0 : least, pending: 0 });
  }

  /** One is over. */
  leave(key: string): void {
    const share = this.#shares.get(key);
    if (share === undefined) return;
    if (--share.present === 0) this.#shares.delete(key);
  }

  /** A request begins to use a place. @param ms how long it is expected to */
  begin(key: string, ms: number): void {
    const share = this.#shares.get(key);
    if (share !== undefined) share.pending += ms;
  }

  /** It is over. @param expected as was said at its begin @param ms what it came to */
  end(key: string, expected: number, ms: number): void {
    const share = this.#shares.get(key);
    if (share === undefined) return;
    share.pending -= expected;
    share.settled += ms;
  }

  usedBy(key: string): number {
    const share = this.#shares.get(key);
    return share === undefined ? 0 : share.settled + share.pending;
  }
}
