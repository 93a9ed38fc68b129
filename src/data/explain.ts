import { formatAddress } from '../core/config/address.ts';
import { ERROR_TABLE, type ErrorCode } from '../core/errors.ts';
import type { Explained, ExplainedService, ExplainedTls, ExplainRequest, LostRouter } from '../core/explain.ts';
import { normalizeHost } from '../core/host.ts';
import { type RequestPath, readRequestPath } from '../core/request-path.ts';
import { parseRule } from '../core/rule/parser.ts';
import type { CertificateSnapshot, EntryPointSnapshot, RouterSnapshot, Snapshot } from '../core/snapshot.ts';
import { flatten } from './middleware/chain.ts';
import { whyNot } from './router/explain.ts';
import type { RouteRequest } from './router/request.ts';
import type { EntryPointRuntime, Runtime } from './runtime.ts';

/** This worker's requests wait meanwhile. */
const BUDGET_MS = 50;
const MAX_LOST = 200;

type Answer = NonNullable<Explained['answer']>;

/** Says what this worker would do with a request, from the very tables that it would do it with. */
export function explain(runtime: Runtime, asked: ExplainRequest): Explained {
  const until = performance.now() + BUDGET_MS;
  const { snapshot } = runtime;
  const host = normalizeHost(asked.authority);
  const request = { host, path: asked.target, query: '', method: asked.method, clientIp: asked.clientIp };
  const nothing = { version: snapshot.version, worker: process.pid, lost: [], alsoLost: 0, middlewares: [] };
  const place = entryPointOf(snapshot, asked);
  if (typeof place === 'string') {
    const answer = { status: 0, code: 'NO_ENTRY_POINT', why: place };
    return { ...nothing, entryPoint: null, tls: null, request, answer, router: null, service: null };
  }
  const { config, why } = place;
  const entryPoint = { name: config.name, address: addressOf(config), why };
  const served = runtime.entryPoint(config.name)!;
  const tls = asked.secure ? explainTls(runtime, served, asked) : null;
  const path = readRequestPath(asked.target, config.sanitizePath);
  const before = answeredBefore(runtime, served, asked, host, tls, path);
  if (before !== null || path === undefined) {
    return { ...nothing, entryPoint, tls, request, answer: before, router: null, service: null };
  }

  const view = routeRequest(asked, host, path);
  const route = served.table(asked.secure).lookup(view);
  const router = route === null ? null : (snapshot.http.routers[route.name] ?? null);
  const { lost, alsoLost } = losers(snapshot, served, asked, view, route?.name ?? null, until);
  const common = {
    version: snapshot.version,
    worker: process.pid,
    entryPoint,
    tls,
    request: { host, path: path.matchPath, query: path.query, method: asked.method, clientIp: asked.clientIp },
    lost,
    alsoLost,
  };
  if (route === null || router === null) {
    const answer = answerOf('PROXY_NO_ROUTE', 'no router of this entry point matches');
    return { ...common, answer, router: null, middlewares: [], service: null };
  }
  const { name, rule, priority } = router;
  const won = { ...common, router: { name, rule, priority } };
  if (route.refused !== null) {
    return { ...won, answer: answerOf('PROXY_ROUTER_UNSAFE', route.refused), middlewares: [], service: null };
  }
  const service = explainService(runtime, router.service);
  const { available } = runtime.services.serving(router.service);
  return {
    ...won,
    answer: available ? null : answerOf('PROXY_NO_SERVER', `${service.name} has no server that is up`),
    middlewares: flatten(router.middlewares, snapshot.http.middlewares).map((middleware) => ({
      name: middleware.name,
      type: Object.entries(middleware.config).find(([, config]) => config !== undefined)?.[0] ?? '',
    })),
    service,
  };
}

function answerOf(code: ErrorCode, why: string): Answer {
  return { status: ERROR_TABLE[code].status, code, why };
}

