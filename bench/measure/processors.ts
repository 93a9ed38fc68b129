import { readFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { findProgram, runToEnd } from '../processes.ts';

/** Which processor runs what, as taskset lists them. null = not pinned. */
export interface Processors {
  readonly proxy: string | null;
  /** For proxies with several workers: where there are too few processors, the load's is among them. */
  readonly proxyWorkers: string | null;
  readonly load: string | null;
  /** One line for the report. */
  readonly note: string;
}

/** Picks from the processors this process may use: one for the proxy, one for upstream and load generator. */
export function chooseProcessors(): Processors {
  const model = cpus()[0]?.model.trim() ?? 'unknown processor';
  const allowed = allowedProcessors();
  const [proxy, load, third] = allowed;
  const none = { proxy: null, proxyWorkers: null, load: null };
  if (proxy === undefined || load === undefined) {
    return { ...none, note: `${model}; ONE processor only: proxy and load share it, ratios are rough` };
  }
  if (findProgram('taskset') === null) {
    return { ...none, note: `${model}; NOT PINNED: taskset is missing (install util-linux), ratios are rough` };
  }
  const note = `${model}, ${allowed.length} processors; proxy on ${proxy}, upstream and load generator on ${load}`;
  return { proxy: `${proxy}`, proxyWorkers: `${proxy},${third ?? load}`, load: `${load}`, note };
}

/** Moves the bench itself (all threads) beside the load, so that it never runs on the proxy's processor. */
export function pinSelf(processor: string | null): void {
  if (processor !== null) runToEnd('taskset', ['-acp', processor, String(process.pid)]);
}

function allowedProcessors(): number[] {
  const text = /^Cpus_allowed_list:\s+(\S+)$/m.exec(readFileSync('/proc/self/status', 'latin1'))?.[1] ?? '';
  return text.split(',').flatMap((range) => {
    const [first = 0, last = first] = range.split('-').map(Number);
    return Array.from({ length: last - first + 1 }, (_, index) => first + index);
  });
}
