import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { hostsOfRule, type RuleNode, ruleMatchers } from '../../../src/core/rule/ast.ts';
import { MAX_RULE_DEPTH, MAX_RULE_LENGTH, parseRule } from '../../../src/core/rule/parser.ts';
import { printRule } from '../../../src/core/rule/print.ts';
import { defaultPriority } from '../../../src/core/rule/priority.ts';
import type { RuleProblem } from '../../../src/core/rule/problem.ts';

function ast(rule: string, kind: 'http' | 'tcp' = 'http'): RuleNode {
  const parsed = parseRule(rule, kind);
  if (!parsed.ok) throw new Error(`${rule}: ${parsed.problems[0]?.message}`);
  return parsed.ast;
}

/** The first problem of a rule that is refused. */
function problem(rule: string, kind: 'http' | 'tcp' = 'http'): RuleProblem {
  const parsed = parseRule(rule, kind);
  const first = parsed.ok ? undefined : parsed.problems[0];
  if (first === undefined) throw new Error(`${rule} was accepted`);
  return first;
}

function warnings(rule: string): readonly RuleProblem[] {
  const parsed = parseRule(rule, 'http');
  if (!parsed.ok) throw new Error(`${rule}: ${parsed.problems[0]?.message}`);
  return parsed.warnings;
}

const host = (value: string) => ({ kind: 'Host', value });

describe('the grammar', () => {
  it('binds ! before && before ||', () => {
    expect(ast('Host(`a`) || !Host(`b`) && Path(`/c`)')).toEqual({
      kind: 'or',
      children: [
        host('a'),
        {
          kind: 'and',
          children: [
            { kind: 'not', child: host('b') },
            { kind: 'Path', value: '/c' },
          ],
        },
      ],
    });
  });

  it('lets parentheses override, and flattens what needs none', () => {
    expect(ast('(Host(`a`) || (Host(`b`) || Host(`c`))) && Path(`/`)')).toEqual({
      kind: 'and',
      children: [
        { kind: 'or', children: [host('a'), host('b'), host('c')] },
        { kind: 'Path', value: '/' },
      ],
    });
  });

  it.each(['Host(`a`)', 'host(`a`)', 'HOST(`a`)', ' \tHost (\n`a` , ) '])('reads %j as Host', (rule) => {
    expect(ast(rule)).toEqual(host('a'));
  });

  it.each(['HostRegexp', 'hostregexp', 'HOSTREGEXP', 'Hostregexp'])('takes the spelling %s', (name) => {
    expect(ast(`${name}(\`a\`)`)).toEqual({ kind: 'HostRegexp', value: 'a' });
  });

  it('reads Go escapes in double quotes and none in backticks', () => {
    expect(ast('Header("X", "a\\t\\"\\\\\\x41\\101\\u00e9\\U0001F600\\xc3\\xa9")')).toEqual({
      kind: 'Header',
      key: 'X',
      value: 'a\t"\\AAé😀é',
    });
    expect(ast('PathRegexp(`\\d"`)')).toEqual({ kind: 'PathRegexp', value: '\\d"' });
  });

  it('reads every HTTP matcher', () => {
    const rule =
      'Host(`a`) && HostRegexp(`a`) && Path(`/`) && PathPrefix(`/`) && PathRegexp(`a`) && Method(`get`) && Header(`k`, `v`) && ' +
      'HeaderRegexp(`k`, `v`) && Query(`k`) && Query(`k`, `v`) && QueryRegexp(`k`) && QueryRegexp(`k`, `v`) && ClientIP(`::1`)';
    expect(ruleMatchers(ast(rule))).toHaveLength(13);
    expect(printRule(ast(rule))).toBe(rule);
  });

  it('reads every TCP matcher', () => {
    const rule = 'HostSNI(`*`) || HostSNIRegexp(`^a$`) || ClientIP(`10.0.0.0/8`) || ALPN(`h2`)';
    expect(printRule(ast(rule, 'tcp'))).toBe(rule);
  });
});

