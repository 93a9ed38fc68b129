import { readdirSync, readFileSync } from 'node:fs';

/** What a process and all its descendants have used so far. */
export interface TreeUsage {
  readonly pids: readonly number[];
  /** CPU time of every process of the tree, and of those that ended and were waited for, in microseconds. */
  readonly cpuMicros: number;
  /** Sum of VmRSS, in bytes. Pages that processes share are counted once for each. */
  readonly rssBytes: number;
}

/** The kernel's unit for /proc/PID/stat towards user space (USER_HZ): 100 on every Linux that Node supports. */
const TICK_MICROS = 10_000;

/**
 * Reads CPU time and memory of the process tree below `root` from /proc. Threads are included. A process that ended
 * before the call counts where its parent in the tree waited for it: the caller compares `pids` of two readings to notice.
 */
export function readTree(root: number): TreeUsage {
  const stats = new Map<number, ProcessStat>();
  for (const entry of readdirSync('/proc')) {
    if (!/^\d+$/.test(entry)) continue;
    const stat = readIfThere(`/proc/${entry}/stat`);
    if (stat !== null) stats.set(Number(entry), parseStat(stat));
  }
  const pids = stats.has(root) ? [root] : [];
  for (let index = 0; index < pids.length; index += 1) {
    for (const [pid, { parent }] of stats) if (parent === pids[index]) pids.push(pid);
  }
  let cpuMicros = 0;
  let rssBytes = 0;
  for (const pid of pids) {
    const { ticks = 0, childTicks = 0 } = stats.get(pid) ?? {};
    cpuMicros += (preciseMicros(pid) ?? ticks * TICK_MICROS) + childTicks * TICK_MICROS;
    const status = readIfThere(`/proc/${pid}/status`) ?? '';
    rssBytes += 1_024 * Number(/^VmRSS:\s+(\d+) kB/m.exec(status)?.[1] ?? 0);
  }
  return { pids, cpuMicros, rssBytes };
}

/** A process as /proc/PID/stat has it. */
export interface ProcessStat {
  readonly parent: number;
  /** Of itself, in ticks of 10 ms. */
  readonly ticks: number;
  /** Of its children that ended and were waited for. */
  readonly childTicks: number;
}

/** Reads a line of /proc/PID/stat; see proc(5). The command in parentheses may hold anything. */
export function parseStat(line: string): ProcessStat {
  const fields = line.slice(line.lastIndexOf(')') + 2).split(' ');
  // Counted from the state, the first field after the command: ppid is 1, utime 11, stime 12, cutime 13, cstime 14.
  return {
    parent: Number(fields[1]),
    ticks: Number(fields[11]) + Number(fields[12]),
    childTicks: Number(fields[13]) + Number(fields[14]),
  };
}

/** CPU time of the threads of a process from the scheduler, which counts nanoseconds; null where it does not tell. */
function preciseMicros(pid: number): number | null {
  let micros = 0;
  try {
    for (const thread of readdirSync(`/proc/${pid}/task`)) {
      const text = readIfThere(`/proc/${pid}/task/${thread}/schedstat`);
      if (text === null) return null;
      micros += Number(text.slice(0, text.indexOf(' '))) / 1_000;
    }
  } catch {
    // It ended meanwhile, or the kernel has no such file: the coarse figure serves.
    return null;
  }
  return micros;
}

function readIfThere(file: string): string | null {
  try {
    return readFileSync(file, 'latin1');
  } catch (error) {
    // A process may end between listing and reading.
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ESRCH') return null;
    throw error;
  }
}
