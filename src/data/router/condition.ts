import type { RuleMatcher, RuleNode } from '../../core/rule/ast.ts';
import { hostPattern, hostSuffix } from '../../core/rule/host-pattern.ts';

/** A condition on the host that an index can look up. */
export type HostKey =
  | { readonly type: 'exact'; readonly host: string }
  | { readonly type: 'wildcard'; readonly suffix: string };

/** A condition on the path that an index can look up. */
export interface PathKey {
  readonly type: 'exact' | 'prefix';
  readonly path: string;
}

/** More path conditions than this in one rule, and it is evaluated rather than indexed. */
const MAX_PATH_KEYS = 64;

/**
 * Conditions of which at least one holds for every request that meets the rule; null where there is no such set. The
 * empty set says that no request meets it.
 */
export function hostKeys(node: RuleNode): readonly HostKey[] | null {
  return necessary<HostKey>(node, (matcher) => {
    if (matcher.kind !== 'Host') return null;
    const pattern = hostPattern(matcher.value);
    return pattern.type === 'any' ? null : pattern.type === 'none' ? [] : [pattern];
  });
}

/** As `hostKeys`, for the path. */
export function pathKeys(node: RuleNode): readonly PathKey[] | null {
  const keys = necessary<PathKey>(node, (matcher) => {
    if (matcher.kind === 'Path') return [{ type: 'exact', path: matcher.value }];
    return matcher.kind === 'PathPrefix' ? [{ type: 'prefix', path: matcher.value }] : null;
  });
  return keys === null || keys.length > MAX_PATH_KEYS ? null : keys;
}

function necessary<K extends { readonly type: string }>(
  node: RuleNode,
  leaf: (matcher: RuleMatcher) => readonly K[] | null,
): readonly K[] | null {
  switch (node.kind) {
    case 'and': {
      // Each child's set would do. Fewer keys make a smaller index, exact ones a sharper one.
      let best: readonly K[] | null = null;
      for (const child of node.children) {
        const keys = necessary(child, leaf);
        if (keys !== null && (best === null || weight(keys) < weight(best))) best = keys;
      }
      return best;
    }
    case 'or': {
      const union: K[] = [];
      for (const child of node.children) {
        const keys = necessary(child, leaf);
        if (keys === null) return null;
        union.push(...keys);
      }
      return union;
    }
    case 'not':
      return null;
    default:
      return leaf(node);
  }
}

function weight(keys: readonly { readonly type: string }[]): number {
  return keys.reduce((sum, key) => sum + (key.type === 'exact' ? 1 : 2), 0);
}

/** What a host condition decides about a matcher: it holds, it does not, or undefined: it depends on the request. */
export function decideByHost(key: HostKey, matcher: RuleMatcher): boolean | undefined {
  if (matcher.kind !== 'Host') return undefined;
  const pattern = hostPattern(matcher.value);
  if (pattern.type === 'any') return true;
  if (pattern.type === 'none') return false;
  if (key.type === 'exact') {
    return pattern.type === 'exact' ? pattern.host === key.host : hostSuffix(key.host) === pattern.suffix;
  }
  if (pattern.type === 'wildcard') return pattern.suffix === key.suffix;
  return hostSuffix(pattern.host) === key.suffix ? undefined : false;
}

/** As `decideByHost`, for the path. */
export function decideByPath(key: PathKey, matcher: RuleMatcher): boolean | undefined {
  if (matcher.kind === 'PathPrefix') {
    if (key.path.startsWith(matcher.value)) return true;
    return key.type === 'prefix' && matcher.value.startsWith(key.path) ? undefined : false;
  }
  if (matcher.kind !== 'Path') return undefined;
  if (key.type === 'exact') return matcher.value === key.path;
  return matcher.value.startsWith(key.path) ? undefined : false;
}

/** What is left of a rule once some matchers are decided: a smaller rule, or its outcome. */
export function simplify(
  node: RuleNode | boolean,
  decide: (matcher: RuleMatcher) => boolean | undefined,
): RuleNode | boolean {
  if (typeof node === 'boolean') return node;
  switch (node.kind) {
    case 'and':
    case 'or': {
      const dominant = node.kind === 'or';
      const children: RuleNode[] = [];
      for (const child of node.children) {
        const left = simplify(child, decide);
        if (left === dominant) return dominant;
        if (typeof left !== 'boolean') children.push(left);
      }
      const [only] = children;
      if (only === undefined) return !dominant;
      return children.length === 1 ? only : { kind: node.kind, children };
    }
    case 'not': {
      const left = simplify(node.child, decide);
      return typeof left === 'boolean' ? !left : { kind: 'not', child: left };
    }
    default:
      return decide(node) ?? node;
  }
}
