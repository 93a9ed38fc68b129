import type { RuleMatcher, RuleNode } from './ast.ts';

/** Writes a rule back as text. Parsing the result gives an equal AST. */
export function printRule(node: RuleNode): string {
  switch (node.kind) {
    case 'and':
      return node.children
        .map((child) => (child.kind === 'or' ? `(${printRule(child)})` : printRule(child)))
        .join(' && ');
    case 'or':
      return node.children.map(printRule).join(' || ');
    case 'not':
      return node.child.kind === 'and' || node.child.kind === 'or'
        ? `!(${printRule(node.child)})`
        : `!${printRule(node.child)}`;
    default:
      return printMatcher(node);
  }
}

export function printMatcher(matcher: RuleMatcher): string {
  return printCall(matcher.kind, matcherValues(matcher));
}

export function printCall(name: string, values: readonly string[]): string {
  return `${name}(${values.map(printString).join(', ')})`;
}

function matcherValues(matcher: RuleMatcher): readonly string[] {
  const values = 'key' in matcher ? [matcher.key] : [];
  return matcher.value === undefined ? values : [...values, matcher.value];
}

/** A Go string literal: in backticks where it can be. */
export function printString(value: string): string {
  if (!/[`\r]/.test(value)) return `\`${value}\``;
  const escaped = value.replace(/["\\]/g, '\\$&').replace(/[\x00-\x1f\x7f]/g, escapeControl);
  return `"${escaped}"`;
}

function escapeControl(c: string): string {
  return `\\x${c.charCodeAt(0).toString(16).padStart(2, '0')}`;
}