/** The entry point that a connection to this address comes to; a message where that cannot be told. */
function entryPointOf(
  snapshot: Snapshot,
  asked: ExplainRequest,
): { readonly config: EntryPointSnapshot; readonly why: string } | string {
  const { entryPoints } = snapshot;
  const all = Object.values(entryPoints);
  const list = all.map((one) => `${one.name} (${addressOf(one)})`).join(', ');
  if (asked.entryPoint !== undefined) {
    const named = Object.hasOwn(entryPoints, asked.entryPoint) ? entryPoints[asked.entryPoint] : undefined;
    return named === undefined
      ? `there is no entry point ${asked.entryPoint}; there are: ${list}`
      : { config: named, why: 'it was named' };
  }
  const listening = all.filter((one) => one.port === asked.port);
  // The same port on several addresses: the one that is connected to, where it is known.
  const own = listening.find((one) => one.host === asked.localAddress) ?? listening[0];
  if (own !== undefined) return { config: own, why: `it listens on port ${asked.port}` };
  if (asked.portNamed) return `no entry point listens on port ${asked.port}; there are: ${list}`;
  const [only, ...more] = all.filter((one) => one.name !== 'traefik');
  if (only !== undefined && more.length === 0) return { config: only, why: 'it is the only one' };
  // Behind a gateway, or tried on other ports: a URL without a port then means what the scheme says.
  const fitting = all.find((one) => hasRouter(snapshot, one.name, asked.secure));
  if (fitting !== undefined) {
    const kind = asked.secure ? 'TLS' : 'plain';
    return {
      config: fitting,
      why: `none listens on port ${asked.port}; it is the first with ${kind} routers (else: --entrypoint)`,
    };
  }
  return `no entry point listens on port ${asked.port}; name the port in the URL, or an entry point with --entrypoint: ${list}`;
}

/** Whether an operator's router of that kind is on the entry point. */
function hasRouter({ http }: Snapshot, entryPoint: string, secure: boolean): boolean {
  return Object.values(http.routers).some(
    (router) =>
      router.status !== 'disabled' &&
      !router.name.endsWith('@internal') &&
      (router.tls !== undefined) === secure &&
      router.entryPoints.includes(entryPoint),
  );
}

function addressOf({ host, port }: EntryPointSnapshot): string {
  return formatAddress(host, port);
}

function explainTls(runtime: Runtime, served: EntryPointRuntime, asked: ExplainRequest): ExplainedTls {
  const { tls } = runtime;
  const { serverName } = asked;
  const name = serverName ?? asked.localAddress;
  const selection = served.tls.select(serverName, () => asked.localAddress ?? undefined);
  const options = served.tls.optionsFor(serverName);
  const clientAuth = tls.options.get(options)?.clientAuth ?? 'NoClientCert';
  const { certificate, matched } = tls.certificates.choose(name, tls.now());
  const plainOnly = served.peeks ? null : 'no router of this entry point is for TLS: it speaks plain HTTP only';
  const failure = plainOnly ?? (selection.ok ? null : selection.detail);
  return {
    serverName,
    options,
    clientAuth,
    failure,
    certificate:
      failure !== null
        ? null
        : {
            names: certificate.names,
            origin: certificate.origin,
            notAfter: certificate.notAfter,
            expired: certificate.notAfter < tls.now(),
            why: whyCertificate(certificate, name, matched),
          },
  };
}

function whyCertificate(certificate: CertificateSnapshot, name: string | null, matched: boolean): string {
  if (name === null) return 'the client names no server: it is the default one';
  if (!matched) return `none covers ${name}: it is the default one`;
  if (certificate.names.includes(name)) return `it names ${name}`;
  return `its *${name.slice(name.indexOf('.'))} covers ${name}`;
}

/** What is answered before any router is asked, in the order in which it is looked at; null where routers are. */
function answeredBefore(
  runtime: Runtime,
  served: EntryPointRuntime,
  asked: ExplainRequest,
  host: string,
  tls: ExplainedTls | null,
  path: RequestPath | undefined,
): Answer | null {
  if (tls !== null && tls.failure !== null)
    return { status: 0, code: 'TLS_HANDSHAKE', why: `the handshake fails: ${tls.failure}` };
  if (path === undefined) return answerOf('CLIENT_BAD_REQUEST', 'the path is malformed');
  if (served.isChallenge(path.path)) return { status: 200, code: 'ACME_CHALLENGE', why: 'it is an ACME challenge' };
  if (tls === null) return null;
  const { clientAuthKey } = runtime.tls.options.get(tls.options)!;
  if (!served.tls.isMisdirected(host, { optionsName: tls.options, clientAuthKey })) return null;
  const wanted = served.tls.optionsNameForHost(host);
  const why = `the host ${host} has the TLS options ${wanted}, the server name ${asked.serverName ?? '(none)'} has ${tls.options}`;
  return answerOf('CLIENT_MISDIRECTED', why);
}

