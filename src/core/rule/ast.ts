/** Matchers of HTTP rules that take one value. */
export type HttpValueMatcherName = 'Host' | 'HostRegexp' | 'Path' | 'PathPrefix' | 'PathRegexp' | 'Method' | 'ClientIP';

/** Matchers of TCP rules. `ClientIP` is in both kinds. */
export type TcpMatcherName = 'HostSNI' | 'HostSNIRegexp' | 'ClientIP' | 'ALPN';

/** ``Host(`a`)``: one value, exactly as the operator wrote it. */
export interface ValueMatcher {
  readonly kind: HttpValueMatcherName | TcpMatcherName;
  readonly value: string;
}

/** ``Header(`X-Key`, `value`)`` */
export interface HeaderMatcher {
  readonly kind: 'Header' | 'HeaderRegexp';
  readonly key: string;
  readonly value: string;
}

/** ``Query(`key`, `value`)``; without a value it matches a parameter whose value is empty. */
export interface QueryMatcher {
  readonly kind: 'Query' | 'QueryRegexp';
  readonly key: string;
  readonly value?: string;
}

export type RuleMatcher = ValueMatcher | HeaderMatcher | QueryMatcher;
export type MatcherName = RuleMatcher['kind'];

export interface AndNode {
  readonly kind: 'and';
  /** Two or more, in the order written; no `and` among them. */
  readonly children: readonly RuleNode[];
}

export interface OrNode {
  readonly kind: 'or';
  /** Two or more, in the order written; no `or` among them. */
  readonly children: readonly RuleNode[];
}

export interface NotNode {
  readonly kind: 'not';
  readonly child: RuleNode;
}

/** A checked rule: plain data, values valid (regular expressions compile, addresses parse). */
export type RuleNode = AndNode | OrNode | NotNode | RuleMatcher;

export type RuleKind = 'http' | 'tcp';

/** Every matcher of a rule, in the order written, negated ones included. */
export function ruleMatchers(ast: RuleNode): readonly RuleMatcher[] {
  const found: RuleMatcher[] = [];
  visit(ast, false, (matcher) => found.push(matcher));
  return found;
}

/**
 * The hosts a rule is for, lower case and without a trailing dot, each once: the positive `Host` (or `HostSNI`) values,
 * `*.x` included. Certificates are asked for these. Not among them: negated ones, regular expressions, the bare `*`.
 */
export function hostsOfRule(ast: RuleNode): readonly string[] {
  const hosts = new Set<string>();
  visit(ast, false, (matcher, negated) => {
    if (negated || (matcher.kind !== 'Host' && matcher.kind !== 'HostSNI') || matcher.value === '*') return;
    hosts.add(matcher.value.toLowerCase().replace(/\.$/, ''));
  });
  return [...hosts];
}

/** The values of the positive `HostRegexp` of a rule: hosts that nobody can list. */
export function hostPatternsOfRule(ast: RuleNode): readonly string[] {
  const patterns: string[] = [];
  visit(ast, false, (matcher, negated) => {
    if (!negated && matcher.kind === 'HostRegexp') patterns.push(matcher.value);
  });
  return patterns;
}

function visit(node: RuleNode, negated: boolean, each: (matcher: RuleMatcher, negated: boolean) => void): void {
  switch (node.kind) {
    case 'and':
    case 'or':
      for (const child of node.children) visit(child, negated, each);
      return;
    case 'not':
      visit(node.child, !negated, each);
      return;
    default:
      each(node, negated);
  }
}
