import type { MiddlewareSnapshot, RouterSnapshot, ServiceSnapshot, Snapshot } from '../../core/snapshot.ts';
import { maskText, presentable } from './redact.ts';
import type { ApiState } from './state.ts';

/** `name@provider` → `provider`. */
export function providerOf(name: string): string {
  return name.slice(name.lastIndexOf('@') + 1);
}

/** The one field that is set, in lower case: `loadbalancer`, `basicauth`; empty for an internal service. */
export function typeOf({ config }: { readonly config: object }): string {
  return (Object.keys(config)[0] ?? '').toLowerCase();
}

/** A router as Traefik's API has it in `rawdata`: its configuration, with what became of it. */
export function routerInfo(router: RouterSnapshot): Record<string, unknown> {
  const { entryPoints, middlewares, service, rule, priority, tls, observability, status } = router;
  return {
    entryPoints,
    ...(middlewares.length === 0 ? {} : { middlewares }),
    service,
    rule,
    priority,
    ...(tls === undefined ? {} : { tls }),
    ...(observability === undefined ? {} : { observability }),
    ...errorsOf(router),
    status,
    ...(status === 'disabled' ? {} : { using: entryPoints }),
  };
}

/** A service as in `rawdata`. */
export function serviceInfo(service: ServiceSnapshot, state: ApiState): Record<string, unknown> {
  return {
    ...(presentable(service.config) as object),
    ...errorsOf(service),
    status: service.status,
    ...usedBy(state.snapshot).of('service', service.name),
    ...serverStatus(service, state),
  };
}

/** A middleware as in `rawdata`. */
export function middlewareInfo(middleware: MiddlewareSnapshot, state: ApiState): Record<string, unknown> {
  return {
    ...(presentable(middleware.config) as object),
    ...errorsOf(middleware),
    status: middleware.status,
    ...usedBy(state.snapshot).of('middleware', middleware.name),
  };
}

/** Name and provider, which single objects and lists have beside the info. */
export function named(name: string): { readonly name: string; readonly provider: string } {
  return { name, provider: providerOf(name) };
}

function errorsOf({ errors }: { readonly errors: readonly string[] }): object {
  return errors.length === 0 ? {} : { error: errors.map(maskText) };
}

function serverStatus({ name, config }: ServiceSnapshot, state: ApiState): object {
  const servers = config.loadBalancer?.servers ?? [];
  if (servers.length === 0) return {};
  const status = state.serverStatus ?? (() => 'UP');
  return { serverStatus: Object.fromEntries(servers.map(({ url }) => [maskText(url), status(name, url)])) };
}

/** Which routers use a service or a middleware. */
class UsedBy {
  readonly #users = new Map<string, string[]>();

  constructor(snapshot: Snapshot) {
    for (const router of Object.values(snapshot.http.routers)) {
      this.#add('service', router.service, router.name);
      for (const middleware of new Set(router.middlewares)) this.#add('middleware', middleware, router.name);
    }
    for (const users of this.#users.values()) users.sort();
  }

  of(kind: 'service' | 'middleware', name: string): { readonly usedBy?: readonly string[] } {
    const users = this.#users.get(`${kind} ${name}`);
    return users === undefined ? {} : { usedBy: users };
  }

  #add(kind: string, name: string, router: string): void {
    const key = `${kind} ${name}`;
    const users = this.#users.get(key);
    if (users === undefined) this.#users.set(key, [router]);
    else users.push(router);
  }
}

const indexes = new WeakMap<Snapshot, UsedBy>();

/** Made once for each snapshot: a list of thousands asks for each of them. */
function usedBy(snapshot: Snapshot): UsedBy {
  let index = indexes.get(snapshot);
  if (index === undefined) {
    index = new UsedBy(snapshot);
    indexes.set(snapshot, index);
  }
  return index;
}
