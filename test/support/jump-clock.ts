import type { Clock } from '../../src/control/acme/types.ts';

interface Timer {
  readonly due: number;
  readonly call: () => void;
}

/** The real clock, that can be set: what is due by then happens at once. */
export class JumpClock implements Clock {
  readonly #timers = new Set<Timer>();
  #offset: number;
  /** Waits that were begun: whoever polls without end shows here. */
  waits = 0;

  /** @param offset milliseconds that it is ahead */
  constructor(offset = 0) {
    this.#offset = offset;
  }

  now(): number {
    return Date.now() + this.#offset;
  }

  after(ms: number, call: () => void): () => void {
    this.waits++;
    const timer = { due: this.now() + ms, call };
    this.#timers.add(timer);
    // The timer may come a millisecond before Date.now() has got there: the wait is over all the same.
    const real = setTimeout(
      () => {
        if (this.#timers.delete(timer)) call();
      },
      Math.min(ms, 2 ** 31 - 1),
    );
    real.unref();
    return () => {
      clearTimeout(real);
      this.#timers.delete(timer);
    };
  }

  /** Sets the clock. */
  to(time: number): void {
    this.#offset += time - this.now();
    this.#fire();
  }

  #fire(): void {
    const now = this.now();
    for (const timer of [...this.#timers]) {
      if (timer.due > now || !this.#timers.delete(timer)) continue;
      timer.call();
    }
  }
}
