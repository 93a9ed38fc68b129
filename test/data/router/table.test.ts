import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseRule } from '../../../src/core/rule/parser.ts';
import { PrefixIndex } from '../../../src/data/router/prefix-index.ts';
import type { RouteRequest } from '../../../src/data/router/request.ts';
import { compileRouter, type RouteDefinition } from '../../../src/data/router/table.ts';
import { naiveMatch } from './naive.ts';

type Fields = Partial<Pick<RouteRequest, 'host' | 'method' | 'path' | 'query' | 'clientIp'>> & {
  readonly headers?: Readonly<Record<string, readonly string[]>>;
};

function request({ headers = {}, ...fields }: Fields): RouteRequest {
  return {
    host: 'a.example',
    method: 'GET',
    path: '/',
    query: '',
    clientIp: '10.0.0.1',
    ...fields,
    header: (name) => headers[name]?.[0],
    headerValues: (name) => headers[name] ?? [],
  };
}

function route(name: string, rule: string, priority = rule.length): RouteDefinition<string> {
  const parsed = parseRule(rule, 'http');
  if (!parsed.ok) throw new Error(`${rule}: ${parsed.problems[0]?.message}`);
  return { name, rule: parsed.ast, priority, target: name };
}

function matches(rule: string, fields: Fields): boolean {
  return compileRouter([route('r', rule)]).lookup(request(fields)) === 'r';
}

describe('matchers', () => {
  it.each<[string, Fields, boolean]>([
    ['Host(`A.Example`)', { host: 'a.example' }, true],
    ['Host(`a.example.`)', { host: 'a.example' }, true],
    ['Host(`a.example:80`)', { host: 'a.example' }, false],
    ['!Host(`a.example:80`)', { host: 'a.example' }, true],
    ['Host(`b.example`)', { host: 'a.example' }, false],
    ['Host(`[::1]`)', { host: '::1' }, true],
    ['Host(`*.example`)', { host: 'a.example' }, true],
    ['Host(`*.example`)', { host: 'b.a.example' }, false],
    ['Host(`*.example`)', { host: 'example' }, false],
    ['Host(`*.example`)', { host: '.example' }, false],
    ['Host(`*`)', { host: '' }, true],
    ['Host(`a`)', { host: '' }, false],
    ['Host(`*.example`) && !Host(`a.example`)', { host: 'a.example' }, false],
    ['Host(`*.example`) && !Host(`a.example`)', { host: 'b.example' }, true],
    ['HostRegexp(`example`)', { host: 'a.example.net' }, true],
    ['HostRegexp(`^example`)', { host: 'a.example.net' }, false],
    ['Path(`/a`)', { path: '/a' }, true],
    ['Path(`/a`)', { path: '/A' }, false],
    ['Path(`/a`)', { path: '/a/' }, false],
    ['PathPrefix(`/foo`)', { path: '/foobar' }, true],
    ['PathPrefix(`/foo/`)', { path: '/foo' }, false],
    ['PathRegexp(`\\.(png|jpg)$`)', { path: '/x.jpg' }, true],
    ['PathRegexp(`(?i)^/API/`)', { path: '/api/x' }, true],
    ['Method(`post`)', { method: 'POST' }, true],
    ['Method(`POST`)', { method: 'post' }, false],
    ['Header(`X-Env`, `test`)', { headers: { 'x-env': ['prod', 'test'] } }, true],
    ['Header(`X-Env`, `Test`)', { headers: { 'x-env': ['test'] } }, false],
    ['Header(`X-Env`, ``)', {}, false],
    ['Header(`Host`, `a.example`)', { headers: { host: ['a.example'] } }, false],
    ['HeaderRegexp(`host`, `.*`)', { headers: { host: ['a.example'] } }, false],
    ['HeaderRegexp(`X-Env`, `^te`)', { headers: { 'x-env': ['prod', 'test'] } }, true],
    ['Query(`a`, `1`)', { query: 'a=0&a=1' }, true],
    ['Query(`a`)', { query: 'a=1' }, false],
    ['Query(`a`)', { query: 'b=1;a' }, true],
    ['Query(`a`)', { query: '' }, false],
    ['QueryRegexp(`a`, `^1`)', { query: 'a=12' }, true],
    ['QueryRegexp(`a`)', { query: 'a=12' }, false],
    ['ClientIP(`10.0.0.0/8`)', { clientIp: '::ffff:10.2.3.4' }, true],
    ['ClientIP(`10.0.0.0/8`)', { clientIp: '11.2.3.4' }, false],
    ['ClientIP(`fd00::/8`)', { clientIp: 'fd00::1' }, true],
    ['ClientIP(`::/0`)', { clientIp: 'nonsense' }, false],
    ['!ClientIP(`10.0.0.0/8`) && Host(`a.example`)', {}, false],
  ])('%s on %j: %s', (rule, fields, expected) => {
    expect(matches(rule, fields)).toBe(expected);
  });
});

