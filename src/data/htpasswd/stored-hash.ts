import { createHash, timingSafeEqual } from 'node:crypto';
import { compareSync } from 'bcryptjs';
import { md5Crypt } from './md5-crypt.ts';
import { shaCrypt } from './sha-crypt.ts';

/** Highest cost of bcrypt that is verified: what htpasswd itself makes at most. Each step doubles the time. */
export const MAX_BCRYPT_COST = 17;
/** Most rounds of `$5$` and `$6$` that are verified (the default is 5000). */
export const MAX_SHA_ROUNDS = 1_000_000;

const BCRYPT = /^\$2[aby]\$(0[4-9]|[12][0-9]|3[01])\$[./A-Za-z0-9]{53}$/;
const MD5_CRYPT = /^(\$apr1\$|\$1\$)([^$]{1,8})\$([./A-Za-z0-9]{22})$/;
const SHA_CRYPT = /^\$([56])\$(?:rounds=([0-9]{1,9})\$)?([^$]{0,16})\$([./A-Za-z0-9]{43}|[./A-Za-z0-9]{86})$/;
const SHA1 = /^\{SHA\}([A-Za-z0-9+/]{27}=)$/;

/** Why a stored hash cannot be used, for people; undefined where it can. It never quotes the hash. */
export function unusableReason(hash: string): string | undefined {
  const bcrypt = BCRYPT.exec(hash);
  if (bcrypt !== null) {
    return Number(bcrypt[1]) > MAX_BCRYPT_COST ? `its bcrypt cost is above ${MAX_BCRYPT_COST}` : undefined;
  }
  const sha = SHA_CRYPT.exec(hash);
  if (sha !== null) {
    return Number(sha[2] ?? 5000) > MAX_SHA_ROUNDS ? `it has more than ${MAX_SHA_ROUNDS} rounds` : undefined;
  }
  if (MD5_CRYPT.test(hash) || SHA1.test(hash)) return undefined;
  return 'its hash is of no known kind (plain text is not accepted); make one with `htpasswd -nB NAME`';
}

/**
 * Whether a password belongs to a stored hash. It computes for as long as the hash asks (5 to 1000 ms and more): not for the
 * thread that serves requests, see verifier.ts.
 * @param password as sent: bytes
 */
export function verifyPassword(password: Buffer, hash: string): boolean {
  if (unusableReason(hash) !== undefined) return false;
  if (BCRYPT.test(hash)) {
    // bcryptjs takes text. Bytes that are no UTF-8 cost as much, and match nothing.
    const text = password.toString('utf8');
    const matches = compareSync(text, hash);
    return matches && Buffer.from(text, 'utf8').equals(password);
  }
  const md5 = MD5_CRYPT.exec(hash);
  if (md5 !== null) return same(md5Crypt(password, md5[1] as '$apr1$' | '$1$', md5[2]!), md5[3]!);
  const sha = SHA_CRYPT.exec(hash);
  if (sha !== null) {
    const rounds = Math.max(1000, Number(sha[2] ?? 5000));
    return same(shaCrypt(password, sha[1] === '5' ? 'sha256' : 'sha512', sha[3]!, rounds), sha[4]!);
  }
  const sha1 = SHA1.exec(hash);
  return sha1 !== null && same(createHash('sha1').update(password).digest('base64'), sha1[1]!);
}

function same(a: string, b: string): boolean {
  const left = Buffer.from(a, 'latin1');
  const right = Buffer.from(b, 'latin1');
  return left.length === right.length && timingSafeEqual(left, right);
}
