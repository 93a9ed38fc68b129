import type { TokenGrant } from '../../core/limiting.ts';
import type { LimitDesk } from './limit-desk.ts';

/** A request that waits for a token. */
export interface TokenWaiter {
  pass(): void;
  /** @param retryMs when a token will be there */
  refuse(retryMs: number): void;
  /** Nobody waits for it any more. */
  readonly over: boolean;
}

export interface RateLimit {
  /** Tokens a millisecond. */
  readonly rate: number;
  readonly burst: number;
  readonly maxDelayMs: number;
}

/** What this worker knows of one bucket. */
interface Known {
  /** Tokens that were taken from it and not used. */
  credit: number;
  /** When it will have its next token; 0 = it may have one. */
  emptyUntil: number;
  /** When the last request came. */
  usedAt: number;
  /** How many of `waiting` the question under way is for; 0 = none is. */
  asked: number;
  readonly waiting: TokenWaiter[];
}

/** Buckets known at a time. */
const MAX_KNOWN = 65_536;
/** A worker takes tokens for this long in advance: what it does not use, others lack until it gives them back. */
const ADVANCE_MS = 10;
/** How long what was taken in advance is kept. */
const KEEP_MS = 100;

/**
 * One limiter in one worker. The buckets are the primary's; this takes tokens from them, for the requests that wait and, where
 * the rate is high, some in advance. That a bucket is empty is remembered, so that a flood costs the primary nothing.
 */
export class RateLimiter {
  readonly #scope: string;
  readonly #limit: RateLimit;
  readonly #desk: LimitDesk;
  readonly #advance: number;
  /** The one that was used last comes last. */
  readonly #known = new Map<string, Known>();
  #timer: NodeJS.Timeout | null = null;

  constructor(scope: string, limit: RateLimit, desk: LimitDesk) {
    this.#scope = scope;
    this.#limit = limit;
    this.#desk = desk;
    // Never so much that one worker could have all there is.
    this.#advance = Math.floor(Math.min(limit.rate * ADVANCE_MS, limit.burst / 8));
  }

  get size(): number {
    return this.#known.size;
  }

  /** Lets a request pass, now or later, or refuses it. */
  admit(key: string, waiter: TokenWaiter): void {
    const now = performance.now();
    const known = this.#of(key);
    known.usedAt = now;
    if (known.credit > 0) {
      known.credit--;
      waiter.pass();
    } else if (known.asked === 0 && known.emptyUntil - this.#limit.maxDelayMs > now) {
      waiter.refuse(known.emptyUntil - now);
    } else {
      known.waiting.push(waiter);
      if (known.asked === 0) this.#ask(key, known);
    }
  }

  #ask(key: string, known: Known): void {
    known.asked = known.waiting.length;
    const wanted = known.asked + this.#advance;
    this.#desk.askTokens({ limiter: this.#scope, key, wanted, ...this.#limit }, (grant) =>
      this.#onTokens(key, known, grant, wanted),
    );
  }

  #onTokens(key: string, known: Known, { count, delayMs, emptyMs }: TokenGrant, wanted: number): void {
    const { waiting, asked } = known;
    known.asked = 0;
    known.credit += count;
    known.emptyUntil = emptyMs === 0 ? 0 : performance.now() + emptyMs;
    let promised = delayMs >= 0;
    for (let i = 0; i < asked && waiting.length > 0; i++) {
      const waiter = waiting.shift()!;
      if (waiter.over) continue;
      if (known.credit > 0) {
        known.credit--;
        waiter.pass();
      } else if (promised) {
        promised = false;
        passLater(waiter, delayMs);
      } else {
        waiter.refuse(emptyMs);
      }
    }
    // A promise that nobody needs: it is a token all the same.
    if (promised) this.#desk.returnTokens(this.#scope, key, 1);
    if (count < wanted) {
      // The bucket is empty: whoever came meanwhile need not ask again.
      while (waiting.length > 0 && known.credit > 0) {
        const waiter = waiting.shift()!;
        if (waiter.over) continue;
        known.credit--;
        waiter.pass();
      }
      for (const waiter of waiting.splice(0)) if (!waiter.over) waiter.refuse(emptyMs);
    } else if (waiting.length > 0) {
      this.#ask(key, known);
    }
    this.#timer ??= setInterval(() => this.#tidy(), KEEP_MS).unref();
  }

  /** Gives back what was not used, and forgets what is not worth knowing. */
  #tidy(): void {
    const now = performance.now();
    for (const [key, known] of this.#known) {
      // Behind it are those that were used later.
      if (now - known.usedAt < KEEP_MS) break;
      if (known.asked > 0 || (known.credit === 0 && known.emptyUntil > now)) continue;
      this.#forget(key, known);
    }
    if (this.#known.size > 0 || this.#timer === null) return;
    clearInterval(this.#timer);
    this.#timer = null;
  }

  #forget(key: string, known: Known): void {
    this.#known.delete(key);
    if (known.credit > 0) this.#desk.returnTokens(this.#scope, key, known.credit);
    known.credit = 0;
  }

  #of(key: string): Known {
    let known = this.#known.get(key);
    if (known === undefined) {
      if (this.#known.size >= MAX_KNOWN) {
        const [oldest, its] = this.#known.entries().next().value!;
        // A question under way has its own reference, and is answered.
        this.#forget(oldest, its);
      }
      known = { credit: 0, emptyUntil: 0, usedAt: 0, asked: 0, waiting: [] };
    } else {
      this.#known.delete(key);
    }
    this.#known.set(key, known);
    return known;
  }
}

function passLater(waiter: TokenWaiter, ms: number): void {
  if (ms < 1) {
    waiter.pass();
    return;
  }
  setTimeout(() => {
    if (!waiter.over) waiter.pass();
  }, ms);
}
