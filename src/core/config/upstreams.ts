import { z } from 'zod';
import { type DeepReadonly, duration } from './scalars.ts';

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
