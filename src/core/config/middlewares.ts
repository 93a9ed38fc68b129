import { z } from 'zod';
import {
  type DeepReadonly,
  durationOr,
  exactlyOne,
  flag,
  integer,
  statusRange,
  stringMap,
  strings,
  text,
} from './scalars.ts';
import { clientTlsSchema } from './tls.ts';

// Path.

const addPrefixSchema = z.strictObject({ prefix: text.default('') });
export type AddPrefixMiddleware = DeepReadonly<z.output<typeof addPrefixSchema>>;

const stripPrefixSchema = z.strictObject({
  prefixes: strings.default([]),
  /** Deprecated in Traefik; its default there is true. */
  forceSlash: flag.exactOptional(),
});
export type StripPrefixMiddleware = DeepReadonly<z.output<typeof stripPrefixSchema>>;

const stripPrefixRegexSchema = z.strictObject({ regex: strings.default([]) });
export type StripPrefixRegexMiddleware = DeepReadonly<z.output<typeof stripPrefixRegexSchema>>;

const replacePathSchema = z.strictObject({ path: text.default('') });
export type ReplacePathMiddleware = DeepReadonly<z.output<typeof replacePathSchema>>;

const replacePathRegexSchema = z.strictObject({ regex: text.default(''), replacement: text.default('') });
export type ReplacePathRegexMiddleware = DeepReadonly<z.output<typeof replacePathRegexSchema>>;

const encodedCharactersSchema = z.strictObject({
  allowEncodedSlash: flag.default(false),
  allowEncodedBackSlash: flag.default(false),
  allowEncodedNullCharacter: flag.default(false),
  allowEncodedSemicolon: flag.default(false),
  allowEncodedPercent: flag.default(false),
  allowEncodedQuestionMark: flag.default(false),
  allowEncodedHash: flag.default(false),
});
export type EncodedCharactersMiddleware = DeepReadonly<z.output<typeof encodedCharactersSchema>>;

// Redirect.

const redirectRegexSchema = z.strictObject({
  regex: text.default(''),
  replacement: text.default(''),
  permanent: flag.default(false),
});
export type RedirectRegexMiddleware = DeepReadonly<z.output<typeof redirectRegexSchema>>;

const redirectSchemeSchema = z.strictObject({
  scheme: text.default(''),
  port: text.exactOptional(),
  permanent: flag.default(false),
});
export type RedirectSchemeMiddleware = DeepReadonly<z.output<typeof redirectSchemeSchema>>;

// Auth.

const userAuthFields = {
  /** htpasswd lines (`name:hash`), or for digestAuth htdigest lines (`name:realm:hash`). */
  users: strings.default([]),
  usersFile: text.exactOptional(),
  realm: text.default('traefik'),
  removeHeader: flag.default(false),
  headerField: text.exactOptional(),
};

const basicAuthSchema = z.strictObject(userAuthFields);
export type BasicAuthMiddleware = DeepReadonly<z.output<typeof basicAuthSchema>>;

const digestAuthSchema = z.strictObject(userAuthFields);
export type DigestAuthMiddleware = DeepReadonly<z.output<typeof digestAuthSchema>>;

const forwardAuthSchema = z.strictObject({
  address: text.default(''),
  tls: clientTlsSchema.exactOptional(),
  trustForwardHeader: flag.default(false),
  authResponseHeaders: strings.default([]),
  authResponseHeadersRegex: text.exactOptional(),
  authRequestHeaders: strings.default([]),
  /** Bytes; negative = no limit. */
  maxResponseBodySize: integer.exactOptional(),
  addAuthCookiesToResponse: strings.default([]),
  headerField: text.exactOptional(),
  forwardBody: flag.default(false),
  /** Bytes; negative = no limit. */
  maxBodySize: integer.default(-1),
  preserveLocationHeader: flag.default(false),
  preserveRequestMethod: flag.default(false),
  authSigninURL: text.exactOptional(),
});
export type ForwardAuthMiddleware = DeepReadonly<z.output<typeof forwardAuthSchema>>;

const ipStrategySchema = z.strictObject({
  /** Position in X-Forwarded-For, from the right; 0 = the peer. */
  depth: integer.default(0),
  excludedIPs: strings.default([]),
  /** Prefix length by which IPv6 addresses are grouped. */
  ipv6Subnet: integer.exactOptional(),
});
export type IpStrategy = DeepReadonly<z.output<typeof ipStrategySchema>>;

const ipAllowListSchema = z.strictObject({
  sourceRange: strings.default([]),
  ipStrategy: ipStrategySchema.exactOptional(),
  rejectStatusCode: integer.default(403),
});
export type IpAllowListMiddleware = DeepReadonly<z.output<typeof ipAllowListSchema>>;

/** The name that ipAllowList had in version 2; Traefik 3 still takes it. */
const ipWhiteListSchema = z.strictObject({
  sourceRange: strings.default([]),
  ipStrategy: ipStrategySchema.exactOptional(),
});
export type IpWhiteListMiddleware = DeepReadonly<z.output<typeof ipWhiteListSchema>>;

