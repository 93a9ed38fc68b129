/** What a client sent by the Basic scheme (RFC 7617). */
export interface Credentials {
  readonly user: string;
  /** Bytes, as sent. */
  readonly password: Buffer;
}

/** Longest password that is looked at, in bytes; the cost of some hashes grows with it. */
export const MAX_PASSWORD_BYTES = 1024;

/** Reads an Authorization value. Undefined where it is not Basic, not base64, or has no colon. */
export function parseCredentials(authorization: string | undefined): Credentials | undefined {
  if (authorization === undefined || authorization.length > 6 + 4 * MAX_PASSWORD_BYTES) return undefined;
  if (authorization.slice(0, 6).toLowerCase() !== 'basic ') return undefined;
  const encoded = authorization.slice(6);
  // Node's decoder takes anything; two texts must not mean the same user.
  if (encoded.length % 4 !== 0 || !/^[A-Za-z0-9+/]*={0,2}$/.test(encoded)) return undefined;
  const bytes = Buffer.from(encoded, 'base64');
  const colon = bytes.indexOf(0x3a);
  if (colon === -1 || bytes.length - colon - 1 > MAX_PASSWORD_BYTES) return undefined;
  return { user: bytes.toString('utf8', 0, colon), password: bytes.subarray(colon + 1) };
}

/**
 * Reads htpasswd lines, `name:hash`, into a map; of two lines with one name the last counts.
 * @throws where a line is of another form; the message has its number, never its text, which is secret
 */
export function parseUsers(lines: readonly string[]): ReadonlyMap<string, string> {
  const users = new Map<string, string>();
  for (const [index, line] of lines.entries()) {
    const text = line.trim();
    if (text === '' || text.startsWith('#')) continue;
    const parts = text.split(':');
    if (parts.length !== 2 || parts[0] === '') {
      throw new Error(`basicAuth.users: line ${index + 1} is not of the form name:hash`);
    }
    users.set(parts[0]!, parts[1]!);
  }
  return users;
}
