import { summarise } from './measure/statistics.ts';
import { bytesEach, type Report, type Result, ratiosOf } from './results.ts';
import { GROWTH_TARGETS, IDLE_TARGETS, RATIO_TARGETS } from './targets.ts';

export interface Verdict {
  readonly text: string;
  readonly seen: string;
  readonly verdict: 'met' | 'MISSED' | 'not measured';
}

/** Judges every target whose scenario was run. What could not be measured is said, never counted as met. */
export function checkTargets(report: Pick<Report, 'results'>): Verdict[] {
  const find = (scenario: string): Result | undefined => report.results.find((result) => result.scenario === scenario);
  const ratios = RATIO_TARGETS.flatMap((target): Verdict[] => {
    const result = find(target.scenario);
    if (result?.kind !== 'cpu') return [];
    const ratio = summarise(ratiosOf(result, target.peer, target.of)).median;
    const text = `${target.scenario}: ${target.peer} at most ${target.atMost} x ${target.of}`;
    return [judge(text, ratio, target.atMost, `${ratio.toFixed(2)} x`)];
  });
  const growths = GROWTH_TARGETS.flatMap((target): Verdict[] => {
    const result = find(target.scenario);
    if (result?.kind !== 'memory') return [];
    const growth = result.growth.find((candidate) => candidate.peer === target.peer);
    const bytes = growth === undefined ? Number.NaN : growth.manyRssBytes - growth.fewRssBytes;
    const mebibytes = bytes / 1_048_576;
    const text = `${target.scenario}: ${target.peer} grows by at most ${target.atMostMebibytes} MiB`;
    return [judge(text, mebibytes, target.atMostMebibytes, `${mebibytes.toFixed(1)} MiB`)];
  });
  const idle = IDLE_TARGETS.flatMap((target): Verdict[] => {
    const result = find(target.scenario);
    if (result?.kind !== 'idle') return [];
    const memory = result.memory.find((candidate) => candidate.peer === target.peer);
    const kibibytes = memory === undefined ? Number.NaN : bytesEach(memory) / 1_024;
    const text = `${target.scenario}: ${target.peer} at most ${target.atMostKibibytes} KiB each`;
    return [judge(text, kibibytes, target.atMostKibibytes, `${kibibytes.toFixed(1)} KiB`)];
  });
  return [...ratios, ...growths, ...idle];
}

function judge(text: string, value: number, atMost: number, seen: string): Verdict {
  if (Number.isNaN(value)) return { text, seen: '-', verdict: 'not measured' };
  return { text, seen, verdict: value <= atMost ? 'met' : 'MISSED' };
}