describe('order', () => {
  it('asks higher priorities first, across all parts of the index', () => {
    const table = compileRouter([
      route('exact', 'Host(`a.example`)', 10),
      route('wildcard', 'Host(`*.example`)', 20),
      route('generic', 'PathPrefix(`/api`)', 30),
      route('lowest', 'Host(`*`)', -1),
    ]);
    expect(table.lookup(request({ path: '/api' }))).toBe('generic');
    expect(table.lookup(request({}))).toBe('wildcard');
    expect(table.lookup(request({ host: 'a.b' }))).toBe('lowest');
    expect(compileRouter([route('x', 'Host(`x`)')]).lookup(request({}))).toBeNull();
  });

  it('asks routers of equal priority in the order of their names, however they were given', () => {
    for (const names of [
      ['b', 'a', 'c'],
      ['c', 'b', 'a'],
    ]) {
      expect(compileRouter(names.map((name) => route(name, 'Host(`a.example`)', 1))).lookup(request({}))).toBe('a');
    }
  });

  it('does not change the list it is given', () => {
    const routers = Object.freeze([route('b', 'Host(`b`)', 1), route('a', 'Host(`a`)', 2)]);
    expect(compileRouter(routers).size).toBe(2);
  });
});

describe('a host with many paths', () => {
  const many = Array.from({ length: 500 }, (_, i) => [
    route(`exact-${i}`, `Host(\`a.example\`) && Path(\`/s${i}\`)`, 50),
    route(`prefix-${i}`, `Host(\`a.example\`) && PathPrefix(\`/s${i}/\`)`, 40),
  ]).flat();
  const table = compileRouter([
    ...many,
    route('post', 'Host(`a.example`) && Method(`POST`)', 45),
    route('fallback', 'Host(`a.example`)', 1),
    route('either', '(Host(`a.example`) || Host(`b.example`)) && (Path(`/e1`) || PathPrefix(`/e2/`))', 60),
  ]);

  it.each([
    ['/s7', 'GET', 'exact-7'],
    ['/s7/x', 'GET', 'prefix-7'],
    ['/s7/x', 'POST', 'post'],
    ['/s7', 'POST', 'exact-7'],
    ['/s77x', 'GET', 'fallback'],
    ['/e1', 'GET', 'either'],
    ['/e2/', 'GET', 'either'],
    ['/e1/', 'GET', 'fallback'],
  ])('%s %s goes to %s', (path, method, expected) => {
    expect(table.lookup(request({ path, method }))).toBe(expected);
  });

  it('a prefix index gives all prefixes of a text, longest first, and no other', () => {
    const word = fc.stringMatching(/^[ab/]{0,6}$/);
    fc.assert(
      fc.property(fc.uniqueArray(word), word, (prefixes, text) => {
        const found: string[] = [];
        const index = new PrefixIndex(new Map(prefixes.map((p) => [p, p])));
        for (let node = index.longest(text); node !== undefined; node = node.parent) found.push(node.value);
        const expected = prefixes.filter((p) => text.startsWith(p)).sort((a, b) => b.length - a.length);
        expect(found).toEqual(expected);
      }),
    );
  });
});