describe('syntax errors say where and what to write', () => {
  it.each([
    ['', 0, 'empty', 'Host(`example.com`)'],
    ['Host(`a', 5, 'backtick', 'add a backtick'],
    ['Host("a)', 5, 'double quote', 'add a double quote'],
    ['Host(`a`', 4, 'never closed', 'add a )'],
    ['(Host(`a`)', 0, 'never closed', 'add a )'],
    ['Host(`a`))', 9, 'closes nothing', 'remove'],
    ['Host(a.example.com)', 5, 'backticks', 'Host(`a.example.com`)'],
    ["Host('a')", 5, 'cannot stand in', 'backticks'],
    ['Host(“a”)', 5, 'cannot stand in', 'backticks'],
    ['Host(`a`) & Path(`/`)', 10, 'single "&"', '&&'],
    ['Host(`a`) | Path(`/`)', 10, 'single "|"', '||'],
    ['Host(`a`) and Path(`/`)', 10, '&& or ||', 'write &&'],
    ['Host(`a`) Path(`/`)', 10, '&& or ||', 'join matchers'],
    ['Host(`a`) &&', 12, 'the rule ends', 'Host('],
    ['&& Host(`a`)', 0, '"&&" stands', 'Host('],
    ['not Host(`a`)', 0, 'no operator', 'write !'],
    ['Host', 4, 'expected (', 'Host('],
    ['Host(`a` || `b`)', 9, 'expected )', 'Host(`a`) || Host(`b`)'],
    ['`a.example.com`', 0, 'without its matcher', 'Host(`a.example.com`)'],
    ['Host("a\\.b")', 7, 'unknown escape \\.', 'backticks'],
    ['Header("a", "\\xff")', 12, 'not UTF-8', ''],
  ])('%j', (rule, offset, message, hint) => {
    const found = problem(rule);
    expect(found).toMatchObject({ offset, code: 'rule-syntax' });
    expect(found.message).toContain(message);
    expect(found.hint ?? '').toContain(hint);
  });

  it('bounds length and depth', () => {
    const deep = MAX_RULE_DEPTH + 1;
    expect(problem(`Host(\`${'a'.repeat(MAX_RULE_LENGTH)}\`)`).code).toBe('rule-too-large');
    expect(problem(`${'('.repeat(deep)}Host(\`a\`)${')'.repeat(deep)}`).code).toBe('rule-too-large');
    expect(problem(`${'!'.repeat(60_000)}Host(\`a\`)`).code).toBe('rule-too-large');
    expect(ast(Array.from({ length: 3000 }, (_, i) => `Host(\`h${i}\`)`).join(' || ')).kind).toBe('or');
  });
});

describe('matchers that are not there', () => {
  it.each([
    ['Hots(`a`)', 'http', 'did you mean Host?'],
    ['PathPrefx(`/a`)', 'http', 'did you mean PathPrefix?'],
    ['HostRegex(`a`)', 'http', 'did you mean HostRegexp?'],
    ['hostSni(`a`)', 'http', 'write Host'],
    ['Host(`a`)', 'tcp', 'write HostSNI'],
    ['Whatever(`a`)', 'http', 'there are: Host,'],
  ] as const)('%s in %s rules', (rule, kind, hint) => {
    const found = problem(rule, kind);
    expect(found.code).toBe('rule-unknown-matcher');
    expect(found.hint).toContain(hint);
  });
});

