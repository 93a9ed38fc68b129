import type { TokenGrant, TokenRequest } from '../../core/limiting.ts';

/** What sums of fractions may lack of a whole. */
const ROUNDING = 1e-9;

interface Bucket {
  /** What it had at `at`; less than nothing where one was promised. */
  tokens: number;
  at: number;
  rate: number;
  burst: number;
}

/** Buckets of one limiter, as in Traefik; beyond them the one that was not asked for longest is forgotten, and is full again. */
export const MAX_BUCKETS = 65_536;

/**
 * The token buckets of rate limits. Workers take tokens before they let requests pass, a few at a time where many come, so
 * that together they never pass more than the rate allows. A reload, or a worker that ends, changes nothing.
 */
export class TokenBuckets {
  /** By limiter, then by key; the one that was used last comes last. */
  readonly #limiters = new Map<string, Map<string, Bucket>>();
  readonly #max: number;

  constructor(max = MAX_BUCKETS) {
    this.#max = max;
  }

  /** @param now milliseconds of a monotonic clock */
  take(request: TokenRequest, now: number): TokenGrant {
    const { id, wanted, rate, maxDelayMs } = request;
    const bucket = this.#bucket(request, now);
    const count = Math.min(wanted, Math.max(0, Math.floor(bucket.tokens + ROUNDING)));
    bucket.tokens -= count;
    let delayMs = -1;
    if (count < wanted) {
      const wait = (1 - bucket.tokens) / rate;
      if (wait <= maxDelayMs) {
        bucket.tokens -= 1;
        delayMs = wait;
      }
    }
    const emptyMs = bucket.tokens >= 1 ? 0 : (1 - bucket.tokens) / rate;
    return { id, count, delayMs, emptyMs };
  }

  /** Tokens that were taken and not used. */
  put(limiter: string, key: string, count: number): void {
    const bucket = this.#limiters.get(limiter)?.get(key);
    if (bucket !== undefined) bucket.tokens = Math.min(bucket.burst, bucket.tokens + count);
  }

  /** Forgets the full ones: a new one is like them. */
  sweep(now: number): void {
    for (const [name, buckets] of this.#limiters) {
      for (const [key, { tokens, at, rate, burst }] of buckets) {
        if (tokens + (now - at) * rate >= burst) buckets.delete(key);
      }
      if (buckets.size === 0) this.#limiters.delete(name);
    }
  }

  get size(): number {
    let size = 0;
    for (const buckets of this.#limiters.values()) size += buckets.size;
    return size;
  }

  /** The bucket as it is now, moved behind the others. */
  #bucket({ limiter, key, rate, burst }: TokenRequest, now: number): Bucket {
    let buckets = this.#limiters.get(limiter);
    if (buckets === undefined) {
      buckets = new Map();
      this.#limiters.set(limiter, buckets);
    }
    const bucket = buckets.get(key);
    if (bucket === undefined) {
      if (buckets.size >= this.#max) buckets.delete(buckets.keys().next().value!);
      const full = { tokens: burst, at: now, rate, burst };
      buckets.set(key, full);
      return full;
    }
    bucket.tokens = Math.min(burst, bucket.tokens + Math.max(0, now - bucket.at) * bucket.rate);
    bucket.at = now;
    // A reload may have changed the limit; what was used stays used.
    bucket.rate = rate;
    bucket.burst = burst;
    buckets.delete(key);
    buckets.set(key, bucket);
    return bucket;
  }
}
