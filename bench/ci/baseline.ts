import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { join } from 'node:path';
import type { ScenarioBaseline } from './gate.ts';

export const BASELINE_FILE = join(import.meta.dirname, '../baseline.json');
/** Earlier baselines that are kept, with the reasons they were left for. */
const HISTORY = 20;

/** `bench/baseline.json`. */
export interface Baseline {
  readonly date: string;
  readonly machine: string;
  readonly node: string;
  /** Why it was recorded. */
  readonly reason: string;
  readonly scenarios: Readonly<Record<string, ScenarioBaseline>>;
  readonly history: readonly PastBaseline[];
}

interface PastBaseline {
  readonly date: string;
  readonly machine: string;
  readonly reason: string;
  readonly ratios: Readonly<Record<string, number>>;
}

/** What a baseline belongs to: ratios of another processor are judged with a wider margin. */
export function machineName(): string {
  return `${cpus()[0]?.model.trim() ?? 'unknown processor'}, ${cpus().length} processors, ${process.arch}`;
}

/** null where there is none yet. Throws where it cannot be read. */
export function readBaseline(file: string = BASELINE_FILE): Baseline | null {
  return existsSync(file) ? (JSON.parse(readFileSync(file, 'utf8')) as Baseline) : null;
}

/** The baseline after a recording: the one before goes to the history, scenarios that were not measured stay. */
export function renewed(previous: Baseline | null, fresh: Omit<Baseline, 'history'>): Baseline {
  const past = previous === null ? [] : [pastOf(previous), ...previous.history];
  const scenarios = { ...previous?.scenarios, ...fresh.scenarios };
  return { ...fresh, scenarios, history: past.slice(0, HISTORY) };
}

export function writeBaseline(baseline: Baseline, file: string = BASELINE_FILE): void {
  writeFileSync(file, `${JSON.stringify(baseline, null, 2)}\n`);
}

function pastOf({ date, machine, reason, scenarios }: Baseline): PastBaseline {
  const ratios = Object.fromEntries(Object.entries(scenarios).map(([name, { ratio }]) => [name, ratio]));
  return { date, machine, reason, ratios };
}
