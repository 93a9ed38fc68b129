import { type Exchange, reasonOf } from '../exchange.ts';
import { HeaderList } from '../headers/header-list.ts';

/** What may stand in a Location value (RFC 3986): anything else, a stray percent sign too, is encoded. */
const UNSAFE = /%(?![0-9A-Fa-f]{2})|[^\x21-\x7e]|["<>\\^`{|}]/gu;

/**
 * A URL that is safe as a Location value: no white space, no control character, no backslash (browsers read it as a slash),
 * ASCII alone. What is not ASCII is encoded as UTF-8.
 */
export function safeLocation(url: string): string {
  return url.toWellFormed().replace(UNSAFE, (part) => {
    let out = '';
    for (const byte of Buffer.from(part, 'utf8')) out += `%${byte.toString(16).toUpperCase().padStart(2, '0')}`;
    return out;
  });
}

/** Path and query as ASCII: the query may hold raw bytes (one character each), which are encoded as they are. */
export function asciiTarget(exchange: Exchange): string {
  if (exchange.path === '*') return '';
  return exchange.target.replace(
    /[\x80-\xff]/g,
    (c) => `%${c.charCodeAt(0).toString(16).toUpperCase().padStart(2, '0')}`,
  );
}

/** Sends the client elsewhere. GET may become another GET (302, 301); every other method, HEAD too, must stay (307, 308). */
export function redirect(exchange: Exchange, url: string, permanent: boolean): void {
  const get = exchange.method === 'GET';
  const status = permanent ? (get ? 301 : 308) : get ? 302 : 307;
  const headers = HeaderList.of('Location', safeLocation(url), 'Content-Type', 'text/plain; charset=utf-8');
  exchange.reply(status, headers, reasonOf(status));
}