const issuerFields = {
  country: flag.default(false),
  province: flag.default(false),
  locality: flag.default(false),
  organization: flag.default(false),
  commonName: flag.default(false),
  serialNumber: flag.default(false),
  domainComponent: flag.default(false),
};

const passTlsClientCertSchema = z.strictObject({
  pem: flag.default(false),
  info: z
    .strictObject({
      notAfter: flag.default(false),
      notBefore: flag.default(false),
      sans: flag.default(false),
      serialNumber: flag.default(false),
      subject: z.strictObject({ ...issuerFields, organizationalUnit: flag.default(false) }).exactOptional(),
      issuer: z.strictObject(issuerFields).exactOptional(),
    })
    .exactOptional(),
});
export type PassTlsClientCertMiddleware = DeepReadonly<z.output<typeof passTlsClientCertSchema>>;

// Limits.

const sourceCriterionSchema = z.strictObject({
  ipStrategy: ipStrategySchema.exactOptional(),
  requestHeaderName: text.exactOptional(),
  requestHost: flag.default(false),
});
export type SourceCriterion = DeepReadonly<z.output<typeof sourceCriterionSchema>>;

const rateLimitSchema = z.strictObject({
  /** Requests for each `period`; 0 = no limit. */
  average: integer.default(0),
  period: durationOr(1000),
  burst: integer.default(1),
  sourceCriterion: sourceCriterionSchema.exactOptional(),
  redis: z
    .strictObject({
      endpoints: strings.default(['localhost:6379']),
      tls: clientTlsSchema.exactOptional(),
      username: text.exactOptional(),
      password: text.exactOptional(),
      db: integer.default(0),
      poolSize: integer.default(0),
      minIdleConns: integer.default(0),
      maxActiveConns: integer.default(0),
      readTimeout: durationOr(3000),
      writeTimeout: durationOr(3000),
      dialTimeout: durationOr(5000),
    })
    .exactOptional(),
});
export type RateLimitMiddleware = DeepReadonly<z.output<typeof rateLimitSchema>>;

const inFlightReqSchema = z.strictObject({
  /** Requests at a time; at least 1. */
  amount: integer.default(0),
  sourceCriterion: sourceCriterionSchema.exactOptional(),
});
export type InFlightReqMiddleware = DeepReadonly<z.output<typeof inFlightReqSchema>>;

const bufferingSchema = z.strictObject({
  /** Bytes; 0 = no limit. */
  maxRequestBodyBytes: integer.default(0),
  /** Bytes kept in memory; 0 = the default of 1 MiB. */
  memRequestBodyBytes: integer.default(0),
  maxResponseBodyBytes: integer.default(0),
  memResponseBodyBytes: integer.default(0),
  retryExpression: text.exactOptional(),
});
export type BufferingMiddleware = DeepReadonly<z.output<typeof bufferingSchema>>;

const circuitBreakerSchema = z.strictObject({
  expression: text.default(''),
  checkPeriod: durationOr(100),
  fallbackDuration: durationOr(10_000),
  recoveryDuration: durationOr(10_000),
  responseCode: integer.default(503),
});
export type CircuitBreakerMiddleware = DeepReadonly<z.output<typeof circuitBreakerSchema>>;

// Response.

const headersSchema = z.strictObject({
  /** An empty value removes the header. */
  customRequestHeaders: stringMap.default({}),
  customResponseHeaders: stringMap.default({}),
  accessControlAllowCredentials: flag.default(false),
  accessControlAllowHeaders: strings.default([]),
  accessControlAllowMethods: strings.default([]),
  accessControlAllowOriginList: strings.default([]),
  accessControlAllowOriginListRegex: strings.default([]),
  accessControlExposeHeaders: strings.default([]),
  /** Seconds. */
  accessControlMaxAge: integer.exactOptional(),
  addVaryHeader: flag.default(false),
  allowedHosts: strings.default([]),
  hostsProxyHeaders: strings.default([]),
  sslProxyHeaders: stringMap.default({}),
  /** Seconds; absent or 0 = no Strict-Transport-Security. */
  stsSeconds: integer.exactOptional(),
  stsIncludeSubdomains: flag.default(false),
  stsPreload: flag.default(false),
  forceSTSHeader: flag.default(false),
  frameDeny: flag.default(false),
  customFrameOptionsValue: text.exactOptional(),
  contentTypeNosniff: flag.default(false),
  browserXssFilter: flag.default(false),
  customBrowserXSSValue: text.exactOptional(),
  contentSecurityPolicy: text.exactOptional(),
  contentSecurityPolicyReportOnly: text.exactOptional(),
  publicKey: text.exactOptional(),
  referrerPolicy: text.exactOptional(),
  permissionsPolicy: text.exactOptional(),
  isDevelopment: flag.default(false),
  // Deprecated in Traefik, without effect in version 3.
  featurePolicy: text.exactOptional(),
  sslRedirect: flag.exactOptional(),
  sslTemporaryRedirect: flag.exactOptional(),
  sslHost: text.exactOptional(),
  sslForceHost: flag.exactOptional(),
});
export type HeadersMiddleware = DeepReadonly<z.output<typeof headersSchema>>;

