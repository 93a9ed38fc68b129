/**
 * `npm run bench`: this proxy and its peers under the same load, in one run. What is compared is the CPU time a
 * request costs the proxy, and the ratio of that to a plain TCP splice. See bench/options.ts for the options.
 */
import { writeFileSync } from 'node:fs';
import { renderPage } from './html/page.ts';
import { GENERATORS } from './load/choose.ts';
import { measureIdle } from './measure/idle.ts';
import { measureMemory } from './measure/memory.ts';
import { measureRates } from './measure/rate.ts';
import { measureRounds } from './measure/rounds.ts';
import { type Bench, messageOf } from './measure/start-peer.ts';
import { type Options, readOptions, USAGE } from './options.ts';
import { DIRECT, FLOOR, PEERS } from './peers/all.ts';
import type { Feature, Peer } from './peers/peer.ts';
import { NOT_MEASURED, renderReport } from './report.ts';
import type { Failure, Report, Result } from './results.ts';
import { findScenarios, SCENARIOS, type Scenario } from './scenarios.ts';
import { type Session, withSession } from './session.ts';

try {
  const options = readOptions(process.argv.slice(2));
  if (options.help) process.stdout.write(USAGE);
  else await runBench(options);
} catch (error) {
  process.stderr.write(`bench: ${messageOf(error)}\n`);
  process.exitCode = 1;
}

async function runBench(options: Options): Promise<void> {
  const scenarios = chooseScenarios(options);
  const wanted = choosePeers(options);
  const generators = GENERATORS.map((generator) => generator.name);
  if (options.generator !== null && !generators.includes(options.generator)) {
    throw new Error(`unknown load generator ${options.generator}: expected ${generators.join(', ')}`);
  }
  const missing: Failure[] = wanted.flatMap((peer) => {
    const reason = peer.missing();
    return reason === null ? [] : [{ peer: peer.name, reason }];
  });
  const peers = wanted.filter((peer) => peer.missing() === null);
  const report = await withSession({ ...options, forcedGenerator: options.generator }, async (session) => {
    const results = await measureAll(session, scenarios, peers, options, missing);
    return {
      date: new Date().toISOString(),
      node: process.version,
      machine: session.bench.processors.note,
      upstream: session.upstream,
      rounds: options.rounds,
      seconds: options.seconds,
      quick: options.quick,
      versions: Object.fromEntries(peers.map((peer) => [peer.name, versionOf(peer)])),
      missing,
      results,
      notMeasured: NOT_MEASURED,
    } satisfies Report;
  });
  process.stdout.write(renderReport(report));
  if (options.html !== null) writeFileSync(options.html, renderPage(report));
  if (options.json !== null) writeFileSync(options.json, `${JSON.stringify(report, null, 2)}\n`);
}

async function measureAll(
  { bench, noCertificate }: Session,
  scenarios: readonly Scenario[],
  peers: readonly Peer[],
  options: Options,
  missing: Failure[],
): Promise<Result[]> {
  const results: Result[] = [];
  for (const scenario of scenarios) {
    if (scenario.tls && noCertificate !== null) {
      missing.push({ peer: scenario.name, reason: noCertificate });
    } else {
      const able = peers.filter((peer) => lackedBy(peer, scenario).length === 0 || isFloor(peer, scenario));
      const without = peers
        .filter((peer) => !able.includes(peer))
        .map((peer) => `${peer.name} (no ${lackedBy(peer, scenario).join(', ')})`);
      const leftOut = without.length === 0 ? '' : ` Left out: ${without.join(', ')}.`;
      const measured = await measure(bench, scenario, able, options);
      results.push(...measured.map((result) => ({ ...result, notMeasured: result.notMeasured + leftOut })));
    }
  }
  return results;
}

function lackedBy(peer: Peer, scenario: Scenario): readonly Feature[] {
  return scenario.needs.filter((need) => peer.lacks.includes(need));
}

/** The splice is measured as the floor wherever the load is one that it can take. */
function isFloor(peer: Peer, scenario: Scenario): boolean {
  return peer.name === FLOOR && scenario.kind === 'cpu';
}

async function measure(bench: Bench, scenario: Scenario, peers: readonly Peer[], options: Options): Promise<Result[]> {
  switch (scenario.kind) {
    case 'cpu':
      return [await measureRounds(bench, scenario, scenario.direct ? [DIRECT, ...peers] : peers)];
    case 'rate':
      return measureRates(bench, scenario, [DIRECT, ...peers]);
    case 'idle':
      return [await measureIdle(bench, scenario, peers)];
    case 'memory': {
      const asked = options.peers ?? scenario.peers;
      return [
        await measureMemory(
          bench,
          scenario,
          peers.filter((peer) => asked.includes(peer.name)),
        ),
      ];
    }
  }
}

function chooseScenarios(options: Options): readonly Scenario[] {
  if (options.scenarios !== null) return findScenarios(options.scenarios);
  const usual = SCENARIOS.filter((scenario) => scenario.byDefault);
  // A million requests do not fit into a quick look.
  return options.quick ? usual.filter((scenario) => scenario.kind === 'cpu') : usual;
}

function choosePeers(options: Options): readonly Peer[] {
  const names = options.peers;
  if (names === null) return PEERS;
  const unknown = names.find((name) => !PEERS.some((peer) => peer.name === name));
  if (unknown !== undefined) {
    throw new Error(`unknown peer ${unknown}: expected ${PEERS.map((peer) => peer.name).join(', ')}`);
  }
  return PEERS.filter((peer) => peer.name === FLOOR || names.includes(peer.name));
}

/** A version is decoration: where a program does not tell it, the figures still count. */
function versionOf(peer: Peer): string {
  try {
    return peer.version();
  } catch (error) {
    return `unknown (${messageOf(error)})`;
  }
}