function routeRequest(asked: ExplainRequest, host: string, path: RequestPath): RouteRequest {
  const values = new Map<string, string[]>();
  for (const [name, value] of asked.headers) {
    const key = name.toLowerCase();
    values.set(key, [...(values.get(key) ?? []), value]);
  }
  return {
    host,
    method: asked.method,
    path: path.matchPath,
    query: path.query,
    clientIp: asked.clientIp,
    header: (name) => values.get(name)?.[0],
    headerValues: (name) => values.get(name) ?? [],
  };
}

/** The routers that did not get the request, and why: first those whose rule it meets, then those that are for its host. */
function losers(
  snapshot: Snapshot,
  served: EntryPointRuntime,
  asked: ExplainRequest,
  request: RouteRequest,
  winner: string | null,
  until: number,
): { readonly lost: readonly LostRouter[]; readonly alsoLost: number } {
  const { routers } = snapshot.http;
  const matched: LostRouter[] = [];
  const near: LostRouter[] = [];
  const far: LostRouter[] = [];
  const seen = new Set<string>();
  for (const { name, priority, failed, lostTo } of served.table(asked.secure).explain(request, until)) {
    seen.add(name);
    if (name === winner) continue;
    const rule = routers[name]?.rule ?? '';
    if (failed === undefined)
      matched.push({ name, rule, priority, matched: true, why: lostToWhy(lostTo, routers, priority) });
    else (/the host is/.test(failed) ? far : near).push({ name, rule, priority, matched: false, why: failed });
  }
  for (const router of Object.values(routers)) {
    if (seen.has(router.name) || router.name === winner || performance.now() > until) continue;
    const why = elsewhere(router, served.config.name, asked.secure);
    const rule = parseRule(router.rule, 'http');
    if (why === undefined || !rule.ok || whyNot(rule.ast, request) !== undefined) continue;
    seen.add(router.name);
    matched.push({ name: router.name, rule: router.rule, priority: router.priority, matched: true, why });
  }
  const lost = [...matched, ...near, ...far].slice(0, MAX_LOST);
  const total = Object.keys(routers).length - (winner === null ? 0 : 1);
  return { lost, alsoLost: total - lost.length };
}

function lostToWhy(winner: string | undefined, routers: Snapshot['http']['routers'], priority: number): string {
  if (winner === undefined) return 'another one is asked first';
  const other = routers[winner]?.priority ?? 0;
  return other > priority
    ? `${winner} is asked first: its priority is ${other}, this one's ${priority}`
    : `${winner} is asked first: the priorities are the same, and its name comes first`;
}

/** Why a router that is not in the table is not; undefined where it is. */
function elsewhere(router: RouterSnapshot, entryPoint: string, secure: boolean): string | undefined {
  if (router.status === 'disabled') return `it is disabled: ${router.errors.join('; ')}`;
  if (!router.entryPoints.includes(entryPoint))
    return `it is on ${router.entryPoints.join(', ')}, not on ${entryPoint}`;
  if (router.tls !== undefined && !secure) return 'it is for TLS requests, and this one is plain';
  if (router.tls === undefined && secure) return 'it is for plain requests, and this one comes by TLS';
  return undefined;
}

function explainService(runtime: Runtime, name: string): ExplainedService {
  const serving = runtime.services.serving(name);
  return {
    name,
    kind: runtime.snapshot.http.services[name]?.kind ?? 'configured',
    endpoints: serving.endpoints.map(({ url, weight, state }) => ({
      url,
      weight,
      state: !state.up ? 'down' : state.ejected ? 'ejected' : state.draining ? 'draining' : 'up',
      inFlight: state.inFlight,
    })),
    next: serving.peek()?.url ?? null,
  };
}
