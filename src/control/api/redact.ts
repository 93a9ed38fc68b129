/** Stands for what nobody may read. */
export const MASK = 'REDACTED';

/** Credentials of clients: not even that, as their number and names say something too. */
const LEFT_OUT = new Set(['users']);

/** Maps of header names to values. */
const HEADER_MAPS = new Set(['headers', 'customRequestHeaders', 'customResponseHeaders']);

const SECRET_NAME = /authorization|cookie|token|secret|passw|api-?_?key|private-?_?key|credential|hmac/i;
/** More is suspected of a header. */
const SECRET_HEADER = /auth|cookie|token|secret|passw|key|credential|session|signature/i;

/** Named as a secret, and none: a list of cookie names. */
const HARMLESS = new Set(['addAuthCookiesToResponse']);

/**
 * A copy of a part of the configuration that may be shown: without the users of authentication middlewares, with private
 * keys, passwords in URLs and the values of headers and settings that carry credentials masked, and with durations as text
 * (`1m30s`), as Traefik's API has them.
 */
export function presentable(value: unknown): unknown {
  return copy(value, '', false);
}

/** Masks what is secret in one text: credentials in URLs, private keys. */
export function maskText(text: string): string {
  if (text.includes('PRIVATE KEY')) return MASK;
  if (!text.includes('@')) return text;
  return text.replace(/([a-z][a-z0-9+.-]*:\/\/)[^\s/?#@]*(?:@[^\s/?#@]*)*@/gi, `$1${MASK}@`);
}

function copy(value: unknown, key: string, inHeaders: boolean): unknown {
  if (typeof value === 'string') {
    const secret = inHeaders ? SECRET_HEADER.test(key) : SECRET_NAME.test(key) && !HARMLESS.has(key);
    return secret ? MASK : maskText(value);
  }
  if (typeof value === 'number') return DURATIONS.has(key) && !inHeaders ? goDuration(value) : value;
  if (Array.isArray(value)) return value.map((item) => copy(item, key, false));
  if (typeof value !== 'object' || value === null) return value;
  const out: Record<string, unknown> = {};
  for (const [name, inner] of Object.entries(value)) {
    if (LEFT_OUT.has(name) && !inHeaders) continue;
    // A name such as `__proto__` is a key like any other.
    Object.defineProperty(out, name, {
      value: copy(inner, name, HEADER_MAPS.has(key)),
      enumerable: true,
      configurable: true,
      writable: true,
    });
  }
  return out;
}

/** The settings that are durations; decoded, they are milliseconds. */
const DURATIONS = new Set([
  'checkPeriod',
  'clientResponseHeaderTimeout',
  'clientTimeout',
  'dialTimeout',
  'failureWindow',
  'fallbackDuration',
  'flushInterval',
  'graceTimeOut',
  'idleConnTimeout',
  'idleTimeout',
  'initialInterval',
  'interval',
  'keepAliveMaxTime',
  'period',
  'pingTimeout',
  'readIdleTimeout',
  'readTimeout',
  'recoveryDuration',
  'requestAcceptGraceTimeout',
  'responseHeaderTimeout',
  'timeout',
  'unhealthyInterval',
  'writeTimeout',
]);

/** `90000` → `1m30s`, as Go's `Duration.String`. @param ms may have a fraction */
export function goDuration(ms: number): string {
  if (ms === 0) return '0s';
  if (ms < 0) return `-${goDuration(-ms)}`;
  if (ms < 0.001) return `${Math.round(ms * 1e6)}ns`;
  if (ms < 1) return `${Number((ms * 1e3).toFixed(3))}µs`;
  if (ms < 1000) return `${Number(ms.toFixed(6))}ms`;
  const hours = Math.floor(ms / 3_600_000);
  const minutes = Math.floor((ms % 3_600_000) / 60_000);
  const seconds = Number(((ms % 60_000) / 1000).toFixed(9));
  return `${hours > 0 ? `${hours}h` : ''}${hours > 0 || minutes > 0 ? `${minutes}m` : ''}${seconds}s`;
}
