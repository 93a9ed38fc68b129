/**
 * `npm run bench:profile`: a flame graph of a worker under the load of a scenario, and the functions that cost most.
 * `--native` takes perf instead of V8's profiler: it sees OpenSSL, libuv and the kernel too.
 */
import { spawnSync } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { chooseGenerator } from '../load/choose.ts';
import { readTree } from '../measure/cpu.ts';
import { targetOf } from '../measure/rounds.ts';
import { type Bench, messageOf, startPeer, stopPeers } from '../measure/start-peer.ts';
import { PEERS } from '../peers/all.ts';
import type { Peer } from '../peers/peer.ts';
import { delay, findProgram } from '../processes.ts';
import { type CpuScenario, findScenarios } from '../scenarios.ts';
import { withSession } from '../session.ts';
import { flameGraph } from './flame-graph.ts';
import { type CpuProfile, type Frame, fromCpuProfile, fromPerfScript, heaviest } from './stacks.ts';

const USAGE = `npm run bench:profile [-- options]

  --scenario NAME   the load (default keepalive); connect-tls is the other one worth a look
  --peer NAME       phoenix, or splice, http-proxy-3, node-undici to compare with
  --native          by perf (Debian: apt install linux-perf), with OpenSSL, libuv and the kernel
  --seconds S       length of the load (default 5)
  --out FILE        where the SVG goes (default ./flame-SCENARIO.svg)
`;
/** V8 samples this often, in microseconds; perf a thousand times a second. */
const INTERVAL = 250;
const SHOWN = 30;

try {
  const { values } = parseArgs({
    options: {
      scenario: { type: 'string', default: 'keepalive' },
      peer: { type: 'string', default: 'phoenix' },
      native: { type: 'boolean', default: false },
      seconds: { type: 'string', default: '5' },
      out: { type: 'string' },
      help: { type: 'boolean', short: 'h', default: false },
    },
  });
  if (values.help) process.stdout.write(USAGE);
  else await profile(values.scenario, values.peer, values.native, Number(values.seconds), values.out);
} catch (error) {
  process.stderr.write(`bench:profile: ${messageOf(error)}\n`);
  process.exitCode = 1;
}

async function profile(name: string, peerName: string, native: boolean, seconds: number, out = `flame-${name}.svg`) {
  const [scenario] = findScenarios([name]);
  if (scenario?.kind !== 'cpu') throw new Error(`${name} has no load that can be profiled`);
  const peer = PEERS.find((candidate) => candidate.name === peerName);
  if (peer === undefined || !peer.warmsUp) throw new Error(`${peerName} is no peer that runs on Node`);
  if (native && findProgram('perf') === null) throw new Error('perf is not installed (Debian: apt install linux-perf)');
  if (!(seconds > 0)) throw new Error('--seconds: expected a number above 0');
  const settings = { rounds: 1, seconds, warmupSeconds: 2, forcedGenerator: scenario.generator };
  const root = await withSession(settings, ({ bench }) => (native ? byPerf : byV8)(bench, scenario, peer));
  if (root.total === 0) throw new Error('no samples came');
  const unit = native ? 'samples' : 'time';
  writeFileSync(out, flameGraph(root, `${peerName}, ${name}: ${scenario.title}`, unit));
  const lines = heaviest(root, SHOWN).map(
    ({ name: own, origin, self }) => `${((100 * self) / root.total).toFixed(1).padStart(5)} %  ${own}  ${origin}`,
  );
  process.stdout.write(`${lines.join('\n')}\n\n${out}: the flame graph\n`);
}

/** V8's own profiler, written when the worker ends. */
async function byV8(bench: Bench, scenario: CpuScenario, peer: Peer): Promise<Frame> {
  const directory = join(bench.directory, 'profiles');
  mkdirSync(directory);
  let since = 0;
  const options = `--cpu-prof --cpu-prof-dir=${directory} --cpu-prof-interval ${INTERVAL}`;
  await underLoad(bench, scenario, withNodeOptions(peer, options), async (_pid, load) => {
    since = Number(process.hrtime.bigint() / 1_000n);
    await load();
  });
  const profiles = readdirSync(directory).map((file) =>
    fromCpuProfile(JSON.parse(readFileSync(join(directory, file), 'utf8')) as CpuProfile, since),
  );
  // One for each process: the busiest is the worker.
  const [busiest] = profiles.sort((a, b) => b.total - a.total);
  if (busiest === undefined) throw new Error('the proxy wrote no profile');
  return busiest;
}

async function byPerf(bench: Bench, scenario: CpuScenario, peer: Peer): Promise<Frame> {
  const data = join(bench.directory, 'perf.data');
  let text = '';
  await underLoad(bench, scenario, withNodeOptions(peer, '--perf-basic-prof'), async (pid, load) => {
    const worker = workerOf(pid);
    const seconds = String(bench.seconds);
    const args = ['record', '-q', '-F', '999', '-g', '-p', String(worker), '-o', data, '--', 'sleep', seconds];
    const recorder = bench.processes.start('perf', 'perf', args, bench.processors.load);
    await load();
    while (!recorder.ended()) await delay(100);
    // Before the proxy ends: perf reads the names of compiled code from /tmp/perf-PID.map.
    const script = spawnSync('perf', ['script', '-i', data, '-F', 'ip,sym,symoff,dso'], { maxBuffer: 1 << 30 });
    if (script.status !== 0) {
      throw new Error(`perf script: ${script.stderr.toString().slice(0, 500)} ${recorder.output()}`);
    }
    text = script.stdout.toString();
    rmSync(`/tmp/perf-${worker}.map`, { force: true });
    rmSync(`/tmp/perf-${pid}.map`, { force: true });
  });
  return fromPerfScript(text);
}

/** Starts the peer, warms it up, and runs `work` with the pid of its first process and what loads it. */
async function underLoad(
  bench: Bench,
  scenario: CpuScenario,
  peer: Peer,
  work: (pid: number, load: () => Promise<void>) => Promise<void>,
): Promise<void> {
  const started = await startPeer(bench, peer, scenario);
  try {
    const generator = chooseGenerator(scenario.pattern, scenario.tls, scenario.generator);
    const target = targetOf(scenario, started);
    bench.progress(`${scenario.name}: warming up`);
    await generator.run(target, scenario.pattern, bench.warmupSeconds);
    await work(started.running?.pid ?? 0, async () => {
      bench.progress(`${scenario.name}: ${bench.seconds} s of load`);
      await generator.run(target, scenario.pattern, bench.seconds);
    });
  } finally {
    await stopPeers(bench, [started]);
  }
}

/** The process below `pid` that has used most and started none itself; `pid` where there is none below. */
function workerOf(pid: number): number {
  const leaves = readTree(pid).pids.flatMap((candidate) => {
    const { pids, cpuMicros } = readTree(candidate);
    return pids.length === 1 ? [{ candidate, cpuMicros }] : [];
  });
  return leaves.sort((a, b) => b.cpuMicros - a.cpuMicros)[0]?.candidate ?? pid;
}

function withNodeOptions(peer: Peer, options: string): Peer {
  return {
    ...peer,
    prepare(setting) {
      const line = peer.prepare(setting);
      if (line === null) return null;
      return { ...line, env: { ...line.env, NODE_OPTIONS: `${process.env.NODE_OPTIONS ?? ''} ${options}` } };
    },
  };
}
