import { z } from 'zod';
import {
  type DeepReadonly,
  duration,
  durationOr,
  emptyObject,
  exactlyOne,
  fileOrContent,
  flag,
  integer,
  port,
  statusRange,
  stringMap,
  strings,
  text,
} from './scalars.ts';
import { keyPairSchema, tlsVersion } from './tls.ts';
import { affinitySchema, byModelSchema, queueSchema, serverLimit, timeoutsSchema } from './upstreams.ts';

export const serverSchema = z.strictObject({
  url: text,
  weight: integer.default(1),
  /** Whether the path in `url` counts; otherwise it is ignored. */
  preservePath: flag.default(false),
});
export type Server = DeepReadonly<z.output<typeof serverSchema>>;

export const stickySchema = z.strictObject({
  cookie: z
    .strictObject({
      name: text.exactOptional(),
      secure: flag.default(false),
      httpOnly: flag.default(false),
      sameSite: z.enum(['none', 'lax', 'strict']).exactOptional(),
      /** Seconds; 0 = a session cookie, negative = delete. */
      maxAge: integer.default(0),
      path: text.default('/'),
      domain: text.exactOptional(),
    })
    .exactOptional(),
});
export type Sticky = DeepReadonly<z.output<typeof stickySchema>>;

export const healthCheckSchema = z.strictObject({
  path: text.exactOptional(),
  method: text.default('GET'),
  /** 0 = any from 200 to 399. */
  status: integer.default(0),
  scheme: text.exactOptional(),
  port: port.exactOptional(),
  /** `tcp` is ours: a connection is enough. */
  mode: z.enum(['http', 'grpc', 'tcp']).default('http'),
  interval: durationOr(30_000),
  /** Absent = the same as `interval`. */
  unhealthyInterval: duration.exactOptional(),
  timeout: durationOr(5000),
  hostname: text.exactOptional(),
  headers: stringMap.default({}),
  followRedirects: flag.default(true),
  /** Ours: results in a row that it takes. */
  unhealthyThreshold: integer.default(1),
  healthyThreshold: integer.default(1),
  /** Ours: text that must stand in the body; empty = anything. */
  body: text.default(''),
  /** Ours: what a server counts as until its first check is done; `unknown` is served, as in Traefik. */
  initial: z.enum(['healthy', 'unhealthy', 'unknown']).default('unknown'),
});
export type HealthCheck = DeepReadonly<z.output<typeof healthCheckSchema>>;

export const passiveHealthCheckSchema = z.strictObject({
  failureWindow: durationOr(10_000),
  maxFailedAttempts: integer.default(1),
  /** Ours: the share of a service's servers that may be out at once; one at least. */
  maxEjectionPercent: integer.default(50),
  /** Ours: a server is out for `failureWindow` at first, and twice as long each time that it fails again, up to this. */
  maxEjectionTime: durationOr(300_000),
  /** Ours: with no server left, answer 503 (`refuse`), or send to those that are out all the same (`leastBad`). */
  panic: z.enum(['refuse', 'leastBad']).default('refuse'),
});
export type PassiveHealthCheck = DeepReadonly<z.output<typeof passiveHealthCheckSchema>>;

export const loadBalancerSchema = z.strictObject({
  servers: z.array(serverSchema).default([]),
  /** `leastconn` (fewest requests under way) is ours; the others are Traefik's. */
  strategy: z.enum(['wrr', 'p2c', 'hrw', 'leasttime', 'leastconn']).default('wrr'),
  passHostHeader: flag.default(true),
  serversTransport: text.exactOptional(),
  /** Negative = flush at every write. */
  responseForwarding: z.strictObject({ flushInterval: durationOr(100) }).prefault({}),
  sticky: stickySchema.exactOptional(),
  healthCheck: healthCheckSchema.exactOptional(),
  passiveHealthCheck: passiveHealthCheckSchema.exactOptional(),
  timeouts: timeoutsSchema.exactOptional(),
  /** Ours: how long a server that comes back gets less than its share, growing from a tenth. 0 = at once all of it. */
  slowStart: durationOr(10_000),
  /** Requests of one server under way at a time, over all workers; 0 = no limit. */
  maxInFlight: serverLimit,
  /** Connections to one server at a time, over all workers; 0 = no limit. Connections are then not kept between requests. */
  maxConnections: serverLimit,
  queue: queueSchema.exactOptional(),
  affinity: affinitySchema.exactOptional(),
});
export type LoadBalancer = DeepReadonly<z.output<typeof loadBalancerSchema>>;

