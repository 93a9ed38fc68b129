/**
 * `npm run bench:ci`: fails where a request costs more CPU time than it did, as a multiple of what the splice of the same
 * round pays, by more than the noise that is measured beside it. `npm run bench:baseline -- --reason "…"` records anew.
 */
import { parseArgs } from 'node:util';
import type { Bench } from '../measure/start-peer.ts';
import { messageOf } from '../measure/start-peer.ts';
import { phoenix } from '../peers/phoenix.ts';
import { withSession } from '../session.ts';
import { renderTable } from '../table.ts';
import { BASELINE_FILE, machineName, readBaseline, renewed, writeBaseline } from './baseline.ts';
import { type GateVerdict, judge, type ScenarioBaseline, sees } from './gate.ts';
import { GATE_SCENARIOS, type GateMeasurement, measureForGate, PROOF_SCENARIO } from './measure.ts';
import { slowed } from './slowed.ts';

const SETTINGS = { rounds: 8, seconds: 0.5, warmupSeconds: 2, forcedGenerator: null } as const;
/** What looks worse is measured again, longer, before it counts. */
const SECOND_LOOK = { ...SETTINGS, rounds: 14 } as const;
const RECORDING = { ...SETTINGS, rounds: 16, seconds: 0.6, warmupSeconds: 2.5 } as const;

/** A baseline is recorded where two processes of the same proxy differ by no more than this. */
const QUIET = 0.12;

/** For a look at the gate failing: the proxy under test is the slowed one. */
const subject = process.env.BENCH_CI_SUBJECT === 'slowed' ? slowed : phoenix;

try {
  const flag = { type: 'boolean', default: false } as const;
  const { values } = parseArgs({ options: { record: flag, 'despite-noise': flag, reason: { type: 'string' } } });
  if (values.record) await record(values.reason ?? '', values['despite-noise']);
  else process.exitCode = await gate();
} catch (error) {
  process.stderr.write(`bench:ci: ${messageOf(error)}\n`);
  process.exitCode = 1;
}

/** Gives the exit code. */
async function gate(): Promise<number> {
  const baseline = readBaseline();
  if (baseline === null) throw new Error(`${BASELINE_FILE} is missing: npm run bench:baseline -- --reason "first"`);
  const sameMachine = baseline.machine === machineName();
  const began = performance.now();
  const seen = new Map<string, { now: GateMeasurement; verdict: GateVerdict }>();
  const look = async (bench: Bench, name: string): Promise<void> => {
    const now = await measureForGate(
      bench,
      name,
      subject,
      name === PROOF_SCENARIO && subject !== slowed ? slowed : null,
    );
    seen.set(name, { now, verdict: judge(now, baseline.scenarios[name], sameMachine) });
  };
  await withSession(SETTINGS, async ({ bench }) => {
    for (const name of GATE_SCENARIOS) await look(bench, name);
    for (const [name, { now, verdict }] of seen) {
      if (verdict.verdict === 'WORSE' || isBlind(now, sameMachine)) await look({ ...bench, ...SECOND_LOOK }, name);
    }
  });
  const rows = [...seen].map(([name, { now, verdict }]) => [
    name,
    now.ratio.toFixed(3),
    baseline.scenarios[name]?.ratio.toFixed(3) ?? '-',
    percent(verdict.change),
    percent(verdict.tolerance),
    percent(now.noise),
    verdict.reason === '' ? verdict.verdict : `${verdict.verdict}: ${verdict.reason}`,
  ]);
  const all = [...seen.values()];
  const worse = all.some(({ verdict }) => verdict.verdict === 'WORSE');
  const judged = all.some(({ verdict }) => verdict.verdict !== 'not judged');
  const blind = all.some(({ now }) => isBlind(now, sameMachine));
  const problems = [
    ...[...seen].flatMap(([name, { now }]) => now.failures.map((failure) => `${name}: ${failure}`)),
    ...(worse ? ['a request costs more than it did. If that is worth it: npm run bench:baseline -- --reason "…"'] : []),
    ...(judged ? [] : ['nothing could be judged']),
    ...(blind
      ? ['the gate did not notice the proxy that was made slower: the machine is too noisy to tell anything']
      : []),
  ];
  const proof = all.flatMap(({ now }) => (now.slowed === null ? [] : [now.slowed]));
  process.stdout.write(
    [
      `CPU time a request as a multiple of the splice's, against the baseline of ${baseline.date} (${baseline.reason})`,
      `  ${machineName()}${sameMachine ? '' : `; the baseline is of ${baseline.machine}: a wider margin`}`,
      renderTable(['scenario', 'now', 'baseline', 'change', 'allowed', 'A/A noise', 'verdict'], rows),
      ...proof.map((ratio) => {
        const noticed = blind ? 'was NOT' : 'was';
        return `  proof: made slower on purpose, ${PROOF_SCENARIO} is ${ratio.toFixed(2)} x, which ${noticed} noticed`;
      }),
      ...problems.map((problem) => `  FAILED ${problem}`),
      `  ${((performance.now() - began) / 1_000).toFixed(0)} s`,
      '',
    ].join('\n'),
  );
  return problems.length === 0 ? 0 : 1;
}

function isBlind(now: GateMeasurement, sameMachine: boolean): boolean {
  return now.slowed !== null && !sees(now.slowed, now, sameMachine);
}

async function record(reason: string, despiteNoise: boolean): Promise<void> {
  if (reason.trim() === '') throw new Error('a baseline needs its reason: npm run bench:baseline -- --reason "…"');
  await withSession(RECORDING, async ({ bench }) => {
    const scenarios: Record<string, ScenarioBaseline> = {};
    const noisy: string[] = [];
    for (const name of GATE_SCENARIOS) {
      const { ratio, noise, generator, failures } = await measureForGate(bench, name, subject, null);
      if (failures.length > 0 || !Number.isFinite(ratio + noise)) {
        throw new Error(`${name} could not be measured, nothing is recorded: ${failures.join('; ')}`);
      }
      if (noise > QUIET) noisy.push(`${name} ${percent(noise)}`);
      scenarios[name] = { ratio: round(ratio), noise: round(noise), generator };
      process.stdout.write(`${name}: ${ratio.toFixed(3)} x the splice (A/A noise ${percent(noise)})\n`);
    }
    if (noisy.length > 0 && !despiteNoise) {
      throw new Error(`too noisy, nothing is recorded (A/A noise: ${noisy.join(', ')}): repeat on a quiet machine`);
    }
    const date = new Date().toISOString().slice(0, 10);
    const fresh = { date, machine: machineName(), node: process.version, reason, scenarios };
    writeBaseline(renewed(readBaseline(), fresh));
    process.stdout.write(`written to ${BASELINE_FILE}: commit it\n`);
  });
}

function percent(share: number): string {
  return Number.isFinite(share) ? `${share > 0 ? '+' : ''}${(100 * share).toFixed(1)} %` : '-';
}

function round(value: number): number {
  return Math.round(value * 1_000) / 1_000;
}
