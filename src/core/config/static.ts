import { z } from 'zod';
import { accessLogSchema, logSchema, metricsSchema, tracingSchema } from './observability.ts';
import { certificatesResolverSchema } from './resolvers.ts';
import { type DeepReadonly, durationOr, fileOrContent, flag, integer, port, strings, text } from './scalars.ts';
import { spiffeSchema } from './services.ts';
import { domainSchema } from './tls.ts';

export type { AccessLog, Log, Metrics, Tracing } from './observability.ts';
export type { AcmeConfig, CertificatesResolver } from './resolvers.ts';

/** What a section says that is accepted whole, without looking inside. */
const anything = z.record(z.string(), z.unknown());

/** Traefik gives the redirection of an entry point the highest priority there is, less one. */
const REDIRECTION_PRIORITY = Number.MAX_SAFE_INTEGER - 1;

const redirectionSchema = z.strictObject({
  /** The name of an entry point, or `:port`. */
  to: text,
  scheme: text.default('https'),
  permanent: flag.default(true),
  // Not `integer`: Traefik's own default (2^63-2) may stand in files, and is beyond the safe integers.
  priority: z.number().refine(Number.isInteger, 'must be a whole number').default(REDIRECTION_PRIORITY),
});
export type EntryPointRedirection = DeepReadonly<z.output<typeof redirectionSchema>>;

const encodedCharactersSchema = z.strictObject({
  allowEncodedSlash: flag.default(true),
  allowEncodedBackSlash: flag.default(true),
  allowEncodedNullCharacter: flag.default(true),
  allowEncodedSemicolon: flag.default(true),
  allowEncodedPercent: flag.default(true),
  allowEncodedQuestionMark: flag.default(true),
  allowEncodedHash: flag.default(true),
});

const entryPointHttpSchema = z.strictObject({
  redirections: z.strictObject({ entryPoint: redirectionSchema.exactOptional() }).exactOptional(),
  /** Come before the router's own. */
  middlewares: strings.default([]),
  /** Present, even empty: every router of the entry point that says nothing of TLS gets this. */
  tls: z
    .strictObject({
      options: text.exactOptional(),
      certResolver: text.exactOptional(),
      domains: z.array(domainSchema).exactOptional(),
    })
    .exactOptional(),
  sanitizePath: flag.default(true),
  /** Traefik: 1 MiB. A head is held in memory for each connection that sends one. */
  maxHeaderBytes: integer.default(65_536),
  encodeQuerySemicolons: flag.default(false),
  encodedCharacters: encodedCharactersSchema.exactOptional(),
  underscoreHeadersStrategy: z.enum(['keep', 'delete', 'reject']).default('keep'),
});

/** Ours: what one entry point lets clients use up. See docs/limits.md, where all limits stand. */
const limitsSchema = z.strictObject({
  /** Open at a time, all workers together; 0 = no limit. */
  maxConnections: z.int().min(0).default(20_000),
  /** The same for each client address. Those in `forwardedHeaders.trustedIPs` are not counted; 0 = no limit. */
  maxConnectionsPerIP: z.int().min(0).default(10_000),
  /** Fields in a request's head. */
  maxHeaders: z.int().min(1).max(100_000).default(1_000),
  /** Method, target and version; never more than `http.maxHeaderBytes`. */
  maxRequestLineBytes: z.int().min(1_024).default(65_536),
});

export const entryPointSchema = z.strictObject({
  /** `[host]:port[/tcp|/udp]`; see parseAddress. */
  address: text,
  /** Used by the routers that name no entry point, instead of all. */
  asDefault: flag.default(false),
  reusePort: flag.default(false),
  allowACMEByPass: flag.default(false),
  http: entryPointHttpSchema.prefault({}),
  limits: limitsSchema.prefault({}),
  forwardedHeaders: z
    .strictObject({
      /** Trust the forwarded headers of every peer. */
      insecure: flag.default(false),
      /** Addresses and CIDR ranges. */
      trustedIPs: strings.default([]),
      connection: strings.exactOptional(),
      notAppendXForwardedFor: flag.default(false),
      addXForwardedSchemeHeaders: flag.default(false),
    })
    .prefault({}),
  proxyProtocol: z.strictObject({ insecure: flag.default(false), trustedIPs: strings.default([]) }).exactOptional(),
  transport: z
    .strictObject({
      respondingTimeouts: z
        .strictObject({
          readTimeout: durationOr(60_000),
          /** 0 = none. */
          writeTimeout: durationOr(0),
          idleTimeout: durationOr(180_000),
        })
        .prefault({}),
      lifeCycle: z
        .strictObject({ requestAcceptGraceTimeout: durationOr(0), graceTimeOut: durationOr(10_000) })
        .prefault({}),
      /** 0 = no limit. */
      keepAliveMaxTime: durationOr(0),
      keepAliveMaxRequests: integer.default(0),
    })
    .prefault({}),
  http2: z
    .strictObject({
      maxConcurrentStreams: integer.default(250),
      maxDecoderHeaderTableSize: integer.default(4096),
      maxEncoderHeaderTableSize: integer.default(4096),
    })
    .prefault({}),
  http3: z.strictObject({ advertisedPort: port.exactOptional() }).exactOptional(),
  udp: z.strictObject({ timeout: durationOr(3000) }).prefault({}),
  observability: z
    .strictObject({
      accessLogs: flag.default(true),
      metrics: flag.default(true),
      tracing: flag.default(true),
      traceVerbosity: z.enum(['minimal', 'detailed']).default('minimal'),
    })
    .prefault({}),
});
export type EntryPoint = DeepReadonly<z.output<typeof entryPointSchema>>;

