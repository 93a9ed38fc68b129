import { z } from 'zod';
import { middlewareSchema, tcpMiddlewareSchema } from './middlewares.ts';
import { routerSchema, tcpRouterSchema, udpRouterSchema } from './routers.ts';
import type { DeepReadonly } from './scalars.ts';
import { serversTransportSchema, serviceSchema } from './services.ts';
import { tcpServersTransportSchema, tcpServiceSchema, udpServiceSchema } from './stream-services.ts';
import { tlsConfigSchema } from './tls.ts';

export type * from './middlewares.ts';
export type * from './routers.ts';
export type { DeepReadonly } from './scalars.ts';
export type * from './services.ts';
export type { TcpServersTransport, TcpService, UdpService } from './stream-services.ts';
export type * from './tls.ts';
export type * from './upstreams.ts';

/**
 * Traefik's dynamic configuration, as one file holds it. Durations are decoded to milliseconds, Traefik's defaults are
 * filled in, and every section is there, empty where the file has none.
 */
export const dynamicConfigSchema = z.strictObject({
  http: z
    .strictObject({
      routers: z.record(z.string(), routerSchema).default({}),
      services: z.record(z.string(), serviceSchema).default({}),
      middlewares: z.record(z.string(), middlewareSchema).default({}),
      serversTransports: z.record(z.string(), serversTransportSchema).default({}),
    })
    .prefault({}),
  tcp: z
    .strictObject({
      routers: z.record(z.string(), tcpRouterSchema).default({}),
      services: z.record(z.string(), tcpServiceSchema).default({}),
      middlewares: z.record(z.string(), tcpMiddlewareSchema).default({}),
      serversTransports: z.record(z.string(), tcpServersTransportSchema).default({}),
    })
    .prefault({}),
  udp: z
    .strictObject({
      routers: z.record(z.string(), udpRouterSchema).default({}),
      services: z.record(z.string(), udpServiceSchema).default({}),
    })
    .prefault({}),
  tls: tlsConfigSchema.prefault({}),
});
export type DynamicConfig = DeepReadonly<z.output<typeof dynamicConfigSchema>>;
