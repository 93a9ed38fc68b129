import type { Snapshot } from '../../core/snapshot.ts';
import { type Answer, type InternalRequest, json, problem, refuseMethod } from './answer.ts';
import { dashboardPage, toDashboard } from './dashboard.ts';
import { entryPointViews } from './entry-points.ts';
import { type Listing, listAnswer } from './list.ts';
import { overview } from './overview.ts';
import { ping } from './ping.ts';
import type { ApiState } from './state.ts';
import { middlewareInfo, named, providerOf, routerInfo, serviceInfo, typeOf } from './views.ts';

/** Where a path stands that `tcp` and `udp` have as well: they are accepted and not served, so there is nothing in them. */
const STREAM_LISTS = /^\/api\/(?:tcp\/(router|service|middleware)s|udp\/(router|service)s)(?:\/([^/]+))?$/;
const HTTP_LISTS = /^\/api\/http\/(router|service|middleware)s(?:\/([^/]+))?$/;

/** `api@internal`: Traefik's API, its dashboard beside it, and ping for those who have only this router. */
export function api(request: InternalRequest, state: ApiState): Answer {
  const path = withoutBasePath(request.path, state.static.api?.basePath ?? '/');
  if (path === '/ping') return ping(request, state);
  const refused = refuseMethod(request.method);
  if (refused !== null) return refused;
  switch (path) {
    case '/api/version':
      return json({ Version: state.version, Codename: 'phoenix', startDate: state.startedAt.toISOString() });
    case '/api/overview':
      return json(overview(state));
    case '/api/rawdata':
      return json(rawData(state));
    case '/api/entrypoints':
      return listAnswer(entryPointViews(state).values(), request.query, BY_NAME);
    default:
  }
  if (state.static.api?.dashboard !== false) {
    if (path === '/' || path === '/dashboard') return toDashboard;
    if (path === '/dashboard/') return dashboardPage(state);
  }
  if (path.startsWith('/api/entrypoints/')) {
    return byName(path.slice('/api/entrypoints/'.length), 'entry point', (name) => entryPointViews(state).get(name));
  }
  const http = HTTP_LISTS.exec(path);
  if (http !== null) {
    const [, kind, name] = http as unknown as [string, Kind, string | undefined];
    return name === undefined ? httpList(kind, request.query, state) : byName(name, kind, (n) => find(kind, n, state));
  }
  const stream = STREAM_LISTS.exec(path);
  if (stream !== null) {
    const [, tcp, udp, name] = stream;
    if (name !== undefined) return byName(name, (tcp ?? udp) as Kind, () => undefined);
    return listAnswer([], request.query, BY_NAME);
  }
  return problem(404, `there is nothing at ${path}`);
}

type Kind = 'router' | 'service' | 'middleware';
type Router = Snapshot['http']['routers'][string];
type Service = Snapshot['http']['services'][string];
type Middleware = Snapshot['http']['middlewares'][string];

const BY_NAME: Listing<{ readonly name: string }> = { texts: ({ name }) => [name], keys: {}, view: (item) => item };

function httpList(kind: Kind, query: URLSearchParams, state: ApiState): Answer {
  const { routers, services, middlewares } = state.snapshot.http;
  if (kind === 'router') return listAnswer(Object.values(routers), query, ROUTERS);
  if (kind === 'service') {
    return listAnswer(Object.values(services), query, {
      texts: ({ name }) => [name],
      keys: {
        ...COMMON_KEYS,
        type: typeOf,
        servers: ({ config }: Service) => config.loadBalancer?.servers.length ?? 0,
      },
      view: (service) => serviceView(service, state),
    });
  }
  return listAnswer(Object.values(middlewares), query, {
    texts: ({ name }) => [name],
    keys: { ...COMMON_KEYS, type: typeOf },
    view: (middleware) => middlewareView(middleware, state),
  });
}

const COMMON_KEYS = {
  provider: ({ name }: { readonly name: string }) => providerOf(name),
  status: ({ status }: { readonly status: string }) => status,
};

const ROUTERS: Listing<Router> = {
  texts: ({ name, rule }) => [name, rule],
  keys: {
    ...COMMON_KEYS,
    priority: ({ priority }) => priority,
    rule: ({ rule }) => rule,
    service: ({ service }) => service,
    entryPoints: ({ entryPoints }) => entryPoints.length,
  },
  keep: ({ service, middlewares }, query) => {
    const [byService, byMiddleware] = [query.get('serviceName') ?? '', query.get('middlewareName') ?? ''];
    return (byService === '' || service === byService) && (byMiddleware === '' || middlewares.includes(byMiddleware));
  },
  view: (router) => ({ ...routerInfo(router), ...named(router.name) }),
};

function serviceView(service: Service, state: ApiState): object {
  const type = typeOf(service);
  return { ...serviceInfo(service, state), ...named(service.name), ...(type === '' ? {} : { type }) };
}

function middlewareView(middleware: Middleware, state: ApiState): object {
  return { ...middlewareInfo(middleware, state), ...named(middleware.name), type: typeOf(middleware) };
}

function find(kind: Kind, name: string, state: ApiState): object | undefined {
  const { routers, services, middlewares } = state.snapshot.http;
  if (kind === 'router') return Object.hasOwn(routers, name) ? (ROUTERS.view(routers[name]!) as object) : undefined;
  if (kind === 'service') return Object.hasOwn(services, name) ? serviceView(services[name]!, state) : undefined;
  return Object.hasOwn(middlewares, name) ? middlewareView(middlewares[name]!, state) : undefined;
}

function byName(encoded: string, what: string, find: (name: string) => object | undefined): Answer {
  let name: string;
  try {
    name = decodeURIComponent(encoded);
  } catch {
    return problem(400, `unable to decode the name ${encoded}`);
  }
  const found = find(name);
  return found === undefined ? problem(404, `${what} not found: ${name}`) : json(found);
}

function rawData(state: ApiState): object {
  const { routers, services, middlewares } = state.snapshot.http;
  return {
    routers: mapValues(routers, routerInfo),
    middlewares: mapValues(middlewares, (middleware) => middlewareInfo(middleware, state)),
    services: mapValues(services, (service) => serviceInfo(service, state)),
  };
}

function mapValues<T>(items: Readonly<Record<string, T>>, view: (item: T) => object): object {
  return Object.fromEntries(Object.entries(items).map(([name, item]) => [name, view(item)]));
}

/** `/proxy/api/version` below the base path `/proxy` is `/api/version`; what is not below it stays as it is. */
function withoutBasePath(path: string, basePath: string): string {
  const base = basePath.replace(/\/+$/, '');
  return base !== '' && (path === base || path.startsWith(`${base}/`)) ? path.slice(base.length) || '/' : path || '/';
}
