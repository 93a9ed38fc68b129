import { clock } from '../clock.ts';

/** Retries that are always there, so that a service with few requests has some: a second. */
const TRICKLE_PER_SECOND = 10;
/** What a quiet time may save up. */
const MOST = 100;

/**
 * How many retries a service may make: a share of its requests. It bounds what an outage can be multiplied by: when every
 * request fails, `1 + share` reach the upstreams for each that came.
 */
export class RetryBudget {
  readonly #share: number;
  #tokens = TRICKLE_PER_SECOND;
  #at = clock.now;

  /** @param share of requests, 0..1 */
  constructor(share: number) {
    this.#share = share;
  }

  /** A request came. */
  earn(): void {
    if (this.#tokens < MOST) this.#tokens += this.#share;
  }

  /** Takes one retry out; false where there is none. */
  spend(): boolean {
    if (this.#share === 0) return false;
    const { now } = clock;
    this.#tokens = Math.min(MOST, this.#tokens + ((now - this.#at) / 1000) * TRICKLE_PER_SECOND);
    this.#at = now;
    if (this.#tokens < 1) return false;
    this.#tokens--;
    return true;
  }
}
