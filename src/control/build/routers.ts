import type { Router } from '../../core/config/dynamic.ts';
import type { Path } from '../../core/config/paths.ts';
import { hostsOfRule, type RuleNode } from '../../core/rule/ast.ts';
import { type ParsedRule, parseRule } from '../../core/rule/parser.ts';
import { defaultPriority } from '../../core/rule/priority.ts';
import type { RouterSnapshot } from '../../core/snapshot.ts';
import { DEFAULT_TLS_OPTIONS } from '../../core/tls/host-options.ts';
import { Subject } from './findings.ts';
import type { Entry } from './merge.ts';
import { judgeMiddleware, type RouterContext, resolveMiddleware, resolveService, resolveTls } from './references.ts';

/** A router on its own, before its entry points add to it. */
export interface CheckedRouter {
  readonly entry: Entry<Router>;
  readonly subject: Subject;
  readonly snapshot: RouterSnapshot;
  /** Undefined where the rule is broken. */
  readonly rule: RuleNode | undefined;
  /** The hosts of its rule; empty where the rule is broken. */
  readonly hosts: readonly string[];
}

/** Checks one router. Whatever is wrong is found in one pass, so that an operator mends it in one. */
export function checkRouter(entry: Entry<Router>, context: RouterContext): CheckedRouter {
  const subject = new Subject(context.findings, entry.place);
  const { name, provider, value } = entry;
  if (value === undefined) {
    for (const problem of entry.problems) subject.disable(problem);
    return { entry, subject, snapshot: rejected(entry, subject), rule: undefined, hosts: [] };
  }
  const ast = checkRule(value, subject);
  const hosts = ast === undefined ? [] : hostsOfRule(ast);
  const entryPoints = resolveEntryPoints(value, subject, context);
  const service = resolveService(value.service, provider, subject, context);
  const middlewares = value.middlewares.map((written, index) => {
    const at: Path = ['middlewares', index];
    return { name: resolveMiddleware(written, provider, subject, context, at), at };
  });
  const refuse = middlewares
    .map((one) => judgeMiddleware(one.name, one.at, subject, context))
    .find((reason) => reason !== undefined);
  const tls = value.tls === undefined ? undefined : resolveTls(value.tls, provider, subject, context);
  if (tls !== undefined && tls.options !== DEFAULT_TLS_OPTIONS && ast !== undefined && hosts.length === 0) {
    subject.warning(
      'tls-options-without-host',
      `the rule names no host: whether the TLS options "${tls.options}" apply depends on the server name of each request`,
      { at: ['tls', 'options'], hint: 'add Host(`…`) to the rule, or set these options as `tls.options.default`' },
    );
  }
  const snapshot: RouterSnapshot = {
    name,
    status: subject.status,
    errors: subject.errors,
    entryPoints,
    rule: value.rule,
    priority: value.priority === 0 ? defaultPriority(value.rule, 'http') : value.priority,
    middlewares: middlewares.map((one) => one.name),
    service,
    ...(tls === undefined ? {} : { tls }),
    ...(value.observability === undefined ? {} : { observability: value.observability }),
    ...(value.timeouts === undefined ? {} : { timeouts: value.timeouts }),
    ...(refuse === undefined ? {} : { refuse }),
  };
  return { entry, subject, snapshot, rule: ast, hosts };
}

/** Keeps the place of a router of which nothing could be read, so that the API shows it with its errors. */
function rejected(entry: Entry<Router>, subject: Subject): RouterSnapshot {
  const { status, errors } = subject;
  return { name: entry.name, status, errors, entryPoints: [], rule: '', priority: 0, middlewares: [], service: '' };
}

function checkRule({ rule, ruleSyntax }: Router, subject: Subject): RuleNode | undefined {
  const parsed = parseRule(rule, 'http');
  if (ruleSyntax === 'v2') {
    subject.warning(
      'rule-syntax-v2',
      '`ruleSyntax: v2` is not supported: the rule is read by the grammar of version 3',
      {
        at: ['ruleSyntax'],
        hint: parsed.ok ? 'it reads the same: remove `ruleSyntax`' : 'write the rule as the other findings say',
      },
    );
  }
  reportRule(parsed, rule, subject);
  return parsed.ok ? parsed.ast : undefined;
}

/** Turns what the rule parser says into diagnostics that point into the rule. */
export function reportRule(parsed: ParsedRule, rule: string, subject: Subject): void {
  const problems = parsed.ok ? parsed.warnings : parsed.problems;
  for (const { code, message, hint, offset } of problems) {
    const warning = parsed.ok || code === 'rule-never-matches' || code === 'rule-suspicious';
    const detail = { at: ['rule'], offset, inside: rule, hint };
    if (warning) subject.warning(code, message, detail);
    else subject.error(code, message, detail);
  }
}

function resolveEntryPoints(value: Router, subject: Subject, { entryPoints }: RouterContext): readonly string[] {
  if (value.entryPoints === undefined || value.entryPoints.length === 0) {
    if (entryPoints.defaults.length > 0) return entryPoints.defaults;
    subject.error('no-entry-point', 'the router names no entry point, and there is no default one', {
      hint: 'write `entryPoints: [name]`',
    });
    return [];
  }
  const valid = new Set<string>();
  value.entryPoints.forEach((name, index) => {
    const at = { at: ['entryPoints', index], value: true };
    if (Object.hasOwn(entryPoints.snapshots, name)) valid.add(name);
    else if (entryPoints.names.has(name))
      subject.warning('closed-entry-point', `entry point "${name}" is not open`, at);
    else {
      const names = [...entryPoints.names];
      const hint = subject.findings.didYouMean(name, () => names) ?? `there are: ${names.join(', ')}`;
      subject.warning('unknown-entry-point', `entry point "${name}" does not exist`, { ...at, hint });
    }
  });
  if (valid.size === 0)
    subject.error('no-entry-point', 'no valid entry point for this router', { at: ['entryPoints'] });
  return [...valid];
}
