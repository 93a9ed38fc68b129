import { z } from 'zod';
import { type DeepReadonly, duration, durationOr, text } from './scalars.ts';

// What services and routers can say of their upstreams beyond Traefik.

/** Absent = what the service, and then its serversTransport, says; 0 = no limit. */
export const timeoutsSchema = z.strictObject({
  /** Until a connection is made, each time. */
  connect: duration.exactOptional(),
  /** From the end of the request to the first byte of its response. */
  firstByte: duration.exactOptional(),
  /** Longest silence within the response, while the client takes it. */
  idle: duration.exactOptional(),
  /** From the request to the end of the response, waiting and retries included. */
  total: duration.exactOptional(),
});
export type ConfiguredTimeouts = DeepReadonly<z.output<typeof timeoutsSchema>>;

/** Where requests wait while every server is at its limit. */
export const queueSchema = z.strictObject({
  /** Requests that may wait, over all workers; 0 = none. */
  limit: z.int().min(0).max(10_000).default(100),
  /** How long one waits at most. */
  timeout: durationOr(30_000),
  /** Who waited longest, or least, goes first. */
  order: z.enum(['fifo', 'lifo']).default('fifo'),
  /** A header with a whole number: higher goes first, absent is 0. */
  priorityHeader: text.exactOptional(),
  /** `clientIP` or the name of a header: of those who wait, whoever is served least at the moment goes first. */
  fairBy: text.exactOptional(),
});
export type Queue = DeepReadonly<z.output<typeof queueSchema>>;

export const serverLimit = z.int().min(0).exactOptional();
