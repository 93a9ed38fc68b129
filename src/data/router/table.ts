import type { RuleNode } from '../../core/rule/ast.ts';
import { hostSuffix } from '../../core/rule/host-pattern.ts';
import { atOnce, type Steps } from '../../core/steps.ts';
import { Bucket, type Candidate, type Undecided } from './bucket.ts';
import { decideByHost, type HostKey, hostKeys, simplify } from './condition.ts';
import { type Explanation, explainRouters } from './explain.ts';
import type { CompiledMatchers } from './matcher.ts';
import type { RouteRequest } from './request.ts';

/** A router to be compiled. */
export interface RouteDefinition<T> {
  /** Qualified: `name@provider`. */
  readonly name: string;
  readonly rule: RuleNode;
  /** Higher is asked first; equal ones in the order of their names. */
  readonly priority: number;
  /** What `lookup` returns. */
  readonly target: T;
}

/** The routers of one entry point, ready to be asked. Immutable: a change of configuration compiles a new one. */
export interface RouteTable<T> {
  readonly size: number;
  /** The target of the first router, in order, whose rule the request meets; null where there is none. */
  lookup(request: RouteRequest): T | null;
  /**
   * What every router says about the request, in order. For people: it evaluates everything.
   *
   * @param until `performance.now()` after which it stops, with those that it has got to
   */
  explain(request: RouteRequest, until?: number): readonly Explanation[];
}

/**
 * Compiles routers to an index. A rule that can only be true for certain hosts is filed under each of them, with what is
 * left of it once the host is known; the same again by path where a host has many. So a lookup looks at a few candidates
 * however many routers there are, and only rules on anything else (a regular expression, a header) are tried one by one.
 */
export function compileRouter<T>(routers: readonly RouteDefinition<T>[]): RouteTable<T> {
  return atOnce(compileRouterInSteps(routers));
}

/** The same; thousands of routers take a while. */
export function* compileRouterInSteps<T>(routers: readonly RouteDefinition<T>[]): Steps<RouteTable<T>> {
  const ordered = [...routers].sort(
    (a, b) => b.priority - a.priority || (a.name < b.name ? -1 : a.name > b.name ? 1 : 0),
  );
  const byHost = new Map<string, Undecided<T>[]>();
  const bySuffix = new Map<string, Undecided<T>[]>();
  const anyHost: Undecided<T>[] = [];
  for (const [rank, { rule, target }] of ordered.entries()) {
    yield;
    const keys = hostKeys(rule);
    if (keys === null) {
      const rest = simplify(rule, () => undefined);
      if (rest !== false) anyHost.push({ rank, target, rest });
      continue;
    }
    for (const key of distinct(keys)) {
      const rest = simplify(rule, (matcher) => decideByHost(key, matcher));
      if (rest === false) continue;
      if (key.type === 'exact') append(byHost, key.host, { rank, target, rest });
      else append(bySuffix, key.suffix, { rank, target, rest });
    }
  }
  const done: CompiledMatchers = new Map();
  const generic = anyHost.length === 0 ? null : new Bucket(anyHost, done);
  const exact = yield* toBuckets(byHost, done);
  const suffixes = yield* toBuckets(bySuffix, done);
  return new IndexedTable(ordered, exact, suffixes, generic);
}

class IndexedTable<T> implements RouteTable<T> {
  readonly #ordered: readonly RouteDefinition<T>[];
  readonly #byHost: ReadonlyMap<string, Bucket<T>>;
  readonly #bySuffix: ReadonlyMap<string, Bucket<T>> | null;
  readonly #anyHost: Bucket<T> | null;

  constructor(
    ordered: readonly RouteDefinition<T>[],
    byHost: ReadonlyMap<string, Bucket<T>>,
    bySuffix: ReadonlyMap<string, Bucket<T>>,
    anyHost: Bucket<T> | null,
  ) {
    this.#ordered = ordered;
    this.#byHost = byHost;
    this.#bySuffix = bySuffix.size === 0 ? null : bySuffix;
    this.#anyHost = anyHost;
  }

  get size(): number {
    return this.#ordered.length;
  }

  lookup(request: RouteRequest): T | null {
    const { host } = request;
    let best: Candidate<T> | null = null;
    const named = this.#byHost.get(host);
    if (named !== undefined) best = named.first(request, best);
    if (this.#bySuffix !== null) {
      const suffix = hostSuffix(host);
      const wildcard = suffix === undefined ? undefined : this.#bySuffix.get(suffix);
      if (wildcard !== undefined) best = wildcard.first(request, best);
    }
    if (this.#anyHost !== null) best = this.#anyHost.first(request, best);
    return best === null ? null : best.target;
  }

  explain(request: RouteRequest, until?: number): readonly Explanation[] {
    return explainRouters(this.#ordered, request, until);
  }
}

function append<V>(lists: Map<string, V[]>, key: string, value: V): void {
  const list = lists.get(key);
  if (list === undefined) lists.set(key, [value]);
  else list.push(value);
}

function* toBuckets<T>(
  lists: ReadonlyMap<string, Undecided<T>[]>,
  done: CompiledMatchers,
): Steps<Map<string, Bucket<T>>> {
  const buckets = new Map<string, Bucket<T>>();
  for (const [key, routers] of lists) {
    buckets.set(key, new Bucket(routers, done));
    yield;
  }
  return buckets;
}

function distinct(keys: readonly HostKey[]): Iterable<HostKey> {
  return new Map(keys.map((key) => [key.type === 'exact' ? key.host : `*.${key.suffix}`, key])).values();
}
