import { reasonOf } from '../exchange.ts';
import { ALLOWED_METHODS } from '../options.ts';
import { dateLine } from './date-line.ts';

/** RFC 9110 §15.5.6. */
const ALLOW_LINE = `Allow: ${ALLOWED_METHODS}\r\n`;

/**
 * The whole response to a request that could not be read; the connection closes behind it.
 * @param isHead the response has no body, and says what would be there (RFC 9110 §9.3.2)
 */
export function refusalResponse(status: number, isHead: boolean): string {
  const reason = reasonOf(status);
  const text = `${status} ${reason}\n`;
  const allow = status === 405 ? ALLOW_LINE : '';
  return `HTTP/1.1 ${status} ${reason}\r\n${dateLine()}${allow}Content-Type: text/plain; charset=utf-8\r\nContent-Length: ${text.length}\r\nConnection: close\r\n\r\n${isHead ? '' : text}`;
}
