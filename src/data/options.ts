import type { Exchange } from './exchange.ts';
import { HeaderList } from './headers/header-list.ts';

/** What the proxy passes on; CONNECT it refuses, and TRACE is better not advertised. */
export const ALLOWED_METHODS = 'GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS';

/** Of more we know nothing (RFC 9110 §7.6.2: the lesser of one less and what the recipient supports). */
const MOST_FORWARDS = 1_000_000;

/** Answers an OPTIONS request for the proxy itself (RFC 9110 §9.3.7). */
export function answerOptions(exchange: Exchange): void {
  exchange.reply(200, HeaderList.of('Allow', ALLOWED_METHODS), '');
}

/**
 * Obeys Max-Forwards of OPTIONS and TRACE (RFC 9110 §7.6.2): at 0 the proxy is the last to answer, else it counts down.
 *
 * @returns whether the exchange is answered
 */
export function endsHere(exchange: Exchange): boolean {
  const { method, headers } = exchange;
  if (method !== 'OPTIONS' && method !== 'TRACE') return false;
  const value = headers.get('max-forwards');
  if (value === undefined || !/^\d+$/.test(value)) return false;
  const left = Math.min(Number(value), MOST_FORWARDS);
  if (left > 0) {
    headers.set('Max-Forwards', String(left - 1));
    return false;
  }
  if (method === 'OPTIONS') answerOptions(exchange);
  // To echo a request would show what other intermediaries put into it.
  else exchange.reply(405, HeaderList.of('Allow', ALLOWED_METHODS), '');
  return true;
}
