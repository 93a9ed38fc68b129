/** Bytes of whole bodies that one worker holds at a time: what many clients send at once must fit as well. */
export const BODY_MEMORY = 256 * 1024 * 1024;

/** Counts what is held of bodies, so that many of them are bounded as each of them is. */
export class BodyMemory {
  readonly #limit: number;
  #held = 0;

  /** @param limit bytes */
  constructor(limit = BODY_MEMORY) {
    this.#limit = limit;
  }

  /** @returns false where there is no room; else {@link give} must follow */
  take(bytes: number): boolean {
    if (this.#held + bytes > this.#limit) return false;
    this.#held += bytes;
    return true;
  }

  give(bytes: number): void {
    this.#held -= bytes;
  }

  get held(): number {
    return this.#held;
  }
}