describe('explain', () => {
  it('says for every router why it won or lost', () => {
    const table = compileRouter([
      route('a', 'Host(`b.example`) && Path(`/`)', 4),
      route('b', 'Host(`a.example`) && !Method(`GET`)', 3),
      route('c', 'PathPrefix(`/`)', 2),
      route('d', 'Host(`a.example`)', 1),
      route('e', 'Host(`x`) || Header(`X-A`, `1`)', 0),
    ]);
    expect(table.explain(request({}))).toEqual([
      { name: 'a', priority: 4, matched: false, won: false, failed: 'Host(`b.example`): the host is a.example' },
      { name: 'b', priority: 3, matched: false, won: false, failed: '!Method(`GET`): that is the case' },
      { name: 'c', priority: 2, matched: true, won: true },
      { name: 'd', priority: 1, matched: true, won: false, lostTo: 'c' },
      {
        name: 'e',
        priority: 0,
        matched: false,
        won: false,
        failed: 'Host(`x`): the host is a.example; Header(`X-A`, `1`): the request has no such header',
      },
    ]);
  });
});

describe('the index', () => {
  const hosts = ['a', 'b', 'x.a', 'y.a', 'x.b', 'z.x.a', ''];
  const paths = ['/', '/a', '/a/', '/a/b', '/a/b/c', '/ab', '/b', '/b/a'];
  const matcher = fc.oneof(
    fc.constantFrom('a', 'b', 'X.a', 'y.a.', '*.a', '*.b', '*.x.a', '*', 'a:80').map((h) => `Host(\`${h}\`)`),
    fc.constantFrom(...paths).map((p) => `Path(\`${p}\`)`),
    fc.constantFrom(...paths).map((p) => `PathPrefix(\`${p}\`)`),
    fc.constantFrom('GET', 'POST').map((m) => `Method(\`${m}\`)`),
    fc.constantFrom(
      'HostRegexp(`^x`)',
      'PathRegexp(`b$`)',
      'Query(`q`)',
      'Query(`q`, `1`)',
      'Header(`h`, `1`)',
      'ClientIP(`10.0.0.0/31`)',
    ),
  );
  const { rule } = fc.letrec<{ rule: string }>((tie) => ({
    rule: fc.oneof(
      { depthSize: 'small' },
      matcher,
      tie('rule').map((r) => `!(${r})`),
      fc.array(tie('rule'), { minLength: 2, maxLength: 3 }).map((rs) => `(${rs.join(' && ')})`),
      fc.array(tie('rule'), { minLength: 2, maxLength: 3 }).map((rs) => `(${rs.join(' || ')})`),
      // What people write: a host, or some, and a path.
      fc.tuple(matcher, matcher).map(([a, b]) => `${a} && ${b}`),
    ),
  }));
  const anyRequest = fc.record({
    host: fc.constantFrom(...hosts),
    path: fc.constantFrom(...paths, '/c'),
    method: fc.constantFrom('GET', 'POST'),
    query: fc.constantFrom('', 'q', 'q=1', 'q=2;q=1'),
    clientIp: fc.constantFrom('10.0.0.1', '::ffff:10.0.0.0', '10.0.0.2', '::1'),
    headers: fc.constantFrom({}, { h: ['1'] }, { h: ['0', '1'] }),
  });

  it('finds what trying every rule in order finds', () => {
    fc.assert(
      fc.property(
        // Up to 40 on few hosts, so that lists on both sides of the limit for path indexing occur.
        fc.array(fc.tuple(rule, fc.integer({ min: -2, max: 2 })), { maxLength: 40 }),
        fc.array(anyRequest, { minLength: 1, maxLength: 10 }),
        (rules, requests) => {
          const routers = rules.map(([text, priority], i) => route(`r${i}`, text, priority));
          const table = compileRouter(routers);
          const ordered = [...routers].sort((a, b) => b.priority - a.priority || (a.name < b.name ? -1 : 1));
          for (const fields of requests) {
            const asked = request(fields);
            const expected = ordered.find((router) => naiveMatch(router.rule, asked))?.target ?? null;
            expect(table.lookup(asked)).toBe(expected);
            expect(table.explain(asked).find((e) => e.won)?.name ?? null).toBe(expected);
          }
        },
      ),
      { numRuns: 300 },
    );
  });
});
