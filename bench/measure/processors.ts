import { readFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { findProgram, runToEnd } from '../processes.ts';

/** Which processor runs what. null = not pinned. */
export interface Processors {
  readonly proxy: number | null;
  readonly load: number | null;
  /** One line for the report. */
  readonly note: string;
}

/** Picks the first two processors this process may use: one for the proxy, one for upstream and load generator. */
export function chooseProcessors(): Processors {
  const model = cpus()[0]?.model.trim() ?? 'unknown processor';
  const allowed = allowedProcessors();
  const [proxy, load] = allowed;
  if (proxy === undefined || load === undefined) {
    return { proxy: null, load: null, note: `${model}; ONE processor only: proxy and load share it, ratios are rough` };
  }
  if (findProgram('taskset') === null) {
    const note = `${model}; NOT PINNED: taskset is missing (install util-linux), ratios are rough`;
    return { proxy: null, load: null, note };
  }
  const note = `${model}, ${allowed.length} processors; proxy on ${proxy}, upstream and load generator on ${load}`;
  return { proxy, load, note };
}

/** Moves the bench itself (all threads) beside the load, so that it never runs on the proxy's processor. */
export function pinSelf(processor: number | null): void {
  if (processor !== null) runToEnd('taskset', ['-acp', String(processor), String(process.pid)]);
}

function allowedProcessors(): number[] {
  const text = /^Cpus_allowed_list:\s+(\S+)$/m.exec(readFileSync('/proc/self/status', 'latin1'))?.[1] ?? '';
  return text.split(',').flatMap((range) => {
    const [first = 0, last = first] = range.split('-').map(Number);
    return Array.from({ length: last - first + 1 }, (_, index) => first + index);
  });
}
