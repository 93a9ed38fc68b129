import { readdirSync, readFileSync } from 'node:fs';

/** A dynamic file that sends every path of every host to one server. */
export function allTo(url: string, service: Record<string, unknown> = {}): Record<string, unknown> {
  return {
    http: {
      routers: { all: { rule: 'PathPrefix(`/`)', service: 'app' } },
      services: { app: { loadBalancer: { servers: [{ url }], ...service } } },
    },
  };
}

/** Process ids of the workers: the children of the primary. */
export function workersOf(primary: number): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((pid) => parentOf(pid) === primary);
}

function parentOf(pid: number): number {
  try {
    // `pid (name) state ppid …`; the name may hold anything.
    return Number(
      readFileSync(`/proc/${pid}/stat`, 'latin1')
        .replace(/^.*\) /s, '')
        .split(' ')[1],
    );
  } catch {
    return -1;
  }
}

/** Resident memory of a process in bytes. */
export function rss(pid: number): number {
  return Number(/VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, 'latin1'))?.[1]) * 1024;
}
