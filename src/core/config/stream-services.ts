import { z } from 'zod';
import {
  type DeepReadonly,
  duration,
  durationOr,
  emptyObject,
  exactlyOne,
  flag,
  integer,
  port,
  text,
} from './scalars.ts';
import { tcpTlsClientSchema } from './services.ts';

// TCP and UDP: what is below HTTP.

const weightedSchema = z.strictObject({ name: text, weight: integer.default(1) });
const proxyProtocolSchema = z.strictObject({ version: z.int().min(1).max(2).default(2) });

export const tcpServiceSchema = z
  .strictObject({
    loadBalancer: z
      .strictObject({
        servers: z.array(z.strictObject({ address: text, tls: flag.default(false) })).default([]),
        serversTransport: text.exactOptional(),
        proxyProtocol: proxyProtocolSchema.exactOptional(),
        /** Milliseconds, deprecated in favour of the serversTransport's. */
        terminationDelay: integer.exactOptional(),
        healthCheck: z
          .strictObject({
            port: port.exactOptional(),
            send: text.exactOptional(),
            expect: text.exactOptional(),
            interval: durationOr(30_000),
            unhealthyInterval: duration.exactOptional(),
            timeout: durationOr(5000),
          })
          .exactOptional(),
      })
      .exactOptional(),
    weighted: z
      .strictObject({ services: z.array(weightedSchema).default([]), healthCheck: emptyObject.exactOptional() })
      .exactOptional(),
  })
  .check(exactlyOne('service type'))
  .meta({ minProperties: 1, maxProperties: 1 });
export type TcpService = DeepReadonly<z.output<typeof tcpServiceSchema>>;

export const tcpServersTransportSchema = z.strictObject({
  dialKeepAlive: durationOr(15_000),
  dialTimeout: durationOr(30_000),
  proxyProtocol: proxyProtocolSchema.exactOptional(),
  terminationDelay: durationOr(100),
  tls: tcpTlsClientSchema.exactOptional(),
});
export type TcpServersTransport = DeepReadonly<z.output<typeof tcpServersTransportSchema>>;

export const udpServiceSchema = z
  .strictObject({
    loadBalancer: z.strictObject({ servers: z.array(z.strictObject({ address: text })).default([]) }).exactOptional(),
    weighted: z.strictObject({ services: z.array(weightedSchema).default([]) }).exactOptional(),
  })
  .check(exactlyOne('service type'))
  .meta({ minProperties: 1, maxProperties: 1 });
export type UdpService = DeepReadonly<z.output<typeof udpServiceSchema>>;
