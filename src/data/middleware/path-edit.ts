import { readRequestPath } from '../../core/request-path.ts';
import type { Exchange } from '../exchange.ts';

/** What a percent-encoded path may hold as it is (RFC 3986 section 3.3, and the brackets that clients send bare). */
const LITERAL = /^[A-Za-z0-9\-._~!$&'()*+,;=:@/[\]]$/;
const PLAIN: Uint8Array = new Uint8Array(128);
for (let c = 0; c < 128; c++) if (LITERAL.test(String.fromCharCode(c))) PLAIN[c] = 1;

const SLASH = 47;
const DOT = 46;

/**
 * A text of the configuration in the form that {@link Exchange.path} has: what may not stand in a path is encoded (as UTF-8),
 * valid `%xx` are kept, in upper case, and unreserved characters are decoded. A `?` or `#` is part of the path, so encoded.
 */
export function encodePath(text: string): string {
  const encoded = text.toWellFormed().replace(/%[0-9A-Fa-f]{2}|[\s\S]/gu, (part) => {
    if (part.length === 3 && part.charCodeAt(0) === 37) {
      const c = String.fromCharCode(Number.parseInt(part.slice(1), 16));
      return /[A-Za-z0-9\-._~]/.test(c) ? c : part.toUpperCase();
    }
    return LITERAL.test(part) ? part : percent(part);
  });
  return encoded;
}

/**
 * Forwards another path. It is made safe for a request line, starts with a slash, and has no `.` and `..` segments: to strip
 * `/a` from `/a../secret` must not ask the upstream for `/../secret`.
 */
export function setPath(exchange: Exchange, path: string): void {
  exchange.path = isSafe(path) ? path : makeSafe(path);
}

function isSafe(path: string): boolean {
  if (path.charCodeAt(0) !== SLASH) return false;
  let previous = 0;
  for (let i = 0; i < path.length; i++) {
    const c = path.charCodeAt(i);
    if (c === 37) {
      if (!isHex(path.charCodeAt(i + 1)) || !isHex(path.charCodeAt(i + 2))) return false;
    } else if (c > 127 || PLAIN[c] !== 1) return false;
    if (c === DOT && previous === SLASH) return false;
    previous = c;
  }
  return true;
}

function isHex(c: number): boolean {
  return (c >= 48 && c <= 57) || (c >= 65 && c <= 70) || (c >= 97 && c <= 102);
}

function makeSafe(path: string): string {
  const encoded = encodePath(path);
  const rooted = encoded.charCodeAt(0) === SLASH ? encoded : `/${encoded}`;
  if (!/\/\.\.?(?:\/|$)/.test(rooted)) return rooted;
  return readRequestPath(rooted, true)?.path ?? '/';
}

/** Percent-encodes a text as UTF-8. */
function percent(text: string): string {
  let out = '';
  for (const byte of Buffer.from(text, 'utf8')) out += `%${byte.toString(16).toUpperCase().padStart(2, '0')}`;
  return out;
}
