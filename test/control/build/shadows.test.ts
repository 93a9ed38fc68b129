import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Diagnostic } from '../../../src/core/diagnostic.ts';
import { parseRule } from '../../../src/core/rule/parser.ts';
import type { RouteRequest } from '../../../src/data/router/request.ts';
import { compileRouter } from '../../../src/data/router/table.ts';
import { build } from './harness.ts';

interface Written {
  readonly rule: string;
  readonly priority?: number;
  readonly entryPoints?: readonly string[];
  readonly tls?: boolean;
}

const SERVICES = 'services:\n    app: {loadBalancer: {servers: [{url: "http://127.0.0.1:8000"}]}}\n';

function shadowed(routers: Readonly<Record<string, Written>>, statics?: string): readonly Diagnostic[] {
  const lines = Object.entries(routers).map(([name, { rule, priority = 0, entryPoints = ['web'], tls = false }]) => {
    const more = `priority: ${priority}, entryPoints: [${entryPoints.join(', ')}]${tls ? ', tls: {}' : ''}`;
    return `    ${name}: {rule: ${JSON.stringify(rule)}, service: app, ${more}}\n`;
  });
  const { diagnostics } = build(
    `http:\n  routers:\n${lines.join('')}  ${SERVICES}`,
    statics === undefined ? {} : { static: statics },
  );
  expect(diagnostics.filter((d) => d.severity === 'error')).toEqual([]);
  return diagnostics.filter((d) => d.code === 'router-shadowed');
}

/** Two routers, the first asked first: whether the second is said never to match. */
function covered(first: string, second: string): boolean {
  return shadowed({ first: { rule: first, priority: 2 }, second: { rule: second, priority: 1 } }).length > 0;
}