describe('values', () => {
  it('reports all wrong values of a rule at once, each at its place', () => {
    const parsed = parseRule('Path(`a`) && ClientIP(`x`) && Method(`G T`)', 'http');
    expect(parsed.ok ? [] : parsed.problems.map((p) => p.offset)).toEqual([5, 22, 37]);
  });

  it.each([
    ['Host()', 'takes 1 value'],
    ['Header(`a`)', 'takes 2 values'],
    ['Query(`a`, `b`, `c`)', 'takes 1 or 2 values'],
    ['Host(`é.example`)', 'not ASCII'],
    ['HostRegexp(`é`)', 'not ASCII'],
    ['Path(`a`)', 'does not start with a slash'],
    ['PathPrefix(``)', 'does not start with a slash'],
    ['PathRegexp(`(`)', 'missing closing )'],
    ['HeaderRegexp(`a`, `[z-a]`)', 'invalid character class range'],
    ['QueryRegexp(`a`, `**`)', 'missing argument to repetition operator'],
    ['Header(`a b`, `c`)', 'not a header name'],
    ['ClientIP(`10.0.0.0/33`)', 'neither an IP address nor a range'],
    ['ClientIP(`10.0.0.256`)', 'neither'],
    ['ClientIP(`fd00::/129`)', 'neither'],
    ['Method(`GET,HEAD`)', 'not an HTTP method'],
  ])('%s is refused', (rule, message) => {
    const found = problem(rule);
    expect(found.code).toBe('rule-value');
    expect(found.message).toContain(message);
  });

  it('names the punycode form of a host', () => {
    expect(problem('Host(`bücher.example`)').hint).toContain('Host(`xn--bcher-kva.example`)');
  });

  it('explains what RE2 lacks', () => {
    expect(problem('PathRegexp(`^/(?!api)`)').hint).toContain('lookahead');
    expect(problem('PathRegexp(`(a)\\1`)').hint).toContain('backreferences');
  });

  it.each([
    ['Host(`a.example:8080`)', 'names a port', 'Host(`a.example`)'],
    ['Host(`https://a.example/x`)', 'scheme', 'Host(`a.example`)'],
    ['Host(`a.example/x`)', 'no path', 'PathPrefix(`/x`)'],
    ['Host(`a.*.example`)', 'wildcard', 'HostRegexp'],
    ['Header(`Host`, `a`)', 'Host header', 'Host or HostRegexp'],
    ['Path(`/a%20b`)', 'decoded', 'Path(`/a b`)'],
    ['Path(`/a%2fb`)', 'decoded', 'Path(`/a%2Fb`)'],
    ['Path(`/a?b=c`)', 'neither `?`', 'Query'],
  ])('%s is served with a warning that it never matches', (rule, message, hint) => {
    const [warning] = warnings(rule);
    expect(warning).toMatchObject({ code: 'rule-never-matches', offset: rule.indexOf('`') });
    expect(warning?.message).toContain(message);
    expect(warning?.hint).toContain(hint);
  });

  it.each([
    'Host(`*.example.com`)',
    'Host(`*`)',
    'Host(`a.`)',
    'Host(`::1`)',
    'Path(`/é`)',
    'Path(`/a%2Fb`)',
    'Method(`get`)',
  ])('%s is taken without a warning', (rule) => {
    expect(warnings(rule)).toEqual([]);
  });
});

describe('version 2 of the rule language is recognised', () => {
  it.each([
    ['Host(`a`, `b`)', 'one value each, write Host(`a`) || Host(`b`)'],
    ['Host(`a`, `b`) && Path(`/`)', 'one value each, write (Host(`a`) || Host(`b`))'],
    ['HostRegexp(`{host:.+}`)', 'write HostRegexp(`^.+$`)'],
    ['HostRegexp(`{sub:[a-z]{2,3}}.example.com`)', 'write HostRegexp(`^[a-z]{2,3}\\.example\\.com$`)'],
    ['HostRegexp(`{sub:a|b}.example.com`)', 'write HostRegexp(`^(a|b)\\.example\\.com$`)'],
    [
      'HostRegexp(`example.com`, `{any:.*}.example.com`)',
      'one value each, write HostRegexp(`example.com`) || HostRegexp(`^.*\\.example\\.com$`)',
    ],
    ['Path(`/x/{id}`)', 'write PathRegexp(`^/x/[^/]+$`)'],
    ['PathPrefix(`/x/{id:[0-9]+}/y`)', 'write PathRegexp(`^/x/[0-9]+/y`)'],
    ['Path(`/a`, `/b`)', 'one value each, write Path(`/a`) || Path(`/b`)'],
    ['Method(`GET`, `POST`)', 'one value each, write Method(`GET`) || Method(`POST`)'],
    ['Headers(`k`, `v`)', 'write Header(`k`, `v`)'],
    ['HeadersRegexp(`k`, `v`)', 'write HeaderRegexp(`k`, `v`)'],
    ['HostHeader(`a`)', 'write Host(`a`)'],
    ['Query(`a=b`)', 'write Query(`a`, `b`)'],
    ['Query(`a=b`, `c=`)', 'write Query(`a`, `b`) && Query(`c`)'],
  ])('%s', (rule, hint) => {
    expect(problem(rule)).toMatchObject({ code: 'rule-v2-syntax', hint, offset: 0 });
    // What we tell people to write must itself be right.
    const rewrite = hint.slice(hint.indexOf('write ') + 'write '.length);
    expect(parseRule(rewrite, 'http').ok).toBe(true);
  });

  it('in TCP rules too', () => {
    expect(problem('HostSNI(`a`, `b`)', 'tcp').hint).toContain('HostSNI(`a`) || HostSNI(`b`)');
    expect(problem('HostSNIRegexp(`{h:.+}.a`)', 'tcp').hint).toContain('HostSNIRegexp(`^.+\\.a$`)');
  });

  it('and is not seen in the braces of a regular expression', () => {
    expect(warnings('HostRegexp(`^[a-z]{2,3}\\p{Greek}\\x{41}{2}$`)')).toEqual([]);
  });
});

