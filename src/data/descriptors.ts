import { readFileSync } from 'node:fs';

/** What the process itself has open, and what pools, logs and reloads need for a moment. */
const RESERVED = 64;

/**
 * How many connections of clients this process may hold, so that there are descriptors left to connect to upstreams: two thirds
 * of what the system allows it. Infinite where the system does not say.
 */
export function connectionsThatFit(limits = readLimits()): number {
  const soft = /^Max open files\s+(\d+)/m.exec(limits)?.[1];
  return soft === undefined ? Number.POSITIVE_INFINITY : Math.max(1, Math.floor(((Number(soft) - RESERVED) * 2) / 3));
}

function readLimits(): string {
  try {
    return readFileSync('/proc/self/limits', 'latin1');
  } catch {
    return '';
  }
}
