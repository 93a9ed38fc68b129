import { suggest } from '../../core/config/suggest.ts';
import type { RouterSnapshot, Snapshot, Status } from '../../core/snapshot.ts';
import type { CommandAnswer } from './server.ts';

/** One line of the routing table. */
export interface RouteLine {
  /** Empty for a router that is on none. */
  readonly entryPoint: string;
  readonly tls: boolean;
  readonly priority: number;
  readonly router: string;
  readonly rule: string;
  readonly middlewares: readonly string[];
  readonly service: string;
  readonly status: Status;
  readonly errors: readonly string[];
  /** Why it answers every request with 500. */
  readonly refuse?: string;
}

/** `proxy routes`: the routers that are live, in the order in which they are asked. */
export function routesVerb(snapshot: Snapshot, args: Readonly<Record<string, unknown>>): CommandAnswer {
  const { entryPoint } = args;
  const names = Object.keys(snapshot.entryPoints);
  if (typeof entryPoint === 'string' && !names.includes(entryPoint)) {
    const near = suggest(entryPoint, names);
    const hint = near === undefined ? `there are: ${names.join(', ')}` : `did you mean ${near}?`;
    return { ok: false, message: `there is no entry point ${entryPoint} (${hint})` };
  }
  const lines = routesOf(snapshot).filter((line) => entryPoint === undefined || line.entryPoint === entryPoint);
  return { ok: true, data: { version: snapshot.version, routes: lines } };
}

/**
 * For each entry point what TLS requests are asked of and then what plain ones are, each in order; those that are disabled
 * at the end.
 */
export function routesOf(snapshot: Snapshot): readonly RouteLine[] {
  const routers = Object.values(snapshot.http.routers).sort(inOrder);
  const lines: RouteLine[] = [];
  for (const entryPoint of Object.keys(snapshot.entryPoints)) {
    const here = routers.filter((router) => router.entryPoints.includes(entryPoint));
    const serving = here.filter((router) => router.status !== 'disabled');
    const ordered = [
      ...serving.filter((router) => router.tls !== undefined),
      ...serving.filter((router) => router.tls === undefined),
      ...here.filter((router) => router.status === 'disabled'),
    ];
    for (const router of ordered) lines.push(lineOf(entryPoint, router));
  }
  for (const router of routers) {
    if (!router.entryPoints.some((name) => Object.hasOwn(snapshot.entryPoints, name))) lines.push(lineOf('', router));
  }
  return lines;
}

/** As the workers order them. */
function inOrder(a: RouterSnapshot, b: RouterSnapshot): number {
  return b.priority - a.priority || (a.name < b.name ? -1 : a.name > b.name ? 1 : 0);
}

function lineOf(entryPoint: string, router: RouterSnapshot): RouteLine {
  const { name, rule, priority, middlewares, service, status, errors, refuse } = router;
  return {
    entryPoint,
    tls: router.tls !== undefined,
    priority,
    router: name,
    rule,
    middlewares,
    service,
    status,
    errors,
    ...(refuse === undefined ? {} : { refuse }),
  };
}
