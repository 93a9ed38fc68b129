/** A connection whose next request waits for its turn. */
export interface Waiting {
  /** It is its turn, unless it has none any more. */
  goOn(): void;
}

/** Further requests of pipelines that are begun in one turn of the event loop, whosever they are. */
const AT_ONCE = 64;

/**
 * Gives pipelined requests their turns. Those that the proxy answers by itself (a redirect, a refusal, no route) are over as
 * they begin, and a read of 64 KiB holds more than a thousand: a few hundred connections that send such would keep the event
 * loop from everybody else for seconds, and from the word that says that this worker lives.
 */
export class Pipelining {
  readonly #waiting = new Set<Waiting>();
  #begun = 0;
  #scheduled = false;

  /** @returns whether one more may begin in this turn */
  mayBegin(): boolean {
    if (this.#begun >= AT_ONCE) return false;
    this.#begun++;
    this.#schedule();
    return true;
  }

  /** Calls `who.goOn()` in a later turn, behind those who wait already. */
  wait(who: Waiting): void {
    this.#waiting.add(who);
    this.#schedule();
  }

  #schedule(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    setImmediate(this.#onImmediate);
  }

  /** Begins the next turn. @returns whether somebody still waits */
  nextTurn(): boolean {
    this.#begun = 0;
    for (const who of this.#waiting) {
      this.#waiting.delete(who);
      who.goOn();
      if (this.#begun >= AT_ONCE) break;
    }
    return this.#waiting.size > 0;
  }

  readonly #onImmediate = (): void => {
    this.#scheduled = false;
    if (this.nextTurn()) this.#schedule();
  };
}

/** Of this worker's event loop. */
export const pipelining = new Pipelining();