const compressSchema = z.strictObject({
  excludedContentTypes: strings.default([]),
  includedContentTypes: strings.default([]),
  minResponseBodyBytes: integer.default(1024),
  encodings: strings.default(['gzip', 'br', 'zstd']),
  defaultEncoding: text.exactOptional(),
});
export type CompressMiddleware = DeepReadonly<z.output<typeof compressSchema>>;

const errorsSchema = z.strictObject({
  status: z.array(statusRange).default([]),
  statusRewrites: z.record(z.string(), integer).default({}),
  service: text.default(''),
  query: text.default(''),
  errorRequestHeaders: strings.exactOptional(),
});
export type ErrorsMiddleware = DeepReadonly<z.output<typeof errorsSchema>>;

const contentTypeSchema = z.strictObject({ autoDetect: flag.exactOptional() });
export type ContentTypeMiddleware = DeepReadonly<z.output<typeof contentTypeSchema>>;

// Other.

const retrySchema = z.strictObject({
  /** How often a request is tried, the first time included; 0 or 1 = no retry. */
  attempts: integer.default(0),
  timeout: durationOr(0),
  initialInterval: durationOr(0),
  /** Bytes; negative = no limit. */
  maxRequestBodyBytes: integer.default(2 * 1024 * 1024),
  status: z.array(statusRange).exactOptional(),
  disableRetryOnNetworkError: flag.default(false),
  retryNonIdempotentMethod: flag.default(false),
});
export type RetryMiddleware = DeepReadonly<z.output<typeof retrySchema>>;

const chainSchema = z.strictObject({ middlewares: strings.default([]) });
export type ChainMiddleware = DeepReadonly<z.output<typeof chainSchema>>;

const grpcWebSchema = z.strictObject({ allowOrigins: strings.default([]) });
export type GrpcWebMiddleware = DeepReadonly<z.output<typeof grpcWebSchema>>;

/** A middleware: exactly one of its fields is set. */
export const middlewareSchema = z
  .strictObject({
    addPrefix: addPrefixSchema.exactOptional(),
    basicAuth: basicAuthSchema.exactOptional(),
    buffering: bufferingSchema.exactOptional(),
    chain: chainSchema.exactOptional(),
    circuitBreaker: circuitBreakerSchema.exactOptional(),
    compress: compressSchema.exactOptional(),
    contentType: contentTypeSchema.exactOptional(),
    digestAuth: digestAuthSchema.exactOptional(),
    encodedCharacters: encodedCharactersSchema.exactOptional(),
    errors: errorsSchema.exactOptional(),
    forwardAuth: forwardAuthSchema.exactOptional(),
    grpcWeb: grpcWebSchema.exactOptional(),
    headers: headersSchema.exactOptional(),
    inFlightReq: inFlightReqSchema.exactOptional(),
    ipAllowList: ipAllowListSchema.exactOptional(),
    ipWhiteList: ipWhiteListSchema.exactOptional(),
    passTLSClientCert: passTlsClientCertSchema.exactOptional(),
    /** Traefik's Go plugins cannot run here: decoded so that they can be named, never acted on. */
    plugin: z.record(z.string(), z.unknown()).exactOptional(),
    rateLimit: rateLimitSchema.exactOptional(),
    redirectRegex: redirectRegexSchema.exactOptional(),
    redirectScheme: redirectSchemeSchema.exactOptional(),
    replacePath: replacePathSchema.exactOptional(),
    replacePathRegex: replacePathRegexSchema.exactOptional(),
    retry: retrySchema.exactOptional(),
    stripPrefix: stripPrefixSchema.exactOptional(),
    stripPrefixRegex: stripPrefixRegexSchema.exactOptional(),
  })
  .check(exactlyOne('middleware type'))
  .meta({ minProperties: 1, maxProperties: 1 });
export type Middleware = DeepReadonly<z.output<typeof middlewareSchema>>;

/** The name of a middleware's type, for example `headers`. */
export type MiddlewareType = keyof Middleware;

export const tcpMiddlewareSchema = z
  .strictObject({
    inFlightConn: z.strictObject({ amount: integer.default(0) }).exactOptional(),
    ipAllowList: z.strictObject({ sourceRange: strings.default([]) }).exactOptional(),
    ipWhiteList: z.strictObject({ sourceRange: strings.default([]) }).exactOptional(),
  })
  .check(exactlyOne('middleware type'))
  .meta({ minProperties: 1, maxProperties: 1 });
export type TcpMiddleware = DeepReadonly<z.output<typeof tcpMiddlewareSchema>>;