const fileProviderSchema = z.strictObject({
  /** All `.yml`, `.yaml` and `.toml` files below it. Wins over `filename`. */
  directory: text.exactOptional(),
  filename: text.exactOptional(),
  watch: flag.default(true),
  /** Ours: look for changes at this interval as well, where the system reports none (bind mounts). Milliseconds; 0 = off. */
  poll: durationOr(0),
  /** Without effect: nothing is templated. */
  debugLogGeneratedTemplate: flag.exactOptional(),
});
export type FileProvider = DeepReadonly<z.output<typeof fileProviderSchema>>;

const providersSchema = z.strictObject({
  providersThrottleDuration: durationOr(2000),
  precedence: strings.exactOptional(),
  file: fileProviderSchema.exactOptional(),
  docker: anything.exactOptional(),
  swarm: anything.exactOptional(),
  kubernetesIngress: anything.exactOptional(),
  kubernetesIngressNGINX: anything.exactOptional(),
  kubernetesCRD: anything.exactOptional(),
  kubernetesGateway: anything.exactOptional(),
  knative: anything.exactOptional(),
  rest: anything.exactOptional(),
  consulCatalog: anything.exactOptional(),
  nomad: anything.exactOptional(),
  ecs: anything.exactOptional(),
  consul: anything.exactOptional(),
  etcd: anything.exactOptional(),
  zooKeeper: anything.exactOptional(),
  redis: anything.exactOptional(),
  http: anything.exactOptional(),
  plugin: anything.exactOptional(),
});
export type Providers = DeepReadonly<z.output<typeof providersSchema>>;

const apiSchema = z.strictObject({
  basePath: text.default('/'),
  /** Serve the API, unprotected, on the entry point `traefik` (:8080). */
  insecure: flag.default(false),
  dashboard: flag.default(true),
  debug: flag.default(false),
  disableDashboardAd: flag.default(false),
  dashboardName: text.default(''),
});
export type Api = DeepReadonly<z.output<typeof apiSchema>>;

const pingSchema = z.strictObject({
  entryPoint: text.default('traefik'),
  /** Do not add a router for it; `ping@internal` can be used in one. */
  manualRouting: flag.default(false),
  terminatingStatusCode: z.int().min(100).max(599).default(503),
});
export type Ping = DeepReadonly<z.output<typeof pingSchema>>;

const defaultServersTransportSchema = z.strictObject({
  insecureSkipVerify: flag.default(false),
  rootCAs: z.array(fileOrContent).default([]),
  /** 0 = the default. */
  maxIdleConnsPerHost: integer.default(0),
  forwardingTimeouts: z
    .strictObject({
      dialTimeout: durationOr(30_000),
      /** 0 = none. */
      responseHeaderTimeout: durationOr(0),
      idleConnTimeout: durationOr(90_000),
    })
    .prefault({}),
  spiffe: spiffeSchema.exactOptional(),
});
/** The settings toward upstreams whose service names no serversTransport. */
export type DefaultServersTransport = DeepReadonly<z.output<typeof defaultServersTransportSchema>>;

/** Traefik's static configuration, which is read once at start. Durations are decoded to milliseconds. */
export const staticConfigSchema = z.strictObject({
  /** Ours: the number of worker processes. Absent = one for each available processor. */
  workers: z.int().min(1).max(1024).exactOptional(),
  entryPoints: z.record(z.string(), entryPointSchema).default({}),
  providers: providersSchema.prefault({}),
  api: apiSchema.exactOptional(),
  ping: pingSchema.exactOptional(),
  log: logSchema.prefault({}),
  accessLog: accessLogSchema.exactOptional(),
  serversTransport: defaultServersTransportSchema.prefault({}),
  certificatesResolvers: z.record(z.string(), certificatesResolverSchema).default({}),
  metrics: metricsSchema.exactOptional(),
  tracing: tracingSchema.exactOptional(),
  tcpServersTransport: z
    .strictObject({
      dialKeepAlive: durationOr(15_000),
      dialTimeout: durationOr(30_000),
      terminationDelay: durationOr(100),
      tls: z
        .strictObject({
          insecureSkipVerify: flag.default(false),
          rootCAs: z.array(fileOrContent).default([]),
          spiffe: spiffeSchema.exactOptional(),
        })
        .exactOptional(),
    })
    .exactOptional(),
  global: z
    .strictObject({
      checkNewVersion: flag.default(true),
      sendAnonymousUsage: flag.default(false),
      notAppendXForwardedFor: flag.default(false),
    })
    .exactOptional(),
  core: z.strictObject({ defaultRuleSyntax: z.enum(['v2', 'v3']).default('v3') }).exactOptional(),
  experimental: anything.exactOptional(),
  hostResolver: z
    .strictObject({
      cnameFlattening: flag.default(false),
      resolvConfig: text.default('/etc/resolv.conf'),
      resolvDepth: integer.default(5),
    })
    .exactOptional(),
  spiffe: z.strictObject({ workloadAPIAddr: text.exactOptional() }).exactOptional(),
  ocsp: z.strictObject({ responderOverrides: z.record(z.string(), z.string()).exactOptional() }).exactOptional(),
});
export type StaticConfig = DeepReadonly<z.output<typeof staticConfigSchema>>;
