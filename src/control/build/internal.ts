import type { Middleware, Router } from '../../core/config/dynamic.ts';
import type { EntryPointRedirection, StaticConfig } from '../../core/config/static.ts';
import { type EntryPoints, INTERNAL_ENTRY_POINT, type StaticPlace } from './entry-points.ts';
import { builtIn, type Findings, type Place } from './findings.ts';
import type { Entry } from './merge.ts';
import { INTERNAL, normalizeName } from './names.ts';

/** What the primary serves itself. A router may use each of them, whether or not a static section switches it on. */
export const INTERNAL_SERVICES: ReadonlySet<string> = new Set([
  'acme-http@internal',
  'api@internal',
  'dashboard@internal',
  'noop@internal',
  'ping@internal',
  'prometheus@internal',
]);

/** Stands for Traefik's 2^63-1, which is beyond JavaScript's whole numbers: above every priority that a file can name. */
const MAX_PRIORITY = Number.MAX_SAFE_INTEGER;

export interface Implicit {
  readonly routers: readonly Entry<Router>[];
  readonly middlewares: readonly Entry<Middleware>[];
}

/** The routers and middlewares that follow from the static configuration, with Traefik's names and priorities. */
export function implicitRouters(
  config: StaticConfig,
  entryPoints: EntryPoints,
  placeOf: StaticPlace,
  findings: Findings,
): Implicit {
  const routers: Entry<Router>[] = [];
  const middlewares: Entry<Middleware>[] = [];
  const addRouter = (name: string, entryPoint: string, place: Place, value: Omit<Router, 'entryPoints'>): void => {
    routers.push(entry(name, place, { ...value, entryPoints: [entryPoint] }));
  };

  const { api, ping, metrics } = config;
  if (ping !== undefined && !ping.manualRouting) {
    addRouter('ping', ping.entryPoint, placeOf(['ping']), {
      rule: 'PathPrefix(`/ping`)',
      priority: MAX_PRIORITY,
      service: 'ping@internal',
      middlewares: [],
    });
  }
  if (metrics?.prometheus !== undefined && !metrics.prometheus.manualRouting) {
    addRouter('prometheus', metrics.prometheus.entryPoint, placeOf(['metrics', 'prometheus']), {
      rule: 'PathPrefix(`/metrics`)',
      priority: MAX_PRIORITY,
      service: 'prometheus@internal',
      middlewares: [],
    });
  }
  if (api?.insecure === true) {
    const place = placeOf(['api']);
    addRouter('api', INTERNAL_ENTRY_POINT, place, {
      rule: 'PathPrefix(`/api`)',
      priority: MAX_PRIORITY - 1,
      service: 'api@internal',
      middlewares: [],
    });
    if (api.dashboard) {
      addRouter('dashboard', INTERNAL_ENTRY_POINT, place, {
        rule: 'PathPrefix(`/`)',
        priority: MAX_PRIORITY - 2,
        service: 'dashboard@internal',
        middlewares: ['dashboard_redirect@internal', 'dashboard_stripprefix@internal'],
      });
      middlewares.push(
        entry('dashboard_redirect', place, {
          redirectRegex: {
            regex: '^(http:\\/\\/(\\[[\\w:.]+\\]|[\\w\\._-]+)(:\\d+)?)\\/$',
            replacement: '$1/dashboard/',
            permanent: true,
          },
        }),
        entry('dashboard_stripprefix', place, { stripPrefix: { prefixes: ['/dashboard/', '/dashboard'] } }),
      );
    }
  }
  for (const [name, { http }] of Object.entries(config.entryPoints)) {
    const to = http.redirections?.entryPoint;
    if (to === undefined) continue;
    const place = placeOf(['entryPoints', name, 'http', 'redirections', 'entryPoint']);
    const port = redirectionPort(name, to, entryPoints, place, findings);
    if (port === undefined) continue;
    const router = normalizeName(`${name}-to-${to.to}`);
    const middleware = `redirect-${router}`;
    addRouter(router, name, place, {
      rule: 'HostRegexp(`^.+$`)',
      priority: Math.min(to.priority, MAX_PRIORITY - 1),
      service: 'noop@internal',
      middlewares: [`${middleware}@internal`],
    });
    middlewares.push(
      entry(middleware, place, { redirectScheme: { scheme: to.scheme, port, permanent: to.permanent } }),
    );
  }
  return { routers, middlewares };
}

/** The port that the Location names; the middleware leaves a scheme's own port out. Undefined where there is no target. */
function redirectionPort(
  from: string,
  { to }: EntryPointRedirection,
  entryPoints: EntryPoints,
  place: Place,
  findings: Findings,
): string | undefined {
  if (/^:\d+$/.test(to) && Number(to.slice(1)) <= 65_535) return to.slice(1);
  const target = entryPoints.snapshots[to];
  if (target !== undefined) return String(target.port);
  const message = `entry point \`${from}\` redirects to \`${to}\`, which is no entry point`;
  const hint =
    findings.didYouMean(to, () => entryPoints.names) ?? 'write the name of an entry point, or a port as `:8443`';
  findings.add('error', 'unknown-entry-point', message, place, { at: ['to'], value: true, hint });
  return undefined;
}

function entry<T>(name: string, place: Place | undefined, value: T): Entry<T> {
  return { name: `${name}@${INTERNAL}`, provider: INTERNAL, place: place ?? builtIn(name), value, problems: [] };
}
