import type { RuleNode } from '../../core/rule/ast.ts';
import { hostPattern, hostSuffix } from '../../core/rule/host-pattern.ts';
import { type Comparison, type Formula, formulaOf, implies } from '../../core/rule/implies.ts';
import type { Regexes } from '../../core/rule/relate.ts';
import type { RouterSnapshot } from '../../core/snapshot.ts';
import type { Findings, Place } from './findings.ts';

/** A router with all that its entry points made of it. */
export interface RankedRouter {
  /** As the operator wrote it, once, however many entry points it is on. */
  readonly name: string;
  readonly place: Place;
  /** Undefined where the rule is broken. */
  readonly rule: RuleNode | undefined;
  readonly expanded: readonly RouterSnapshot[];
}

/** One router on one entry point, for TLS or for plain requests. */
interface Seat {
  readonly router: RankedRouter;
  readonly name: string;
  readonly priority: number;
  readonly formula: Formula;
}

/** All comparisons of one build together; a thousand routers of the usual kind need some ten thousand. */
const MAX_STEPS = 400_000;
/** Routers named in one message. */
const MAX_NAMED = 3;

/**
 * Says which routers can never get a request, since on each of their entry points routers that are asked before them take
 * whatever they match. What is said is proved; not everything that is so is found.
 */
export function reportShadowed(routers: readonly RankedRouter[], findings: Findings): void {
  const budget = { steps: MAX_STEPS };
  const regexes: Regexes = new Map();
  const seats = seatsOf(routers);
  const verdicts = new Map<RankedRouter, Verdict>();
  for (const table of seats.values()) {
    const finder = new CoverFinder(table, budget, regexes);
    for (const [rank, seat] of table.entries()) {
      const before = verdicts.get(seat.router);
      if (before?.shadowed === false) continue;
      const by = finder.coversOf(rank);
      verdicts.set(seat.router, {
        shadowed: by !== undefined,
        by: new Set([...(before?.by ?? []), ...(by?.names ?? [])]),
        pathsOnly: before?.pathsOnly === true || by?.pathsOnly === true,
      });
    }
  }
  for (const router of routers) {
    const verdict = verdicts.get(router);
    if (verdict?.shadowed === true) report(router, verdict, findings);
  }
  if (budget.steps <= 0) {
    findings.diagnostics.push({
      severity: 'info',
      code: 'shadow-search-cut',
      message: `there are too many routers to look for all that can never match: the search ended early`,
    });
  }
}

interface Verdict {
  readonly shadowed: boolean;
  readonly by: ReadonlySet<string>;
  readonly pathsOnly: boolean;
}

function report({ name, place }: RankedRouter, { by, pathsOnly }: Verdict, findings: Findings): void {
  const names = [...by].slice(0, MAX_NAMED).map((one) => `"${one}"`);
  if (by.size > MAX_NAMED) names.push(`${by.size - MAX_NAMED} more`);
  const whose = by.size === 1 ? 'comes first and matches' : 'come first and match';
  const but = pathsOnly ? ', but for `OPTIONS *`' : '';
  findings.add(
    'warning',
    'router-shadowed',
    `router "${name}" can never match: ${names.join(', ')} ${whose} all that it does${but}`,
    place,
    { hint: 'give it a higher `priority`, or remove it' },
  );
}

/** The routers that serve, by entry point and TLS-ness, in the order in which they are asked. */
function seatsOf(routers: readonly RankedRouter[]): Map<string, Seat[]> {
  const tables = new Map<string, Seat[]>();
  for (const router of routers) {
    if (router.rule === undefined) continue;
    const formula = formulaOf(router.rule);
    for (const { name, status, priority, entryPoints, tls } of router.expanded) {
      if (status === 'disabled') continue;
      for (const entryPoint of entryPoints) {
        const key = `${tls === undefined ? 'plain' : 'tls'} ${entryPoint}`;
        const seat = { router, name, priority, formula };
        const table = tables.get(key);
        if (table === undefined) tables.set(key, [seat]);
        else table.push(seat);
      }
    }
  }
  for (const table of tables.values())
    table.sort((a, b) => b.priority - a.priority || (a.name < b.name ? -1 : a.name > b.name ? 1 : 0));
  return tables;
}

/**
 * Finds what comes before a router and covers it. A router that is for certain hosts alone can cover only what is for one
 * of these, so it is filed under them and most pairs are never compared.
 */
class CoverFinder {
  readonly #table: readonly Seat[];
  readonly #budget: { steps: number };
  readonly #regexes: Regexes;
  /** Ranks, ascending, by host key; `''` holds those that are for any host. */
  readonly #byHost = new Map<string, number[]>();

  constructor(table: readonly Seat[], budget: { steps: number }, regexes: Regexes) {
    this.#table = table;
    this.#budget = budget;
    this.#regexes = regexes;
    for (const [rank, { formula }] of table.entries()) {
      for (const key of new Set(hostKeys(formula) ?? [''])) {
        const ranks = this.#byHost.get(key);
        if (ranks === undefined) this.#byHost.set(key, [rank]);
        else ranks.push(rank);
      }
    }
  }

  /** The routers that together take all that this one matches: one for each alternative of its rule. */
  coversOf(rank: number): { readonly names: ReadonlySet<string>; readonly pathsOnly: boolean } | undefined {
    const { formula } = this.#table[rank]!;
    const names = new Set<string>();
    let pathsOnly = false;
    for (const part of formula.kind === 'or' ? formula.children : [formula]) {
      const cover = this.#coverOf(part, rank, false) ?? this.#coverOf(part, rank, true);
      if (cover === undefined) return undefined;
      names.add(cover.name);
      pathsOnly ||= cover.pathsOnly;
    }
    return { names, pathsOnly };
  }

  #coverOf(part: Formula, rank: number, pathsOnly: boolean): { name: string; pathsOnly: boolean } | undefined {
    for (const key of lookupKeys(part)) {
      for (const before of this.#byHost.get(key) ?? []) {
        if (before >= rank || this.#budget.steps <= 0) break;
        const { formula, name } = this.#table[before]!;
        const comparison: Comparison = { regexes: this.#regexes, steps: this.#budget.steps, pathsOnly };
        const covered = implies(part, formula, comparison);
        this.#budget.steps = comparison.steps;
        if (covered) return { name, pathsOnly };
      }
    }
    return undefined;
  }
}

/** Hosts of which a request must have one to meet the rule: `a.example`, `*.example`; null where it may have any. */
function hostKeys(formula: Formula): readonly string[] | null {
  switch (formula.kind) {
    case 'and': {
      for (const child of formula.children) {
        const keys = hostKeys(child);
        if (keys !== null) return keys;
      }
      return null;
    }
    case 'or': {
      const all: string[] = [];
      for (const child of formula.children) {
        const keys = hostKeys(child);
        if (keys === null) return null;
        all.push(...keys);
      }
      return all;
    }
    case 'literal': {
      if (formula.negated || formula.matcher.kind !== 'Host') return null;
      const pattern = hostPattern(formula.matcher.value);
      if (pattern.type === 'exact') return [pattern.host];
      if (pattern.type === 'wildcard') return [`*.${pattern.suffix}`];
      return pattern.type === 'any' ? null : [];
    }
  }
}

/** Where a rule that covers this one can be filed. One host is enough: who covers all of them covers this one. */
function lookupKeys(formula: Formula): readonly string[] {
  const [host] = hostKeys(formula) ?? [];
  if (host === undefined) return [''];
  const suffix = host.startsWith('*.') ? undefined : hostSuffix(host);
  return suffix === undefined ? [host, ''] : [host, `*.${suffix}`, ''];
}
