import type { FromLimiter, ToLimiter } from '../../core/limiting.ts';
import { OpenBreakers } from './open-breakers.ts';
import { Permits } from './permits.ts';
import { TokenBuckets } from './token-buckets.ts';

const SWEEP_MS = 5_000;

/** What middlewares limit over all workers together: requests at a time, requests in a time, and which breakers are open. */
export class LimitBook {
  readonly #send: (worker: number, message: ToLimiter) => void;
  readonly #tellOthers: (worker: number, message: ToLimiter) => void;
  readonly #permits = new Permits();
  readonly #buckets = new TokenBuckets();
  readonly #breakers = new OpenBreakers();

  /**
   * @param send to a worker by its number; one that is gone is no error
   * @param tellOthers to all but this one
   */
  constructor(
    send: (worker: number, message: ToLimiter) => void,
    tellOthers: (worker: number, message: ToLimiter) => void,
  ) {
    this.#send = send;
    this.#tellOthers = tellOthers;
    setInterval(() => {
      this.#buckets.sweep(performance.now());
      this.#breakers.sweep(performance.now());
    }, SWEEP_MS).unref();
  }

  receive(worker: number, message: FromLimiter): void {
    switch (message.type) {
      case 'permit-request': {
        const { id, limiter, key, limit } = message;
        this.#send(worker, { type: 'permit', id, granted: this.#permits.take(worker, id, limiter, key, limit) });
        break;
      }
      case 'permit-release':
        this.#permits.release(worker, message.id);
        break;
      case 'tokens-request':
        this.#send(worker, { type: 'tokens', grant: this.#buckets.take(message.request, performance.now()) });
        break;
      case 'tokens-return':
        this.#buckets.put(message.limiter, message.key, message.count);
        break;
      case 'breaker-open':
        this.#breakers.open(message.breaker, message.forMs, performance.now());
        this.#tellOthers(worker, message);
        break;
    }
  }

  /** A worker is about to listen: it is told which breakers are open. */
  arrived(worker: number): void {
    for (const { breaker, forMs } of this.#breakers.now(performance.now()))
      this.#send(worker, { type: 'breaker-open', breaker, forMs });
  }

  /** A worker is gone. Tokens that it had not used are lost: too few is safe. */
  gone(worker: number): void {
    this.#permits.gone(worker);
  }
}
