import type { Clock } from '../../src/control/acme/types.ts';

interface Timer {
  readonly due: number;
  readonly call: () => void;
  real?: NodeJS.Timeout;
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
    const timer: Timer = { due: this.now() + ms, call };
    this.#timers.add(timer);
    this.#arm(timer);
    return () => this.#drop(timer);
  }

  /** Sets the clock. */
  to(time: number): void {
    this.#offset += time - this.now();
    this.#fire();
  }

  #fire(): void {
    const now = this.now();
    for (const timer of [...this.#timers]) {
      if (!this.#timers.has(timer)) continue;
      if (timer.due > now) {
        // It is nearer now: what was set a moment after the time it is for must not wait as long as before.
        this.#arm(timer);
      } else {
        this.#drop(timer);
        timer.call();
      }
    }
  }

  #arm(timer: Timer): void {
    clearTimeout(timer.real);
    // It may come a millisecond before Date.now() has got there: the wait is over all the same.
    timer.real = setTimeout(
      () => {
        if (this.#timers.delete(timer)) timer.call();
      },
      Math.min(timer.due - this.now(), 2 ** 31 - 1),
    );
    timer.real.unref();
  }

  #drop(timer: Timer): void {
    clearTimeout(timer.real);
    this.#timers.delete(timer);
  }
}
