import type { ConfiguredTimeouts } from '../core/config/dynamic.ts';
import { ProxyError } from '../core/errors.ts';
import { normalizeHost } from '../core/host.ts';
import { hostsOfRule } from '../core/rule/ast.ts';
import { parseRule } from '../core/rule/parser.ts';
import type { EntryPointSnapshot, RouterSnapshot, Snapshot } from '../core/snapshot.ts';
import type { Steps } from '../core/steps.ts';
import type { TlsBinding } from '../core/tls/host-options.ts';
import { LiveChallenges } from './challenges.ts';
import { compileTrust } from './entry-trust.ts';
import type { Exchange, Handler, Logged } from './exchange.ts';
import type { LimitDesk } from './limits/limit-desk.ts';
import { MiddlewareCache } from './middleware/cache.ts';
import { compilePipeline } from './middleware/pipeline.ts';
import type { MiddlewareContext } from './middleware/types.ts';
import { answerOptions, endsHere } from './options.ts';
import type { RouteRequest } from './router/request.ts';
import { compileRouterInSteps, type RouteDefinition, type RouteTable } from './router/table.ts';
import { Services } from './services.ts';
import type { SlotDesk } from './slots.ts';
import { compileTls, type EntryPointTls, type TlsRuntime } from './tls/certificate-store.ts';

/** One router, compiled: middlewares, then the service. */
export interface Route {
  readonly name: string;
  readonly logged: Logged;
  readonly handle: Handler;
  /** Why every request is answered 500; null where they are served. */
  readonly refused: string | null;
}

type Log = MiddlewareContext['log'];

/** Where http-01 is answered. */
const ACME_SERVICE = 'acme-http@internal';

/** Requests of certificate authorities, which no router, redirection or middleware may get at. */
interface ChallengeRoute {
  readonly live: LiveChallenges;
  readonly handle: Handler;
}

/** One entry point under one snapshot. */
export class EntryPointRuntime {
  readonly config: EntryPointSnapshot;
  readonly tls: EntryPointTls;
  readonly trusts: (address: string) => boolean;
  /** Whether connections are looked at for TLS: always, but where only plaintext routers are. */
  readonly peeks: boolean;
  readonly #plain: RouteTable<Route>;
  readonly #secure: RouteTable<Route>;
  readonly #challenges: ChallengeRoute;
  readonly #view = new RouteView();

  constructor(
    config: EntryPointSnapshot,
    tls: EntryPointTls,
    plain: RouteTable<Route>,
    secure: RouteTable<Route>,
    challenges: ChallengeRoute,
  ) {
    this.config = config;
    this.#challenges = challenges;
    this.tls = tls;
    this.trusts = compileTrust(config.forwardedHeaders);
    this.#plain = plain;
    this.#secure = secure;
    this.peeks = secure.size > 0 || plain.size === 0;
  }

  /** The routers for TLS requests, or for plain ones. */
  table(secure: boolean): RouteTable<Route> {
    return secure ? this.#secure : this.#plain;
  }

  /** Whether a request for this path is an ACME challenge under way, which no router sees. */
  isChallenge(path: string): boolean {
    return this.#challenges.live.isHttp(path);
  }

  /** Finds the router of an exchange and lets it answer. */
  dispatch(exchange: Exchange): void {
    const host = normalizeHost(exchange.authority);
    exchange.host = host;
    if (!this.config.accessLogs) exchange.logged = 'no';
    if (this.isChallenge(exchange.path)) {
      exchange.routerName = ACME_SERVICE;
      if (exchange.logged === 'yes') exchange.logged = 'internal';
      this.#challenges.handle(exchange);
      return;
    }
    const { tls } = exchange.peer;
    if (tls !== null && this.tls.isMisdirected(host, tls)) {
      exchange.fail(new ProxyError('CLIENT_MISDIRECTED', `${host} has other TLS options than the connection`));
      return;
    }
    if (endsHere(exchange)) return;
    const view = this.#view;
    view.exchange = exchange;
    const route = (tls === null ? this.#plain : this.#secure).lookup(view);
    if (route === null) {
      // About no path in particular: rules for paths cannot match it, and the proxy can answer for itself.
      if (exchange.path === '*') {
        answerOptions(exchange);
        return;
      }
      exchange.fail(new ProxyError('PROXY_NO_ROUTE'));
      return;
    }
    exchange.routerName = route.name;
    exchange.logged = route.logged;
    route.handle(exchange);
  }
}

/** An exchange as rules see it. One for each entry point: lookups are synchronous, so it need not be made anew. */
class RouteView implements RouteRequest {
  exchange!: Exchange;

  get host(): string {
    return this.exchange.host;
  }
  get method(): string {
    return this.exchange.method;
  }
  get path(): string {
    return this.exchange.matchPath;
  }
  get query(): string {
    return this.exchange.query;
  }
  get clientIp(): string {
    return this.exchange.peer.address;
  }
  header(name: string): string | undefined {
    return this.exchange.headers.get(name);
  }
  headerValues(name: string): readonly string[] {
    return this.exchange.headers.getAll(name);
  }
}

/** What a worker compiled from a snapshot. Parts that did not change are taken over from the previous one. */
export class Runtime {
  readonly snapshot: Snapshot;
  readonly services: Services;
  readonly middlewares: MiddlewareCache;
  #tls!: TlsRuntime;
  #problems: readonly string[] = [];
  #entryPoints: ReadonlyMap<string, EntryPointRuntime> = new Map();
  /** By text: most rules stay the same. */
  readonly #rules = new Map<string, ReturnType<typeof parseRule>>();

