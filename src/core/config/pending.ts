import { isPlainObject } from './normalise.ts';
import type { Path } from './paths.ts';

/** A setting that is decoded and then has no effect; `*` stands for any name. */
interface Inert {
  readonly pattern: string;
  /** The value with which it says nothing, and is not worth a word. */
  readonly unless?: unknown;
}

/** Settings that a later version acts on. Whoever implements one takes it off this list. */
const PENDING: readonly Inert[] = [
  { pattern: 'entryPoints.*.reusePort', unless: false },
  { pattern: 'entryPoints.*.http.encodeQuerySemicolons', unless: false },
  { pattern: 'entryPoints.*.forwardedHeaders.connection' },
  { pattern: 'entryPoints.*.forwardedHeaders.notAppendXForwardedFor', unless: false },
  { pattern: 'entryPoints.*.forwardedHeaders.addXForwardedSchemeHeaders', unless: false },
  { pattern: 'entryPoints.*.proxyProtocol' },
  { pattern: 'entryPoints.*.http2' },
  { pattern: 'entryPoints.*.http3' },
  { pattern: 'entryPoints.*.udp' },
  { pattern: 'entryPoints.*.observability.metrics', unless: true },
  { pattern: 'entryPoints.*.observability.tracing', unless: true },
  { pattern: 'entryPoints.*.observability.traceVerbosity', unless: 'minimal' },
  ...[
    'precedence',
    'docker',
    'swarm',
    'kubernetesIngress',
    'kubernetesIngressNGINX',
    'kubernetesCRD',
    'kubernetesGateway',
    'knative',
    'rest',
    'consulCatalog',
    'nomad',
    'ecs',
    'consul',
    'etcd',
    'zooKeeper',
    'redis',
    'http',
    'plugin',
  ].map((name) => ({ pattern: `providers.${name}` })),
  { pattern: 'certificatesResolvers.*.tailscale' },
  { pattern: 'metrics' },
  { pattern: 'tracing' },
  { pattern: 'log.otlp' },
  { pattern: 'accessLog.otlp' },
  { pattern: 'accessLog.dualOutput', unless: false },
  { pattern: 'serversTransport.spiffe' },
  { pattern: 'tcpServersTransport' },
  { pattern: 'global.notAppendXForwardedFor', unless: false },
  { pattern: 'core.defaultRuleSyntax', unless: 'v3' },
  { pattern: 'experimental' },
  { pattern: 'hostResolver' },
  { pattern: 'spiffe' },
  { pattern: 'ocsp' },
];

/**
 * Settings that mean nothing here, and never will: there is nobody to phone, no advertisement to hide, and log files are
 * rotated from outside.
 */
const MOOT: readonly Inert[] = [
  // Challenges that are not under way always go to the operator's routers.
  { pattern: 'entryPoints.*.allowACMEByPass' },
  { pattern: 'global.checkNewVersion' },
  { pattern: 'global.sendAnonymousUsage' },
  { pattern: 'api.disableDashboardAd' },
  { pattern: 'providers.file.debugLogGeneratedTemplate' },
  { pattern: 'log.maxSize', unless: 0 },
  { pattern: 'log.maxAge', unless: 0 },
  { pattern: 'log.maxBackups', unless: 0 },
  { pattern: 'log.compress', unless: false },
];

export interface InertSetting {
  readonly path: Path;
  readonly kind: 'pending' | 'moot';
}

/** Finds the settings in `tree` (what the operator wrote, before defaults) that are accepted without effect. */
export function inertSettings(tree: unknown): InertSetting[] {
  return [
    ...PENDING.flatMap((inert) => matches(tree, inert).map((path) => ({ path, kind: 'pending' as const }))),
    ...MOOT.flatMap((inert) => matches(tree, inert).map((path) => ({ path, kind: 'moot' as const }))),
  ];
}

function matches(tree: unknown, { pattern, unless }: Inert): Path[] {
  let found: { path: Path; value: unknown }[] = [{ path: [], value: tree }];
  for (const part of pattern.split('.')) {
    found = found.flatMap(({ path, value }) => {
      if (!isPlainObject(value)) return [];
      const keys = part === '*' ? Object.keys(value) : Object.hasOwn(value, part) ? [part] : [];
      return keys.map((key) => ({ path: [...path, key], value: value[key] }));
    });
  }
  return found.filter(({ value }) => value !== unless).map(({ path }) => path);
}
