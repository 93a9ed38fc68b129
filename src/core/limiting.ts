/** Asks for tokens of a rate limit's bucket; the primary has the buckets, so that all workers keep to them together. */
export interface TokenRequest {
  /** The worker's own, counting up. */
  readonly id: number;
  /** The limiter, and whose bucket of it. */
  readonly limiter: string;
  readonly key: string;
  /** How many are wanted; fewer come where the bucket has fewer. */
  readonly wanted: number;
  /** Tokens a millisecond, and how many a bucket holds. */
  readonly rate: number;
  readonly burst: number;
  /** Milliseconds that a request may be made to wait for a token that is not there yet. */
  readonly maxDelayMs: number;
}

/** The answer. */
export interface TokenGrant {
  readonly id: number;
  /** Tokens to be used now. */
  readonly count: number;
  /** Milliseconds after which one more may be used; -1 = none. */
  readonly delayMs: number;
  /** Milliseconds until the bucket has its next token; 0 where it may have one now. */
  readonly emptyMs: number;
}

/** What workers say of limits. */
export type FromLimiter =
  /** A request wants to be one of `limit` at a time; answered by `permit` with the same id. */
  | {
      readonly type: 'permit-request';
      readonly id: number;
      readonly limiter: string;
      readonly key: string;
      readonly limit: number;
    }
  /** It is over, or its client is gone. */
  | { readonly type: 'permit-release'; readonly id: number }
  /** Answered by `tokens`. */
  | { readonly type: 'tokens-request'; readonly request: TokenRequest }
  /** Tokens that nobody used. */
  | { readonly type: 'tokens-return'; readonly limiter: string; readonly key: string; readonly count: number }
  /** A circuit breaker opened in this worker, for so long (milliseconds). */
  | { readonly type: 'breaker-open'; readonly breaker: string; readonly forMs: number };

/** What the primary says to them. */
export type ToLimiter =
  | { readonly type: 'permit'; readonly id: number; readonly granted: boolean }
  | { readonly type: 'tokens'; readonly grant: TokenGrant }
  /** It opened in another worker. */
  | { readonly type: 'breaker-open'; readonly breaker: string; readonly forMs: number };
