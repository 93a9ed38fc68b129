import type { Report } from '../core/messages.ts';
import { addFigures } from '../core/streams.ts';

/** Of a worker that has done nothing. */
export const EMPTY_REPORT: Report = {
  requests: 0,
  connections: 0,
  errors: {},
  retries: {},
  mirrorsDropped: 0,
  streams: {},
  accessLogDropped: 0,
  logDropped: 0,
};

/** What several workers report, as one. */
export function addReports(a: Report, b: Report): Report {
  return {
    requests: a.requests + b.requests,
    connections: a.connections + b.connections,
    errors: merge(a.errors, b.errors, add),
    retries: merge(a.retries, b.retries, add),
    mirrorsDropped: a.mirrorsDropped + b.mirrorsDropped,
    streams: merge(a.streams, b.streams, addFigures),
    accessLogDropped: a.accessLogDropped + b.accessLogDropped,
    logDropped: a.logDropped + b.logDropped,
  };
}

function add(a: number, b: number): number {
  return a + b;
}

/** All that is in either; what is in both is put together. */
function merge<T>(
  a: Readonly<Record<string, T>>,
  b: Readonly<Record<string, T>>,
  together: (a: T, b: T) => T,
): Record<string, T> {
  const merged: Record<string, T> = { ...a };
  for (const [name, more] of Object.entries(b)) {
    const before = merged[name];
    merged[name] = before === undefined ? more : together(before, more);
  }
  return merged;
}
