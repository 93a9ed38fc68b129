/** What a request target (origin-form, RFC 9112 section 3.2.1) comes to. */
export interface RequestPath {
  /** Normal form, to be forwarded: percent-encoded, without the query. */
  readonly path: string;
  /** What rules compare: decoded but for reserved characters, so that `%2F` is not a slash and `%20` is a space. */
  readonly matchPath: string;
  /** As received, without the `?`; empty where there is none. */
  readonly query: string;
  /** Path and query, to be forwarded. The very target that came in, where nothing had to change. */
  readonly target: string;
}

const QUESTION = 63;
const PERCENT = 37;
const SLASH = 47;
const DOT = 46;

/** 1: stands in a path as it is. 2: is percent-encoded. 0: makes the target invalid. RFC 3986 section 3.3. */
const PATH_CHARS = new Uint8Array(256);
for (let c = 0; c < 256; c++) {
  const literal = /[A-Za-z0-9\-._~!$&'()*+,;=:@/[\]%]/.test(String.fromCharCode(c));
  PATH_CHARS[c] = literal ? 1 : c <= 0x20 || c === 0x7f || c === 35 ? 0 : 2;
}

/**
 * Brings a request target into its normal form: unreserved characters decoded, `%xx` in upper case, what may not stand
 * in a path encoded, and with `sanitize` the segments `.` and `..` and double slashes resolved (a trailing slash stays).
 * Returns undefined where the target is invalid and the answer is 400: a `#`, a space or control character, a broken
 * percent-encoding, a target that does not start with a slash. The asterisk-form (`*`) is taken as it is.
 *
 * @param target as received; each UTF-16 unit is one byte
 * @param sanitize the entry point's `http.sanitizePath`
 */
export function readRequestPath(target: string, sanitize: boolean): RequestPath | undefined {
  const length = target.length;
  if (target.charCodeAt(0) !== SLASH) {
    return target === '*' ? { path: target, matchPath: target, query: '', target } : undefined;
  }
  let plain = true;
  let end = length;
  let previous = 0;
  for (let i = 0; i < length; i++) {
    const c = target.charCodeAt(i);
    if (c === QUESTION) {
      end = i;
      break;
    }
    const kind = c < 256 ? PATH_CHARS[c] : 0;
    if (kind === 0) return undefined;
    if (kind === 2 || c === PERCENT || (previous === SLASH && (c === SLASH || c === DOT))) plain = false;
    previous = c;
  }
  if (end !== length && !isQuery(target, end + 1)) return undefined;
  const query = end === length ? '' : target.slice(end + 1);
  const raw = end === length ? target : target.slice(0, end);
  if (plain) return { path: raw, matchPath: raw, query, target };

  const encoded = normalizeEncoding(raw);
  if (encoded === undefined) return undefined;
  const path = sanitize ? cleanPath(encoded) : encoded;
  return { path, matchPath: decodeForMatch(path), query, target: path === raw ? target : path + target.slice(end) };
}

/** The path that a request must have for a rule with `path` to match, or undefined where the encoding is broken. */
export function matchForm(path: string): string | undefined {
  const encoded = normalizeEncoding(path.replace(/[^\x00-\x7f]+/g, encodeURIComponentSafely));
  return encoded === undefined ? undefined : decodeForMatch(encoded);
}

function encodeURIComponentSafely(text: string): string {
  return encodeURIComponent(text.toWellFormed());
}

/** No `#`, no space, no control character. What else may stand in a query is the upstream's affair. */
function isQuery(target: string, from: number): boolean {
  for (let i = from; i < target.length; i++) {
    const c = target.charCodeAt(i);
    if (c <= 0x20 || c === 35 || c === 0x7f || c > 0xff) return false;
  }
  return true;
}

const NORMALIZE = /%(?:[0-9A-Fa-f]{2})?|[^A-Za-z0-9\-._~!$&'()*+,;=:@/[\]%]/g;

/** RFC 3986 sections 6.2.2.1 and 6.2.2.2. */
function normalizeEncoding(path: string): string | undefined {
  let valid = true;
  const normal = path.replace(NORMALIZE, (part) => {
    if (part.length === 1) {
      if (part === '%') valid = false;
      return `%${part.charCodeAt(0).toString(16).toUpperCase().padStart(2, '0')}`;
    }
    const c = String.fromCharCode(Number.parseInt(part.slice(1), 16));
    return /[A-Za-z0-9\-._~]/.test(c) ? c : part.toUpperCase();
  });
  return valid ? normal : undefined;
}

/**
 * Resolves `.`, `..` and empty segments as Go's `path.Clean` does, and keeps one trailing slash: `/a/./b/..//` is `/a/`,
 * and `/a/b/..` is `/a` (RFC 3986 section 5.2.4 would say `/a/`).
 */
function cleanPath(path: string): string {
  const segments: string[] = [];
  for (const segment of path.split('/')) {
    if (segment === '..') segments.pop();
    else if (segment !== '' && segment !== '.') segments.push(segment);
  }
  const clean = `/${segments.join('/')}`;
  return path.endsWith('/') && clean !== '/' ? `${clean}/` : clean;
}

// gen-delims and sub-delims of RFC 3986 section 2.2, and the percent sign: to decode those changes what the path means.
const RESERVED = new Set([..."!#$&'()*+,/:;=?@[]%"].map((c) => c.charCodeAt(0)));

/** @param path with valid encodings in upper case */
function decodeForMatch(path: string): string {
  if (!path.includes('%')) return path;
  return path.replace(/(?:%[0-9A-F]{2})+/g, (run) => {
    let text = '';
    let bytes: number[] = [];
    for (let i = 0; i < run.length; i += 3) {
      const byte = Number.parseInt(run.slice(i + 1, i + 3), 16);
      if (!RESERVED.has(byte)) {
        bytes.push(byte);
        continue;
      }
      text += utf8(bytes) + run.slice(i, i + 3);
      bytes = [];
    }
    return text + utf8(bytes);
  });
}

const DECODER = new TextDecoder('utf-8', { ignoreBOM: true });

/** What is not UTF-8 becomes U+FFFD, as it does for Go's regular expressions. */
function utf8(bytes: readonly number[]): string {
  return bytes.length === 0 ? '' : DECODER.decode(Uint8Array.from(bytes));
}

/**
 * Whether some value of the parameter `name` passes `test`, without building an object of the whole query. Pairs are
 * separated by `&` or `;`, `+` is a space, and a pair whose encoding is broken is left out (Go's `url.ParseQuery`).
 */
export function someQueryValue(query: string, name: string, test: (value: string) => boolean): boolean {
  let at = 0;
  while (at < query.length) {
    let end = at;
    let equals = -1;
    let encodedName = false;
    let encodedValue = false;
    for (; end < query.length; end++) {
      const c = query.charCodeAt(end);
      if (c === 38 || c === 59) break;
      if (c === 61 && equals === -1) equals = end;
      else if (c === PERCENT || c === 43 || c > 0x7f) {
        if (equals === -1) encodedName = true;
        else encodedValue = true;
      }
    }
    const nameEnd = equals === -1 ? end : equals;
    const found = encodedName
      ? decodeQuery(query.slice(at, nameEnd)) === name
      : nameEnd - at === name.length && query.startsWith(name, at);
    if (found && end > at) {
      const raw = equals === -1 ? '' : query.slice(equals + 1, end);
      const value = encodedValue ? decodeQuery(raw) : raw;
      if (value !== undefined && test(value)) return true;
    }
    at = end + 1;
  }
  return false;
}

function decodeQuery(text: string): string | undefined {
  if (/%(?![0-9A-Fa-f]{2})/.test(text)) return undefined;
  const bytes: number[] = [];
  for (let i = 0; i < text.length; i++) {
    const c = text.charCodeAt(i);
    if (c === PERCENT) {
      bytes.push(Number.parseInt(text.slice(i + 1, i + 3), 16));
      i += 2;
    } else bytes.push(c === 43 ? 32 : c & 0xff);
  }
  return utf8(bytes);
}
