import type { ConfiguredTimeouts } from '../core/config/dynamic.ts';

/** Limits of one request, in milliseconds; 0 = none. */
export interface Timeouts {
  /** Until a connection is made, each time. */
  readonly connect: number;
  /** From the end of the request to the first byte of its response. */
  readonly firstByte: number;
  /** Longest silence within the response's body, while the client takes it. */
  readonly idle: number;
  /** From the request to the end of the response, queueing and retries included. */
  readonly total: number;
}

/** What timers can be set to. */
const LONGEST_MS = 2 ** 31 - 1;

/** Configured limits, and the rest from `otherwise`. */
export function timeoutsOf(configured: ConfiguredTimeouts | undefined, otherwise: Timeouts): Timeouts {
  if (configured === undefined) return otherwise;
  const pick = (key: keyof Timeouts): number => Math.min(LONGEST_MS, Math.max(0, configured[key] ?? otherwise[key]));
  return { connect: pick('connect'), firstByte: pick('firstByte'), idle: pick('idle'), total: pick('total') };
}
