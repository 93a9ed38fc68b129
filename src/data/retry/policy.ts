import type { RetryMiddleware } from '../../core/config/dynamic.ts';
import { statusMatcher } from '../../core/status-range.ts';
import { MOST_KEPT_BYTES } from '../body/limits.ts';

/** When and how often a request is tried again. */
export interface RetryPolicy {
  /** The first time included. */
  readonly attempts: number;
  /** How often of these it may be sent again after it was sent and no byte came back. */
  readonly resends: number;
  /** Milliseconds before the second attempt, doubled each time; 0 = at once. */
  readonly initialIntervalMs: number;
  /** Milliseconds since the first attempt after which no other begins; 0 = no limit. */
  readonly withinMs: number;
  /** Bytes of a body that are kept for another attempt. */
  readonly bodyLimit: number;
  /** Whether a response with this status is another reason; null: no status is. */
  readonly onStatus: ((status: number) => boolean) | null;
  readonly onNetworkError: boolean;
  /** Whether POST and PATCH may be sent twice. */
  readonly nonIdempotent: boolean;
}

/** Bodies of PUT and DELETE up to this size are kept by default. */
const DEFAULT_BODY_LIMIT = 65_536;
const LONGEST_PAUSE_MS = 10_000;

/**
 * What is done where no middleware says otherwise. It never does anything twice: what was not sent goes to another endpoint,
 * and what was sent goes again only where the method allows it and no byte of a response has come.
 */
export function defaultPolicy(attempts: number): RetryPolicy {
  return {
    attempts,
    // A server that restarts may break a request twice: as it stops, and as it begins to listen. A request that takes its
    // server down must not take all of them down.
    resends: 2,
    initialIntervalMs: 0,
    withinMs: 0,
    bodyLimit: DEFAULT_BODY_LIMIT,
    onStatus: null,
    onNetworkError: true,
    nonIdempotent: false,
  };
}

/** Traefik's `retry` middleware. */
export function policyOf(config: RetryMiddleware): RetryPolicy {
  return {
    attempts: Math.max(1, config.attempts),
    resends: Math.max(0, config.attempts - 1),
    initialIntervalMs: config.initialInterval,
    withinMs: config.timeout,
    bodyLimit: config.maxRequestBodyBytes < 0 ? MOST_KEPT_BYTES : Math.min(config.maxRequestBodyBytes, MOST_KEPT_BYTES),
    onStatus: config.status === undefined || config.status.length === 0 ? null : statusMatcher(config.status),
    onNetworkError: !config.disableRetryOnNetworkError,
    nonIdempotent: config.retryNonIdempotentMethod,
  };
}

/** RFC 9110 §9.2.2. */
const IDEMPOTENT = new Set(['GET', 'HEAD', 'OPTIONS', 'TRACE', 'PUT', 'DELETE']);

export function mayRepeat(policy: RetryPolicy, method: string): boolean {
  return policy.nonIdempotent || IDEMPOTENT.has(method);
}

/** Milliseconds before the nth retry (from 1), spread so that many do not come back at once. */
export function pauseBefore(policy: RetryPolicy, retry: number, random: () => number = Math.random): number {
  if (policy.initialIntervalMs === 0) return 0;
  const full = Math.min(LONGEST_PAUSE_MS, policy.initialIntervalMs * 2 ** (retry - 1));
  return full * (0.75 + random() / 2);
}

/** A server that is being restarted refuses for a moment: where there is no other, it is asked again after these. */
const SAME_ENDPOINT_PAUSES_MS = [50, 150, 400];

/** Milliseconds before the same endpoint is asked again (n from 1), -1 = no more. */
export function pauseForSame(retry: number, random: () => number = Math.random): number {
  const full = SAME_ENDPOINT_PAUSES_MS[retry - 1];
  return full === undefined ? -1 : full * (0.75 + random() / 2);
}
