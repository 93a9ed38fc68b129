/**
 * What one lookup costs, and that it does not grow with the number of routers. Run: `node bench/router.ts [--check]`;
 * with `--check` it exits with 1 where a lookup takes 2 µs or more. It measures the index alone: requests are ready-made
 * objects, while in the proxy the host and the path are strings fresh from the socket (`fresh` rows make them so).
 */
import { normalizeHost } from '../src/core/host.ts';
import { readRequestPath } from '../src/core/request-path.ts';
import { parseRule } from '../src/core/rule/parser.ts';
import type { RouteRequest } from '../src/data/router/request.ts';
import { compileRouter, type RouteTable } from '../src/data/router/table.ts';

const LIMIT_NS = 2000;
// The same number for every size, or the processor's caches would be part of the comparison.
const REQUESTS = 4096;
const SIZES = [10, 100, 1000, 10_000];

interface Scenario {
  readonly name: string;
  rule(i: number): string;
  request(i: number): RouteRequest;
}

function request(host: string, path: string): RouteRequest {
  return {
    host,
    path,
    method: 'GET',
    query: '',
    clientIp: '10.0.0.1',
    header: () => undefined,
    headerValues: () => [],
  };
}

const SCENARIOS: readonly Scenario[] = [
  {
    name: 'n hosts, Host(x)',
    rule: (i) => `Host(\`host-${i}.internal.example\`)`,
    request: (i) => request(`host-${i}.internal.example`, '/api/items/1'),
  },
  {
    name: 'n hosts, Host(x) && PathPrefix(/api)',
    rule: (i) => `Host(\`host-${i}.internal.example\`) && PathPrefix(\`/api\`)`,
    request: (i) => request(`host-${i}.internal.example`, '/api/items/1'),
  },
  {
    name: 'n wildcards, Host(*.x)',
    rule: (i) => `Host(\`*.zone-${i}.example\`)`,
    request: (i) => request(`www.zone-${i}.example`, '/api/items/1'),
  },
  {
    name: 'one host, n paths, Path(/x)',
    rule: (i) => `Host(\`a.example\`) && Path(\`/service-${i}/status\`)`,
    request: (i) => request('a.example', `/service-${i}/status`),
  },
  {
    name: 'one host, n prefixes, PathPrefix(/x)',
    rule: (i) => `Host(\`a.example\`) && PathPrefix(\`/service-${i}/\`)`,
    request: (i) => request('a.example', `/service-${i}/items/1`),
  },
  {
    name: 'no match: unknown hosts',
    rule: (i) => `Host(\`host-${i}.internal.example\`)`,
    request: (i) => request(`nobody-${i}.internal.example`, '/'),
  },
];

function compile(scenario: Scenario, size: number): RouteTable<number> {
  return compileRouter(
    Array.from({ length: size }, (_, i) => {
      const parsed = parseRule(scenario.rule(i), 'http');
      if (!parsed.ok) throw new Error(`${scenario.rule(i)}: ${parsed.problems[0]?.message}`);
      return { name: `router-${i}@bench`, rule: parsed.ast, priority: scenario.rule(i).length, target: i + 1 };
    }),
  );
}

let sink = 0;

/** Nanoseconds for one call: the best of several rounds, since the others were disturbed. */
function measure(run: (i: number) => number): number {
  const calls = 200_000;
  let best = Number.POSITIVE_INFINITY;
  for (let round = 0; round < 5; round++) {
    const start = process.hrtime.bigint();
    for (let i = 0; i < calls; i++) sink += run(i);
    best = Math.min(best, Number(process.hrtime.bigint() - start) / calls);
  }
  return best;
}

function row(name: string, cells: readonly string[]): void {
  console.log(name.padEnd(42) + cells.map((cell) => cell.padStart(10)).join(''));
}

row('ns per lookup, by number of routers', SIZES.map(String));
let worst = 0;
for (const scenario of SCENARIOS) {
  const times = SIZES.map((size) => {
    const table = compile(scenario, size);
    // Spread over all routers; a prime step so that neighbours in memory are not asked in turn.
    const requests = Array.from({ length: REQUESTS }, (_, i) => scenario.request((i * 7919) % size));
    return measure((i) => table.lookup(requests[i % requests.length]!) ?? 0);
  });
  worst = Math.max(worst, ...times);
  row(
    scenario.name,
    times.map((time) => time.toFixed(0)),
  );
}

const fresh = SIZES.map((size) => {
  const table = compile(SCENARIOS[1]!, size);
  const heads = Array.from({ length: REQUESTS }, (_, i) =>
    Buffer.from(`host-${(i * 7919) % size}.internal.example /api/items/1?x=1`, 'latin1'),
  );
  return measure((i) => {
    const head = heads[i % heads.length]!;
    const space = head.indexOf(32);
    const path = readRequestPath(head.toString('latin1', space + 1), true);
    if (path === undefined) throw new Error('the bench has an invalid path');
    return table.lookup(request(normalizeHost(head.toString('latin1', 0, space)), path.matchPath)) ?? 0;
  });
});
worst = Math.max(worst, ...fresh);
row(
  'fresh: bytes to strings, paths, lookup',
  fresh.map((time) => time.toFixed(0)),
);

const start = process.hrtime.bigint();
compile(SCENARIOS[1]!, 10_000);
console.log(`\nparse and compile 10,000 routers: ${(Number(process.hrtime.bigint() - start) / 1e6).toFixed(0)} ms`);
console.log(`slowest lookup: ${worst.toFixed(0)} ns (limit ${LIMIT_NS} ns)${sink === 0 ? ' nothing matched' : ''}`);
if (process.argv.includes('--check') && worst >= LIMIT_NS) process.exitCode = 1;
