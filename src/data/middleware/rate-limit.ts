import type { RateLimitMiddleware } from '../../core/config/middlewares.ts';
import { ProxyError } from '../../core/errors.ts';
import type { Exchange, Handler } from '../exchange.ts';
import { HeaderList } from '../headers/header-list.ts';
import { type RateLimit, RateLimiter, type TokenWaiter } from '../limits/rate-limiter.ts';
import { goDuration } from './go-duration.ts';
import { sourceKey } from './source-key.ts';
import type { MiddlewareFactory } from './types.ts';

/** A request for which a token would be there so soon waits for it. */
const LONGEST_DELAY_MS = 500;

/**
 * Traefik's token bucket: `average` requests each `period` for each source, `burst` of them at once. Who comes half a token too
 * early is made to wait, who comes earlier gets 429. All workers share the buckets.
 * @throws where the period is negative, or the criterion is invalid
 */
export const rateLimit: MiddlewareFactory<RateLimitMiddleware> = (config, context) => {
  const keyOf = sourceKey(config.sourceCriterion, 'peer', 'rateLimit.sourceCriterion');
  const limit = rateLimitOf(config);
  if (limit === null) return (next) => next;
  const { limits, scope, name } = context;
  if (limits === null) throw new Error('rateLimit needs the primary to count');
  const limiter = new RateLimiter(scope, limit, limits);
  return (next) => (exchange) => limiter.admit(keyOf(exchange), new Admission(exchange, next, name));
};

/** @throws where the period is negative; null: there is no limit */
export function rateLimitOf({ average, period, burst }: RateLimitMiddleware): RateLimit | null {
  if (period < 0) throw new Error(`rateLimit.period: ${period} ms is negative`);
  if (average <= 0) return null;
  const rate = average / (period === 0 ? 1000 : period);
  const maxDelayMs = Math.min(LONGEST_DELAY_MS, 1 / rate / 2);
  return { rate, burst: Math.max(1, burst), maxDelayMs };
}

class Admission implements TokenWaiter {
  readonly #exchange: Exchange;
  readonly #next: Handler;
  readonly #name: string;

  constructor(exchange: Exchange, next: Handler, name: string) {
    this.#exchange = exchange;
    this.#next = next;
    this.#name = name;
  }

  get over(): boolean {
    return this.#exchange.finished || this.#exchange.started;
  }

  pass(): void {
    this.#next(this.#exchange);
  }

  refuse(retryMs: number): void {
    const exchange = this.#exchange;
    exchange.error ??= new ProxyError(
      'CLIENT_RATE_LIMIT',
      `${this.#name}: the next may come in ${goDuration(retryMs)}`,
    );
    const headers = HeaderList.of('Content-Type', 'text/plain; charset=utf-8');
    headers.append('Retry-After', String(Math.ceil(retryMs / 1000)));
    headers.append('X-Retry-In', goDuration(retryMs));
    exchange.reply(429, headers, 'Too Many Requests');
  }
}