  private constructor(snapshot: Snapshot, previous: Runtime | null, slots: SlotDesk | null) {
    this.snapshot = snapshot;
    this.services = new Services(snapshot, previous?.services ?? null, slots);
    this.middlewares = new MiddlewareCache(previous?.middlewares);
  }

  /**
   * Compiles a snapshot in steps: a thousand routers take some ten milliseconds, and requests would wait for them. What serves
   * meanwhile is the previous runtime.
   */
  static *compile(
    snapshot: Snapshot,
    previous: Runtime | null,
    log: Log,
    challenges = new LiveChallenges(),
    slots: SlotDesk | null = null,
    limits: LimitDesk | null = null,
  ): Steps<Runtime> {
    const runtime = new Runtime(snapshot, previous, slots);
    yield* runtime.#compile(previous, log, challenges, limits);
    return runtime;
  }

  *#compile(previous: Runtime | null, log: Log, challenges: LiveChallenges, limits: LimitDesk | null): Steps<void> {
    const { snapshot } = this;
    const problems: string[] = [];
    yield* this.services.compile();
    const plain = new Map<string, RouteDefinition<Route>[]>();
    const secure = new Map<string, RouteDefinition<Route>[]>();
    const bindings: Record<string, TlsBinding[]> = {};
    for (const name of Object.keys(snapshot.entryPoints)) {
      plain.set(name, []);
      secure.set(name, []);
      bindings[name] = [];
    }
    for (const router of Object.values(snapshot.http.routers)) {
      yield;
      if (router.status === 'disabled') continue;
      const rule = this.#rules.get(router.rule) ?? previous?.rule(router.rule) ?? parseRule(router.rule, 'http');
      this.#rules.set(router.rule, rule);
      if (!rule.ok) {
        problems.push(`router ${router.name}: the rule does not parse`);
        continue;
      }
      for (const entryPoint of router.entryPoints) {
        const list = (router.tls === undefined ? plain : secure).get(entryPoint);
        if (list === undefined) continue;
        const logged = loggedOf(router, snapshot.entryPoints[entryPoint]!);
        const route: Route = { ...this.#route(router, log, limits, problems), logged };
        list.push({ name: router.name, rule: rule.ast, priority: router.priority, target: route });
        if (router.tls !== undefined) {
          for (const host of hostsOfRule(rule.ast)) bindings[entryPoint]!.push({ host, options: router.tls.options });
        }
      }
    }
    this.middlewares.seal();
    this.#tls = compileTls(snapshot.tls, bindings, previous?.tls);
    yield;
    for (const conflict of this.tls.problems) {
      problems.push(
        `entry point ${conflict.entryPoint}: ${conflict.host} is wanted with several TLS options; the default ones apply`,
      );
    }
    const challenged = { live: challenges, handle: this.#challengeHandler() };
    const entryPoints = new Map<string, EntryPointRuntime>();
    for (const config of Object.values(snapshot.entryPoints)) {
      const { name } = config;
      const plainTable = yield* compileRouterInSteps(plain.get(name)!);
      const secureTable = yield* compileRouterInSteps(secure.get(name)!);
      const tls = this.tls.entryPoint(name);
      entryPoints.set(name, new EntryPointRuntime(config, tls, plainTable, secureTable, challenged));
    }
    this.#entryPoints = entryPoints;
    this.#problems = problems;
  }

  get tls(): TlsRuntime {
    return this.#tls;
  }

  /** What could not be compiled, one line each; the routers concerned refuse their requests. */
  get problems(): readonly string[] {
    return this.#problems;
  }

  entryPoint(name: string): EntryPointRuntime | undefined {
    return this.#entryPoints.get(name);
  }

  /** A rule of this snapshot, parsed. */
  rule(text: string): ReturnType<typeof parseRule> | undefined {
    return this.#rules.get(text);
  }

  #challengeHandler(): Handler {
    return ACME_SERVICE in this.snapshot.http.services
      ? this.#handler(ACME_SERVICE)
      : refuse(`there is no service ${ACME_SERVICE}`);
  }

  /** @throws where the service cannot be served */
  #handler(service: string, timeouts?: ConfiguredTimeouts): Handler {
    const serving = this.services.serving(service);
    if (timeouts === undefined) return (exchange) => serving.handle(exchange);
    return (exchange) => {
      exchange.timeouts = timeouts;
      serving.handle(exchange);
    };
  }

  #route(router: RouterSnapshot, log: Log, limits: LimitDesk | null, problems: string[]): Omit<Route, 'logged'> {
    const { name } = router;
    if (router.refuse !== undefined) return { name, handle: refuse(router.refuse), refused: router.refuse };
    try {
      const context = { log, cache: this.middlewares, router: name, limits };
      const last = this.#handler(router.service, router.timeouts);
      const handle = compilePipeline(router.middlewares, this.snapshot.http.middlewares, context, last);
      return { name, handle, refused: null };
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      problems.push(`router ${name}: ${reason}`);
      return { name, handle: refuse(reason), refused: reason };
    }
  }
}

/** A router has its own say, before its entry point. Ping, API, dashboard and redirections are internal, as in Traefik. */
function loggedOf({ service, observability }: RouterSnapshot, entryPoint: EntryPointSnapshot): Logged {
  if (!(observability?.accessLogs ?? entryPoint.accessLogs)) return 'no';
  return service.endsWith('@internal') ? 'internal' : 'yes';
}

/** Answers 500: what the router asks for cannot be done, and to leave it out would be unsafe. */
function refuse(reason: string): Handler {
  return (exchange) => exchange.fail(new ProxyError('PROXY_ROUTER_UNSAFE', reason));
}