describe('a router that can never match', () => {
  it.each<[string, string]>([
    ['Host(`a.x`)', 'Host(`a.x`) && PathPrefix(`/api`)'],
    ['Host(`A.x.`)', 'Host(`a.X`)'],
    ['Host(`a.x`) || Host(`b.x`)', 'Host(`b.x`)'],
    ['Host(`*.x`)', 'Host(`a.x`)'],
    ['Host(`*`)', 'PathPrefix(`/a`)'],
    ['HostRegexp(`^.+$`)', 'Host(`a.x`) && Method(`GET`)'],
    ['PathPrefix(`/`)', 'Host(`a.x`)'],
    ['PathPrefix(`/api`)', 'Host(`a.x`) && PathPrefix(`/api/v1`)'],
    ['PathRegexp(`^/api`)', 'Path(`/api/v1`)'],
    ['Host(`a.x`) && !Path(`/b`)', 'Host(`a.x`) && Path(`/a`)'],
    ['Host(`a.x`) && !(Path(`/b`) || PathPrefix(`/c`))', 'Host(`a.x`) && PathPrefix(`/a`)'],
    ['!Host(`b.x`)', 'Host(`a.x`)'],
    ['ClientIP(`10.0.0.0/8`)', 'ClientIP(`10.1.0.0/16`) && Host(`a.x`)'],
    ['!ClientIP(`10.0.0.0/8`)', 'ClientIP(`11.0.0.1`)'],
    ['Header(`X-A`, `1`)', 'Header(`x-a`, `1`) && Host(`a.x`)'],
    ['HeaderRegexp(`X-A`, `^1`)', 'Header(`x-a`, `12`)'],
    ['Query(`a`, ``)', 'Query(`a`)'],
    ['Method(`get`)', 'Method(`GET`)'],
    ['(Host(`a.x`) || Host(`b.x`)) && PathPrefix(`/a`)', 'Host(`b.x`) && Path(`/a/b`)'],
  ])('%s takes all of %s', (first, second) => {
    expect(covered(first, second)).toBe(true);
  });

  it.each<[string, string]>([
    ['Host(`a.x`) && PathPrefix(`/api`)', 'Host(`a.x`)'],
    ['Host(`*.x`)', 'Host(`a.b.x`)'],
    ['Host(`a.x`)', 'Host(`*.x`)'],
    ['Host(`a.x`)', 'Host(`a.x`) || Host(`b.x`)'],
    ['HostRegexp(`^b`)', 'Host(`a.x`)'],
    ['PathPrefix(`/api/`)', 'PathPrefix(`/api`)'],
    ['ClientIP(`10.1.0.0/16`)', 'ClientIP(`10.0.0.0/8`)'],
    ['Header(`Host`, `a.x`)', 'Host(`a.x`)'],
    ['Query(`A`, `1`)', 'Query(`a`, `1`)'],
    ['!Path(`/a`)', 'Path(`/a`)'],
  ])('%s leaves something of %s', (first, second) => {
    expect(covered(first, second)).toBe(false);
  });

  it('is named with its place, who takes its requests, and what to do', () => {
    const [found, ...more] = shadowed({
      all: { rule: 'Host(`a.x`)', priority: 100 },
      late: { rule: 'Host(`a.x`) && Path(`/p`)' },
    });
    expect(more).toEqual([]);
    expect(found).toMatchObject({
      severity: 'warning',
      code: 'router-shadowed',
      file: 'a.yml',
      line: 4,
      column: 5,
      path: 'http.routers.late',
      message: 'router "late@file" can never match: "all@file" comes first and matches all that it does',
      hint: 'give it a higher `priority`, or remove it',
    });
  });

  it('may be covered by several, each taking an alternative of its rule', () => {
    const [found] = shadowed({
      one: { rule: 'Host(`a.x`)', priority: 100 },
      two: { rule: 'Host(`b.x`)', priority: 100 },
      late: { rule: 'Host(`a.x`) || Host(`b.x`)' },
    });
    expect(found?.message).toMatch(/^router "late@file" can never match: "one@file", "two@file" come first/);
  });

  it('is told from one that only `OPTIONS *` reaches', () => {
    const [found] = shadowed({ all: { rule: 'PathPrefix(`/`)', priority: 100 }, late: { rule: 'Host(`a.x`)' } });
    expect(found?.message).toMatch(/all that it does, but for `OPTIONS \*`$/);
  });

  it('of two equal rules and priorities is the one whose name comes later', () => {
    const found = shadowed({ b: { rule: 'Host(`a.x`)' }, a: { rule: 'Host(`a.x`)' } });
    expect(found.map((d) => d.path)).toEqual(['http.routers.b']);
  });

  it('is not one whose requests come by TLS, or on another entry point', () => {
    expect(
      shadowed({
        plain: { rule: 'Host(`a.x`)', priority: 9, entryPoints: ['web'] },
        secure: { rule: 'Host(`a.x`)', tls: true, entryPoints: ['web'] },
        other: { rule: 'Host(`a.x`)', entryPoints: ['websecure'] },
        both: { rule: 'Host(`a.x`) && Path(`/a`)', entryPoints: ['web', 'websecure'], priority: 2000 },
      }),
    ).toEqual([]);
  });

  it('is not one that is covered on one of two entry points', () => {
    expect(
      shadowed({
        first: { rule: 'Host(`a.x`)', priority: 9, entryPoints: ['web'] },
        second: { rule: 'Host(`a.x`)', priority: 8, entryPoints: ['web', 'websecure'] },
      }),
    ).toEqual([]);
  });

  it('is behind the redirection of its entry point, where it is for plain requests', () => {
    const statics = `
entryPoints:
  web: {address: ":80", http: {redirections: {entryPoint: {to: websecure}}}}
  websecure: {address: ":8443"}
`;
    const found = shadowed(
      { plain: { rule: 'Host(`a.x`)' }, secure: { rule: 'Host(`a.x`)', tls: true, entryPoints: ['web', 'websecure'] } },
      statics,
    );
    expect(found.map((d) => d.message)).toEqual([
      expect.stringMatching(/^router "plain@file" .*"web-to-websecure@inte/),
    ]);
  });

  it('is not looked for without end among ten thousand without a host', () => {
    const routers: Record<string, Written> = {};
    for (let i = 0; i < 10_000; i++) routers[`r${i}`] = { rule: `PathPrefix(\`/p${i}/\`) && Method(\`GET\`)` };
    const start = process.cpuUsage();
    shadowed(routers);
    // What decoding the file takes is most of it here. Of the processor, for it may have others to serve.
    expect(process.cpuUsage(start).user).toBeLessThan(20_000_000);
  });
});

const HOSTS = ['a.x', 'b.x', 'a.b.x', 'x', ''];
const PATHS = ['/', '/a', '/a/b', '/ab', '/b', '*'];
const LEAVES = [
  ...['a.x', 'b.x', 'a.b.x', '*.x', '*.b.x', '*', 'A.X', 'a.x:80'].map((host) => `Host(\`${host}\`)`),
  ...['^.+$', '^a', 'x$', '.*'].map((regex) => `HostRegexp(\`${regex}\`)`),
  ...['/', '/a', '/a/b', '/b'].flatMap((path) => [`Path(\`${path}\`)`, `PathPrefix(\`${path}\`)`]),
  ...['^/a', 'b$'].map((regex) => `PathRegexp(\`${regex}\`)`),
  'Method(`GET`)',
  'Method(`post`)',
  'Header(`X-A`, `1`)',
  'HeaderRegexp(`x-a`, `^1`)',
  'Header(`Host`, `a.x`)',
  'Query(`q`, `1`)',
  'Query(`q`)',
  'QueryRegexp(`q`, `.`)',
  'ClientIP(`10.0.0.0/8`)',
  'ClientIP(`10.0.0.1`)',
  'ClientIP(`::/0`)',
];

const rules = fc.letrec<{ rule: string }>((tie) => ({
  rule: fc.oneof(
    { maxDepth: 3, depthSize: 'small' },
    fc.constantFrom(...LEAVES),
    fc.array(tie('rule'), { minLength: 2, maxLength: 3 }).map((all) => `(${all.join(' && ')})`),
    fc.array(tie('rule'), { minLength: 2, maxLength: 3 }).map((all) => `(${all.join(' || ')})`),
    tie('rule').map((rule) => `!(${rule})`),
  ),
})).rule;

const requests: RouteRequest[] = [];
for (const host of HOSTS) {
  for (const path of PATHS) {
    for (const method of ['GET', 'POST', 'OPTIONS']) {
      for (const header of [[], ['1'], ['2', '12']]) {
        for (const query of ['', 'q=1', 'q', 'q=2&q=']) {
          for (const clientIp of ['10.0.0.1', '10.9.9.9', '::1', 'unknown']) {
            requests.push({
              host,
              path,
              method,
              query,
              clientIp,
              header: (name) => (name === 'x-a' ? header[0] : undefined),
              headerValues: (name) => (name === 'x-a' ? header : []),
            });
          }
        }
      }
    }
  }
}

describe('what is said of random routers', () => {
  it('is true: none that is said never to match wins any request', () => {
    let claims = 0;
    fc.assert(
      fc.property(fc.array(rules, { minLength: 2, maxLength: 6 }), (texts) => {
        const routers: Record<string, Written> = {};
        for (const [i, rule] of texts.entries()) routers[`r${i}`] = { rule, priority: texts.length - i };
        const found = shadowed(routers);
        claims += found.length;
        if (found.length === 0) return;
        const table = compileRouter(
          texts.map((rule, i) => {
            const parsed = parseRule(rule, 'http');
            if (!parsed.ok) throw new Error(rule);
            return { name: `r${i}@file`, rule: parsed.ast, priority: texts.length - i, target: `http.routers.r${i}` };
          }),
        );
        const never = new Map(found.map((d) => [d.path, d.message.includes('OPTIONS *')]));
        for (const request of requests) {
          const winner = table.lookup(request);
          const exception = winner === null ? undefined : never.get(winner);
          if (exception === undefined) continue;
          if (!(exception && request.path === '*')) throw new Error(`${winner} wins ${JSON.stringify(request)}`);
        }
      }),
      { numRuns: 1500 },
    );
    // Else the test would say nothing.
    expect(claims).toBeGreaterThan(200);
  });
});
