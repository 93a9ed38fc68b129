import { readdirSync, readFileSync } from 'node:fs';

/** What a process and all its descendants have used so far. */
export interface TreeUsage {
  readonly pids: readonly number[];
  /** utime + stime of every process of the tree, in microseconds (resolution: one tick of 10 ms per process). */
  readonly cpuMicros: number;
  /** Sum of VmRSS, in bytes. Pages that processes share are counted once for each. */
  readonly rssBytes: number;
}

/** The kernel's unit for /proc/PID/stat towards user space (USER_HZ): 100 on every Linux that Node supports. */
const TICK_MICROS = 10_000;

/**
 * Reads CPU time and memory of the process tree below `root` from /proc. Threads are included. A process that ended
 * before the call is not: the caller compares `pids` of two readings to notice.
 */
export function readTree(root: number): TreeUsage {
  const stats = new Map<number, { parent: number; ticks: number }>();
  for (const entry of readdirSync('/proc')) {
    if (!/^\d+$/.test(entry)) continue;
    const stat = readIfThere(`/proc/${entry}/stat`);
    if (stat !== null) stats.set(Number(entry), parseStat(stat));
  }
  const pids = stats.has(root) ? [root] : [];
  for (let index = 0; index < pids.length; index += 1) {
    for (const [pid, { parent }] of stats) if (parent === pids[index]) pids.push(pid);
  }
  let ticks = 0;
  let rssBytes = 0;
  for (const pid of pids) {
    ticks += stats.get(pid)?.ticks ?? 0;
    const status = readIfThere(`/proc/${pid}/status`) ?? '';
    rssBytes += 1_024 * Number(/^VmRSS:\s+(\d+) kB/m.exec(status)?.[1] ?? 0);
  }
  return { pids, cpuMicros: ticks * TICK_MICROS, rssBytes };
}

/** Parent and CPU ticks from a line of /proc/PID/stat; see proc(5). The command in parentheses may hold anything. */
export function parseStat(line: string): { parent: number; ticks: number } {
  const fields = line.slice(line.lastIndexOf(')') + 2).split(' ');
  // Counted from the state, the first field after the command: ppid is 1, utime 11, stime 12.
  return { parent: Number(fields[1]), ticks: Number(fields[11]) + Number(fields[12]) };
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
