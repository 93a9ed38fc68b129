import { createHash } from 'node:crypto';

/** A certificate is renewed at this share of its life, … */
const RENEW_AT = 2 / 3;
/** … give or take this share of that moment, so that what was issued together is not renewed together. */
const JITTER = 0.05;
/** A certificate that comes late in its own life (a clock is wrong) is kept at least for this share of it. */
const KEEP_AT_LEAST = 0.1;
const KEEP_AT_LEAST_MS = 3_600_000;

const FIRST_RETRY_MS = 2_000;
const MAX_RETRY_MS = 15 * 60_000;
const MAX_RETRY_UNSERVED_MS = 10_000;
/** Where the CA itself is away: it is asked for its directory only, and often enough to be found within 10 s of its return. */
const MAX_OUTAGE_RETRY_UNSERVED_MS = 4_000;
const FIRST_OUTAGE_RETRY_MS = 1_000;

/** The life of a certificate, in milliseconds since the epoch. */
export interface Life {
  readonly notBefore: number;
  readonly notAfter: number;
}

/**
 * When a certificate is renewed: at two thirds of its own life, the same for five minutes and for ninety days. Where exactly
 * depends on the certificate alone, so that a restart changes nothing.
 *
 * @param identity anything that is different for each certificate, such as its fingerprint
 */
export function renewalAt({ notBefore, notAfter }: Life, identity: string): number {
  const jitter = 1 + JITTER * (2 * fraction(identity) - 1);
  return Math.round(notBefore + (notAfter - notBefore) * RENEW_AT * jitter);
}

/** As {@link renewalAt} for one that has just come: never so soon that orders would follow on each other's heels. */
export function firstRenewalAt(life: Life, identity: string, now: number): number {
  const soonest = now + (life.notAfter - life.notBefore) * KEEP_AT_LEAST;
  return Math.round(Math.max(renewalAt(life, identity), soonest));
}

/**
 * A moment in the window in which the CA would have a certificate renewed (RFC 9773 section 4.2). Null: too near to its end,
 * our own moment is better.
 *
 * @param since when the certificate came: a CA that always says "now" must not be asked for ever more of them
 */
export function windowTime(
  window: { start: number; end: number },
  life: Life,
  identity: string,
  since: number,
): number | null {
  const length = life.notAfter - life.notBefore;
  const wished = window.start + (window.end - window.start) * fraction(identity);
  const soonest = since + Math.min(length * KEEP_AT_LEAST, KEEP_AT_LEAST_MS);
  const time = Math.round(Math.max(wished, soonest));
  return time > life.notAfter - length * KEEP_AT_LEAST ? null : time;
}

export interface RetryState {
  /** Failures in a row, this one included. */
  readonly failures: number;
  /** What is left of the certificate that is served, in milliseconds; 0 or less where nothing valid is. */
  readonly remaining: number;
  /** What the CA asked for, in milliseconds. */
  readonly retryAfter?: number | undefined;
  /** 0 to 1. */
  readonly random: number;
}

/**
 * How long to wait before the next order after one that failed: exponential, at most the smaller of 15 minutes and a tenth of
 * what remains, and 10 s where nothing valid is served. A CA's Retry-After is heeded up to the same limit.
 */
export function retryDelay({ failures, remaining, retryAfter = 0, random }: RetryState): number {
  const cap = retryCap(remaining);
  const backoff = FIRST_RETRY_MS * 2 ** Math.min(failures - 1, 20);
  return spread(Math.min(Math.max(backoff, retryAfter), cap), random);
}

/** The longest wait that {@link retryDelay} gives, in milliseconds. */
function retryCap(remaining: number): number {
  if (remaining > 0) return Math.max(Math.min(MAX_RETRY_MS, remaining / 10), FIRST_RETRY_MS);
  return MAX_RETRY_UNSERVED_MS;
}

/** As {@link retryDelay} for a CA that cannot be reached; `remaining` is the least over its certificates. */
export function outageDelay({ failures, remaining, random }: RetryState): number {
  const cap = remaining > 0 ? Math.min(MAX_RETRY_MS, remaining / 10) : 0;
  const backoff = FIRST_OUTAGE_RETRY_MS * 2 ** Math.min(failures - 1, 20);
  return spread(Math.min(backoff, Math.max(cap, MAX_OUTAGE_RETRY_UNSERVED_MS)), random);
}

/** Up to a fifth less: what failed together does not come back together. */
function spread(ms: number, random: number): number {
  return ms * (1 - random / 5);
}

function fraction(identity: string): number {
  return createHash('sha256').update(identity).digest().readUInt32BE(0) / 2 ** 32;
}
