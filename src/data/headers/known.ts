/**
 * The header names the proxy itself acts on, as small integers, so that the hot path compares no strings.
 * Everything else has id 0 and is carried untouched.
 */
export const H = {
  OTHER: 0,
  HOST: 1,
  CONNECTION: 2,
  CONTENT_LENGTH: 3,
  TRANSFER_ENCODING: 4,
  UPGRADE: 5,
  EXPECT: 6,
  TE: 7,
  KEEP_ALIVE: 8,
  PROXY_CONNECTION: 9,
  PROXY_AUTHENTICATE: 10,
  PROXY_AUTHORIZATION: 11,
  TRAILER: 12,
  HTTP2_SETTINGS: 13,
  /** X-Forwarded-* that say who the client was, and X-Real-Ip: only a trusted peer may send them. */
  X_FORWARDED_FOR: 14,
  X_FORWARDED_PROTO: 15,
  X_FORWARDED_HOST: 16,
  X_FORWARDED_PORT: 17,
  X_FORWARDED_SERVER: 18,
  X_REAL_IP: 19,
  X_FORWARDED_OTHER: 20,
  DATE: 21,
  /** What a backend that takes `_` for `-` would read as framing. */
  FRAMING_LOOKALIKE: 22,
} as const;

export type HeaderId = (typeof H)[keyof typeof H];

const NAMES: readonly (readonly [string, HeaderId])[] = [
  ['host', H.HOST],
  ['connection', H.CONNECTION],
  ['content-length', H.CONTENT_LENGTH],
  ['transfer-encoding', H.TRANSFER_ENCODING],
  ['upgrade', H.UPGRADE],
  ['expect', H.EXPECT],
  ['te', H.TE],
  ['keep-alive', H.KEEP_ALIVE],
  ['proxy-connection', H.PROXY_CONNECTION],
  ['proxy-authenticate', H.PROXY_AUTHENTICATE],
  ['proxy-authorization', H.PROXY_AUTHORIZATION],
  ['trailer', H.TRAILER],
  ['http2-settings', H.HTTP2_SETTINGS],
  ['date', H.DATE],
  ['content_length', H.FRAMING_LOOKALIKE],
  ['transfer_encoding', H.FRAMING_LOOKALIKE],
  ['x-forwarded-for', H.X_FORWARDED_FOR],
  ['x-forwarded-proto', H.X_FORWARDED_PROTO],
  ['x-forwarded-host', H.X_FORWARDED_HOST],
  ['x-forwarded-port', H.X_FORWARDED_PORT],
  ['x-forwarded-server', H.X_FORWARDED_SERVER],
  ['x-real-ip', H.X_REAL_IP],
  ['x-forwarded-uri', H.X_FORWARDED_OTHER],
  ['x-forwarded-method', H.X_FORWARDED_OTHER],
  ['x-forwarded-prefix', H.X_FORWARDED_OTHER],
  ['x-forwarded-tls-client-cert', H.X_FORWARDED_OTHER],
  ['x-forwarded-tls-client-cert-info', H.X_FORWARDED_OTHER],
];

interface Candidate {
  readonly bytes: Uint8Array;
  readonly id: HeaderId;
  /** `x_forwarded_for` reads as `x-forwarded-for` in CGI-like backends: the variants with `_` count as the header. */
  readonly underscores: boolean;
}

/** Candidates by length: most lengths have none, the others at most three. */
const BY_LENGTH: Candidate[][] = Array.from({ length: 33 }, () => []);
for (const [name, id] of NAMES) {
  BY_LENGTH[name.length]!.push({
    bytes: Buffer.from(name, 'latin1'),
    id,
    underscores: name.startsWith('x-'),
  });
}

/** Identifies the header name at `buf[start, end)`, in any case. */
export function identify(buf: Uint8Array, start: number, end: number): HeaderId {
  const length = end - start;
  if (length > 32) return H.OTHER;
  const candidates = BY_LENGTH[length]!;
  next: for (let c = 0; c < candidates.length; c++) {
    const candidate = candidates[c]!;
    const bytes = candidate.bytes;
    for (let i = 0; i < length; i++) {
      const byte = buf[start + i]!;
      const expected = bytes[i]!;
      if (byte === expected) continue;
      if (byte >= 0x41 && byte <= 0x5a) {
        if ((byte | 0x20) === expected) continue;
      } else if (byte === 0x5f && expected === 0x2d && candidate.underscores) {
        continue;
      }
      continue next;
    }
    return candidate.id;
  }
  return H.OTHER;
}

/** Identifies a header name given as a string, for the paths that edit lists. */
export function identifyName(name: string): HeaderId {
  const length = name.length;
  if (length > 32 || BY_LENGTH[length]!.length === 0) return H.OTHER;
  return identify(Buffer.from(name, 'latin1'), 0, length);
}

/** Headers about one connection (RFC 9110 §7.6.1): never passed on as received. */
export const HOP_BY_HOP: Uint8Array = new Uint8Array(32);
for (const id of [
  H.CONNECTION,
  H.TRANSFER_ENCODING,
  H.UPGRADE,
  H.TE,
  H.KEEP_ALIVE,
  H.PROXY_CONNECTION,
  H.PROXY_AUTHENTICATE,
  H.PROXY_AUTHORIZATION,
  H.HTTP2_SETTINGS,
]) {
  HOP_BY_HOP[id] = 1;
}

/** Headers that say who the client was: stripped from peers that are not trusted. */
export const FORWARDED: Uint8Array = new Uint8Array(32);
for (const id of [
  H.X_FORWARDED_FOR,
  H.X_FORWARDED_PROTO,
  H.X_FORWARDED_HOST,
  H.X_FORWARDED_PORT,
  H.X_FORWARDED_SERVER,
  H.X_REAL_IP,
  H.X_FORWARDED_OTHER,
]) {
  FORWARDED[id] = 1;
}
