import { z } from 'zod';
import { type DeepReadonly, duration, durationOr, exactlyOneOf, text } from './scalars.ts';

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

/** How much of a JSON body is waited for, to look into it. */
const maxBodyBytes = z
  .int()
  .min(1)
  .max(16 * 1024 * 1024)
  .default(65_536);

/** Requests with the same key go to the same server while it is not too busy. */
export const affinitySchema = z
  .strictObject({
    header: text.exactOptional(),
    cookie: text.exactOptional(),
    /** A field at the top of the JSON body: `user`, `model`. */
    bodyField: text.exactOptional(),
    /** Bytes of the prompt (`messages`, `prompt` or `input` of the JSON body), from its start. */
    promptPrefix: z.int().min(1).exactOptional(),
    /** How much more than its share of the requests under way a server may have. */
    loadFactor: z.number().min(1).default(1.25),
    maxBodyBytes,
  })
  .check(exactlyOneOf(['header', 'cookie', 'bodyField', 'promptPrefix']));
export type Affinity = DeepReadonly<z.output<typeof affinitySchema>>;

/** A service by the `model` that a JSON body names. */
export const byModelSchema = z.strictObject({
  /** Model → service; `name*` stands for all that begin so. */
  models: z.record(z.string(), text).default({}),
  /** The service of everything else. */
  default: text.exactOptional(),
  maxBodyBytes,
});
export type ByModel = DeepReadonly<z.output<typeof byModelSchema>>;
