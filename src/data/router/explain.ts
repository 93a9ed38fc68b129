import type { RuleMatcher, RuleNode } from '../../core/rule/ast.ts';
import { printMatcher, printRule } from '../../core/rule/print.ts';
import { compilePredicate } from './matcher.ts';
import type { RouteRequest } from './request.ts';

/** What one router says about a request. */
export interface Explanation {
  readonly name: string;
  readonly priority: number;
  /** Whether the rule is met. */
  readonly matched: boolean;
  /** Whether this router gets the request: the first in order that matched. */
  readonly won: boolean;
  /** Why the rule is not met: the condition, and what the request has. */
  readonly failed?: string;
  /** The router that came first, where this one matched and did not win. */
  readonly lostTo?: string;
}

interface ExplainedRouter {
  readonly name: string;
  readonly priority: number;
  readonly rule: RuleNode;
}

/**
 * Evaluates every rule by itself, without the index. Compiles as it goes: not for the hot path.
 *
 * @param until `performance.now()` after which it stops: thousands of regular expressions take seconds
 */
export function explainRouters(
  ordered: readonly ExplainedRouter[],
  request: RouteRequest,
  until = Number.POSITIVE_INFINITY,
): readonly Explanation[] {
  const explanations: Explanation[] = [];
  let winner: string | undefined;
  for (const { name, priority, rule } of ordered) {
    if (performance.now() > until) break;
    const failed = whyNot(rule, request);
    if (failed !== undefined) explanations.push({ name, priority, matched: false, won: false, failed });
    else if (winner !== undefined) explanations.push({ name, priority, matched: true, won: false, lostTo: winner });
    else {
      winner = name;
      explanations.push({ name, priority, matched: true, won: true });
    }
  }
  return explanations;
}

/** The reason why a request does not meet a rule; undefined where it does. */
export function whyNot(node: RuleNode, request: RouteRequest): string | undefined {
  switch (node.kind) {
    case 'and':
      for (const child of node.children) {
        const reason = whyNot(child, request);
        if (reason !== undefined) return reason;
      }
      return undefined;
    case 'or': {
      const reasons: string[] = [];
      for (const child of node.children) {
        const reason = whyNot(child, request);
        if (reason === undefined) return undefined;
        reasons.push(reason);
      }
      return reasons.join('; ');
    }
    case 'not':
      return whyNot(node.child, request) === undefined ? `${printRule(node)}: that is the case` : undefined;
    default:
      return compilePredicate(node, new Map())(request) ? undefined : `${printMatcher(node)}: ${actual(node, request)}`;
  }
}

function actual(matcher: RuleMatcher, request: RouteRequest): string {
  switch (matcher.kind) {
    case 'Host':
    case 'HostRegexp':
      return request.host === '' ? 'the request has no host' : `the host is ${request.host}`;
    case 'Path':
    case 'PathPrefix':
    case 'PathRegexp':
      return `the path is ${request.path}`;
    case 'Method':
      return `the method is ${request.method}`;
    case 'ClientIP':
      return `the client is ${request.clientIp}`;
    case 'Header':
    case 'HeaderRegexp': {
      if (matcher.key.toLowerCase() === 'host') return 'the Host header is never compared';
      const values = request.headerValues(matcher.key.toLowerCase());
      return values.length === 0 ? 'the request has no such header' : `the header is ${values.join(', ')}`;
    }
    case 'Query':
    case 'QueryRegexp':
      return request.query === '' ? 'the request has no query' : `the query is ${request.query}`;
    case 'HostSNI':
    case 'HostSNIRegexp':
    case 'ALPN':
      return 'this belongs to TCP rules';
  }
}
