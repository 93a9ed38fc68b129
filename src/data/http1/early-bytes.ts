/** A connection that has read what cannot be worked on yet: a part of a head, or requests behind the one under way. */
export interface EarlyReader {
  /** Lets go of it. */
  shed(): void;
}

/** What all connections of a worker may hold so. */
const MAX_BYTES = 64 * 1024 * 1024;

/**
 * The memory for what came before its turn. Each connection has its own bound, but twenty thousand times that is gigabytes:
 * together they have another, and who has held such bytes for longest gives his up. A client in good faith completes its head
 * within moments, so that is the one who only fills memory.
 */
export class EarlyBytes {
  /** What each holds; the first has for longest. */
  readonly #held = new Map<EarlyReader, number>();
  readonly #max: number;
  #total = 0;

  /** @param max bytes of all together */
  constructor(max: number) {
    this.#max = max;
  }

  /** Bytes that all hold. */
  get total(): number {
    return this.#total;
  }

  /** `who` holds `bytes` from now on, 0 = none. Others may be told to {@link EarlyReader.shed} for it. */
  hold(who: EarlyReader, bytes: number): void {
    this.#total += bytes - (this.#held.get(who) ?? 0);
    if (bytes === 0) this.#held.delete(who);
    else this.#held.set(who, bytes);
    while (this.#total > this.#max) {
      const oldest = this.#oldestBut(who);
      if (oldest === null) return;
      this.#total -= this.#held.get(oldest)!;
      this.#held.delete(oldest);
      oldest.shed();
    }
  }

  /** Who comes with more is in the middle of reading it, and has a bound of its own. */
  #oldestBut(who: EarlyReader): EarlyReader | null {
    for (const reader of this.#held.keys()) if (reader !== who) return reader;
    return null;
  }
}

/** Of this worker. */
export const earlyBytes = new EarlyBytes(MAX_BYTES);
