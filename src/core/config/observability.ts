import { z } from 'zod';
import {
  type DeepReadonly,
  durationOr,
  fileOrContent,
  flag,
  integer,
  statusRange,
  stringMap,
  strings,
  text,
} from './scalars.ts';
import { clientTlsSchema } from './tls.ts';

const otlpGrpc = z.strictObject({
  endpoint: text.default('localhost:4317'),
  insecure: flag.default(false),
  tls: clientTlsSchema.exactOptional(),
  headers: stringMap.default({}),
});

const otlpHttp = z.strictObject({
  endpoint: text.default('https://localhost:4318'),
  tls: clientTlsSchema.exactOptional(),
  headers: stringMap.default({}),
});

const otlpLog = z.strictObject({
  serviceName: text.default('traefik'),
  resourceAttributes: stringMap.default({}),
  grpc: otlpGrpc.exactOptional(),
  http: otlpHttp.exactOptional(),
});

export const logSchema = z.strictObject({
  level: z.enum(['TRACE', 'DEBUG', 'INFO', 'WARN', 'ERROR', 'FATAL', 'PANIC']).default('INFO'),
  format: z.enum(['common', 'json']).default('common'),
  noColor: flag.default(false),
  /** Absent = standard output. */
  filePath: text.exactOptional(),
  /** Ours: standard output as well, where `filePath` is given. */
  stdout: flag.default(false),
  /** Without effect, as the three after it: rotation is logrotate's. Megabytes before the file is rotated. */
  maxSize: integer.default(0),
  /** Days. */
  maxAge: integer.default(0),
  maxBackups: integer.default(0),
  compress: flag.default(false),
  otlp: otlpLog.exactOptional(),
});
export type Log = DeepReadonly<z.output<typeof logSchema>>;

const fieldMode = z.enum(['keep', 'drop', 'redact']);

export const accessLogSchema = z.strictObject({
  /** Absent = standard output. */
  filePath: text.exactOptional(),
  /** Ours: standard output as well, where `filePath` is given. */
  stdout: flag.default(false),
  format: z.enum(['common', 'json', 'genericCLF']).default('common'),
  filters: z
    .strictObject({
      statusCodes: z.array(statusRange).default([]),
      retryAttempts: flag.default(false),
      minDuration: durationOr(0),
    })
    .prefault({}),
  fields: z
    .strictObject({
      defaultMode: fieldMode.default('keep'),
      names: z.record(z.string(), fieldMode).default({}),
      headers: z
        .strictObject({ defaultMode: fieldMode.default('drop'), names: z.record(z.string(), fieldMode).default({}) })
        .prefault({}),
      queryParameters: z.strictObject({ defaultMode: fieldMode.default('keep') }).prefault({}),
    })
    .prefault({}),
  /** Lines kept back before they are written; 0 = those of a quarter of a second. */
  bufferingSize: integer.default(0),
  addInternals: flag.default(false),
  dualOutput: flag.default(false),
  otlp: otlpLog.exactOptional(),
});
export type AccessLog = DeepReadonly<z.output<typeof accessLogSchema>>;

const labelSwitches = {
  addEntryPointsLabels: flag.default(true),
  addRoutersLabels: flag.default(false),
  addServicesLabels: flag.default(true),
};

export const metricsSchema = z.strictObject({
  addInternals: flag.default(false),
  prometheus: z
    .strictObject({
      /** Seconds. */
      buckets: z.array(z.number()).default([0.1, 0.3, 1.2, 5]),
      ...labelSwitches,
      entryPoint: text.default('traefik'),
      manualRouting: flag.default(false),
      headerLabels: stringMap.default({}),
    })
    .exactOptional(),
  datadog: z
    .strictObject({
      address: text.default('localhost:8125'),
      pushInterval: durationOr(10_000),
      ...labelSwitches,
      prefix: text.default('traefik'),
    })
    .exactOptional(),
  statsD: z
    .strictObject({
      address: text.default('localhost:8125'),
      pushInterval: durationOr(10_000),
      ...labelSwitches,
      prefix: text.default('traefik'),
    })
    .exactOptional(),
  influxDB2: z
    .strictObject({
      address: text.default('http://localhost:8086'),
      token: fileOrContent.exactOptional(),
      pushInterval: durationOr(10_000),
      org: text.exactOptional(),
      bucket: text.exactOptional(),
      ...labelSwitches,
      additionalLabels: stringMap.default({}),
    })
    .exactOptional(),
  otlp: z
    .strictObject({
      grpc: otlpGrpc.exactOptional(),
      http: otlpHttp.exactOptional(),
      ...labelSwitches,
      explicitBoundaries: z.array(z.number()).exactOptional(),
      pushInterval: durationOr(10_000),
      serviceName: text.default('traefik'),
      resourceAttributes: stringMap.default({}),
    })
    .exactOptional(),
});
export type Metrics = DeepReadonly<z.output<typeof metricsSchema>>;

export const tracingSchema = z.strictObject({
  serviceName: text.default('traefik'),
  resourceAttributes: stringMap.default({}),
  capturedRequestHeaders: strings.default([]),
  capturedResponseHeaders: strings.default([]),
  safeQueryParams: strings.default([]),
  sampleRate: z.number().min(0).max(1).default(1),
  addInternals: flag.default(false),
  otlp: z.strictObject({ grpc: otlpGrpc.exactOptional(), http: otlpHttp.exactOptional() }).exactOptional(),
  /** The name that resourceAttributes had before version 3.3. */
  globalAttributes: stringMap.exactOptional(),
});
export type Tracing = DeepReadonly<z.output<typeof tracingSchema>>;