describe('what a rule is about', () => {
  it('hostsOfRule gives positive hosts once, lower case, for certificates', () => {
    const rule =
      '(Host(`A.example`) || Host(`a.example.`) || Host(`*.b`)) && !Host(`no`) && !(!Host(`yes`)) && HostRegexp(`r`) && !Host(`*`)';
    expect(hostsOfRule(ast(rule))).toEqual(['a.example', '*.b', 'yes']);
    expect(hostsOfRule(ast('HostSNI(`a`) || HostSNI(`*`)', 'tcp'))).toEqual(['a']);
  });

  it('the default priority is the length in bytes, and last for the TCP catch-all', () => {
    expect(defaultPriority('Path(`/é`)', 'http')).toBe(11);
    expect(defaultPriority('HostSNI(`*`)', 'tcp')).toBe(-1);
  });
});

describe('properties', () => {
  const value = fc.string({ unit: 'binary', maxLength: 12 });
  const token = fc.stringMatching(/^[A-Za-z0-9-]{1,8}$/);
  const label = fc.stringMatching(/^[a-z0-9-]{1,8}$/);
  const matcher: fc.Arbitrary<RuleNode> = fc.oneof(
    label.map((v) => ({ kind: 'Host' as const, value: v })),
    fc.stringMatching(/^\/[ -_a-z|~"\n]{0,8}$/).map((v) => ({ kind: 'PathPrefix' as const, value: v })),
    fc.record({ kind: fc.constant('Header' as const), key: token, value }),
    fc.record({ kind: fc.constant('Query' as const), key: token, value }),
    token.map((key) => ({ kind: 'QueryRegexp' as const, key })),
  );
  const { rule } = fc.letrec<{ rule: RuleNode }>((tie) => ({
    rule: fc.oneof(
      { depthSize: 'small', withCrossShrink: true },
      matcher,
      tie('rule').map((child) => ({ kind: 'not' as const, child })),
      fc
        .tuple(fc.constantFrom('and' as const, 'or' as const), fc.array(tie('rule'), { minLength: 2, maxLength: 4 }))
        .map(([kind, children]) => ({ kind, children: children.flatMap((c) => (c.kind === kind ? c.children : [c])) })),
    ),
  }));

  it('a rule that is printed and parsed again is the same rule', () => {
    fc.assert(
      fc.property(rule, (node) => {
        const text = printRule(node);
        const parsed = parseRule(text, 'http');
        expect(parsed.ok ? parsed.ast : parsed.problems).toEqual(node);
      }),
      { numRuns: 300 },
    );
  });

  it('never throws, whatever it is given, and points into the rule', () => {
    const piece = fc.constantFrom(
      'Host',
      'Path',
      'PathRegexp',
      'Headers',
      '(',
      ')',
      '`',
      '"',
      '\\',
      ',',
      '&&',
      '||',
      '!',
      '&',
      '/',
      '{a:',
      '}',
      ' ',
      'é',
    );
    const text = fc.oneof(
      fc.string({ unit: 'binary' }),
      fc.array(fc.oneof(piece, fc.string({ maxLength: 3 }))).map((p) => p.join('')),
    );
    fc.assert(
      fc.property(text, fc.constantFrom('http' as const, 'tcp' as const), (input, kind) => {
        const parsed = parseRule(input, kind);
        for (const { offset } of parsed.ok ? parsed.warnings : parsed.problems) {
          expect(offset).toBeGreaterThanOrEqual(0);
          expect(offset).toBeLessThanOrEqual(input.length);
        }
        if (!parsed.ok) expect(parsed.problems.length).toBeGreaterThan(0);
      }),
      { numRuns: 500 },
    );
  });
});
