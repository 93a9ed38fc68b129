import type { RuleMatcher, RuleNode } from './ast.ts';
import { hostPattern } from './host-pattern.ts';
import { matcherImplies, matchersExclude, type Regexes } from './relate.ts';

/** A rule in which only matchers are negated. */
export type Formula =
  | { readonly kind: 'and' | 'or'; readonly children: readonly Formula[] }
  | { readonly kind: 'literal'; readonly matcher: RuleMatcher; readonly negated: boolean };

/** What a comparison of rules may use up, and may take for granted. */
export interface Comparison {
  readonly regexes: Regexes;
  /** Pairs of matchers and connectives that are still looked at; at 0 everything is taken as unknown. */
  steps: number;
  /** Leave out of account the one request whose path has no slash: `OPTIONS *`. */
  readonly pathsOnly: boolean;
}

/** Moves negations to the matchers (De Morgan). */
export function formulaOf(node: RuleNode, negated = false): Formula {
  switch (node.kind) {
    case 'and':
    case 'or': {
      const children = node.children.map((child) => formulaOf(child, negated));
      return { kind: (node.kind === 'and') === negated ? 'or' : 'and', children };
    }
    case 'not':
      return formulaOf(node.child, !negated);
    default:
      return { kind: 'literal', matcher: node, negated };
  }
}

/**
 * Whether every request that meets `a` meets `b`. True is a proof; false says that none was found, since to decide it for
 * all rules is too hard: alternatives that only together cover a case are not put together.
 */
export function implies(a: Formula, b: Formula, comparison: Comparison): boolean {
  if (--comparison.steps < 0) return false;
  if (a.kind === 'or') return a.children.every((child) => implies(child, b, comparison));
  if (b.kind === 'and') return b.children.every((child) => implies(a, child, comparison));
  if (b.kind === 'or' && b.children.some((child) => implies(a, child, comparison))) return true;
  if (a.kind === 'and') return a.children.some((child) => implies(child, b, comparison));
  return a.kind === 'literal' && b.kind === 'literal' && literalImplies(a, b, comparison);
}

type Literal = Formula & { readonly kind: 'literal' };

function literalImplies(a: Literal, b: Literal, { regexes, pathsOnly }: Comparison): boolean {
  if (isTrue(b, pathsOnly)) return true;
  if (a.negated) return b.negated && matcherImplies(b.matcher, a.matcher, regexes);
  return b.negated ? matchersExclude(a.matcher, b.matcher, regexes) : matcherImplies(a.matcher, b.matcher, regexes);
}

/** Whether every request meets it. */
function isTrue({ matcher, negated }: Literal, pathsOnly: boolean): boolean {
  if (matcher.kind === 'PathPrefix') return pathsOnly && !negated && matcher.value === '/';
  if (matcher.kind !== 'Host') return false;
  const { type } = hostPattern(matcher.value);
  return negated ? type === 'none' : type === 'any';
}
