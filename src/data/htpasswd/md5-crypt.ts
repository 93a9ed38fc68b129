import { createHash } from 'node:crypto';

/** The order in which crypt(3) writes the digest's bytes, three by three; the last is alone. */
const ORDER = [0, 6, 12, 1, 7, 13, 2, 8, 14, 3, 9, 15, 4, 10, 5] as const;

/**
 * Apache's `$apr1$`, and `$1$` of crypt(3), which differs in the magic alone: 1000 rounds of MD5.
 * @param salt at most 8 characters count
 * @returns the 22 characters behind the salt
 */
export function md5Crypt(password: Buffer, magic: '$apr1$' | '$1$', salt: string): string {
  const saltBytes = Buffer.from(salt.slice(0, 8), 'latin1');
  const inner = createHash('md5').update(password).update(saltBytes).update(password).digest();
  const start = createHash('md5').update(password).update(magic).update(saltBytes);
  for (let left = password.length; left > 0; left -= 16) start.update(inner.subarray(0, Math.min(16, left)));
  // One byte for each bit of the length: a NUL for a one, the password's first byte for a zero. An accident of 1994.
  for (let bits = password.length; bits > 0; bits >>= 1)
    start.update(bits & 1 ? Buffer.of(0) : password.subarray(0, 1));
  let digest = start.digest();
  for (let round = 0; round < 1000; round++) {
    const hash = createHash('md5').update(round & 1 ? password : digest);
    if (round % 3 !== 0) hash.update(saltBytes);
    if (round % 7 !== 0) hash.update(password);
    digest = hash.update(round & 1 ? digest : password).digest();
  }
  let text = '';
  for (let i = 0; i < 15; i += 3)
    text += cryptBase64(digest[ORDER[i]!]!, digest[ORDER[i + 1]!]!, digest[ORDER[i + 2]!]!, 4);
  return text + cryptBase64(0, 0, digest[11]!, 2);
}

const ALPHABET = './0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';

/** Three bytes as up to four characters of crypt(3)'s base64: least significant first. */
export function cryptBase64(high: number, middle: number, low: number, length: number): string {
  let value = (high << 16) | (middle << 8) | low;
  let text = '';
  for (let i = 0; i < length; i++) {
    text += ALPHABET[value & 63];
    value >>>= 6;
  }
  return text;
}
