import type { Exchange } from '../exchange.ts';

/** What the operator wants of a field: its value, nothing, or that it was there. */
export type FieldMode = 'keep' | 'drop' | 'redact';

const REDACTED = 'REDACTED';

/**
 * The path and query that a line shows.
 *
 * @param query what the operator wants of query parameters: kept, left out, or their values hidden
 */
export function requestPath(query: FieldMode): (exchange: Exchange) => string {
  if (query === 'keep') return (exchange) => exchange.receivedTarget;
  return (exchange) => {
    const target = exchange.receivedTarget;
    const at = target.indexOf('?');
    if (at < 0) return target;
    const path = target.slice(0, at);
    return query === 'drop' ? path : `${path}?${redactQuery(target.slice(at + 1))}`;
  };
}

/** `a=1&b=2` → `a=REDACTED&b=REDACTED`. A part without `=` may be a secret as a whole. */
function redactQuery(query: string): string {
  return query.replace(/[^&;]+/g, (pair) => {
    const equals = pair.indexOf('=');
    return equals < 0 ? REDACTED : `${pair.slice(0, equals)}=${REDACTED}`;
  });
}