const weightedServiceSchema = z.strictObject({ name: text, weight: integer.default(1) });
export type WeightedService = DeepReadonly<z.output<typeof weightedServiceSchema>>;

export const weightedSchema = z.strictObject({
  services: z.array(weightedServiceSchema).default([]),
  sticky: stickySchema.exactOptional(),
  healthCheck: emptyObject.exactOptional(),
});
export type Weighted = DeepReadonly<z.output<typeof weightedSchema>>;

export const highestRandomWeightSchema = z.strictObject({
  services: z.array(weightedServiceSchema).default([]),
  healthCheck: emptyObject.exactOptional(),
});
export type HighestRandomWeight = DeepReadonly<z.output<typeof highestRandomWeightSchema>>;

export const mirroringSchema = z.strictObject({
  service: text,
  mirrorBody: flag.default(true),
  /** Bytes; negative = no limit. */
  maxBodySize: integer.default(-1),
  mirrors: z.array(z.strictObject({ name: text, percent: integer.default(0) })).default([]),
  healthCheck: emptyObject.exactOptional(),
});
export type Mirroring = DeepReadonly<z.output<typeof mirroringSchema>>;

export const failoverSchema = z.strictObject({
  service: text,
  fallback: text,
  healthCheck: emptyObject.exactOptional(),
  errors: z
    .strictObject({
      status: z.array(statusRange).default([]),
      /** Bytes; negative = no limit. */
      maxRequestBodyBytes: integer.default(-1),
    })
    .exactOptional(),
});
export type Failover = DeepReadonly<z.output<typeof failoverSchema>>;

/** A service: exactly one of its fields is set. */
export const serviceSchema = z
  .strictObject({
    loadBalancer: loadBalancerSchema.exactOptional(),
    weighted: weightedSchema.exactOptional(),
    mirroring: mirroringSchema.exactOptional(),
    failover: failoverSchema.exactOptional(),
    highestRandomWeight: highestRandomWeightSchema.exactOptional(),
    /** Ours. */
    byModel: byModelSchema.exactOptional(),
  })
  .check(exactlyOne('service type'))
  .meta({ minProperties: 1, maxProperties: 1 });
export type Service = DeepReadonly<z.output<typeof serviceSchema>>;

export const spiffeSchema = z.strictObject({ ids: strings.exactOptional(), trustDomain: text.exactOptional() });
const sanSchema = z.strictObject({ type: text.exactOptional(), value: text.exactOptional() });

export const forwardingTimeoutsSchema = z.strictObject({
  dialTimeout: durationOr(30_000),
  /** 0 = none. */
  responseHeaderTimeout: durationOr(0),
  idleConnTimeout: durationOr(90_000),
  readIdleTimeout: durationOr(0),
  pingTimeout: durationOr(15_000),
  readTimeout: durationOr(0),
  writeTimeout: durationOr(0),
});
export type ForwardingTimeouts = DeepReadonly<z.output<typeof forwardingTimeoutsSchema>>;

export const serversTransportSchema = z.strictObject({
  serverName: text.exactOptional(),
  insecureSkipVerify: flag.default(false),
  rootCAs: z.array(fileOrContent).default([]),
  certificates: z.array(keyPairSchema).default([]),
  cipherSuites: strings.exactOptional(),
  minVersion: tlsVersion.exactOptional(),
  maxVersion: tlsVersion.exactOptional(),
  /** 0 = the default. */
  maxIdleConnsPerHost: integer.default(0),
  forwardingTimeouts: forwardingTimeoutsSchema.prefault({}),
  disableHTTP2: flag.default(false),
  peerCertURI: text.exactOptional(),
  peerCertSANs: z.array(sanSchema).exactOptional(),
  spiffe: spiffeSchema.exactOptional(),
});
export type ServersTransport = DeepReadonly<z.output<typeof serversTransportSchema>>;

/** TLS from the proxy to a TCP server. */
export const tcpTlsClientSchema = z.strictObject({
  serverName: text.exactOptional(),
  insecureSkipVerify: flag.default(false),
  rootCAs: z.array(fileOrContent).default([]),
  certificates: z.array(keyPairSchema).default([]),
  peerCertURI: text.exactOptional(),
  peerCertSANs: z.array(sanSchema).exactOptional(),
  spiffe: spiffeSchema.exactOptional(),
});
