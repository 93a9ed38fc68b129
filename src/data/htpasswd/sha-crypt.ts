import { createHash } from 'node:crypto';
import { cryptBase64 } from './md5-crypt.ts';

/**
 * `$5$` (SHA-256) and `$6$` (SHA-512) of crypt(3), as Ulrich Drepper specified them in "Unix crypt using SHA-256 and SHA-512".
 * @param salt at most 16 characters count
 * @param rounds 1000 or more
 * @returns the 43 or 86 characters behind the salt
 */
export function shaCrypt(password: Buffer, algorithm: 'sha256' | 'sha512', salt: string, rounds: number): string {
  const saltBytes = Buffer.from(salt.slice(0, 16), 'latin1');
  const inner = createHash(algorithm).update(password).update(saltBytes).update(password).digest();
  const start = createHash(algorithm).update(password).update(saltBytes).update(repeatTo(inner, password.length));
  for (let bits = password.length; bits > 0; bits >>= 1) start.update(bits & 1 ? inner : password);
  let digest = start.digest();

  const p = createHash(algorithm);
  for (let i = 0; i < password.length; i++) p.update(password);
  const passwordBlock = repeatTo(p.digest(), password.length);
  const s = createHash(algorithm);
  for (let i = 0; i < 16 + digest[0]!; i++) s.update(saltBytes);
  const saltBlock = repeatTo(s.digest(), saltBytes.length);

  for (let round = 0; round < rounds; round++) {
    const hash = createHash(algorithm).update(round & 1 ? passwordBlock : digest);
    if (round % 3 !== 0) hash.update(saltBlock);
    if (round % 7 !== 0) hash.update(passwordBlock);
    digest = hash.update(round & 1 ? digest : passwordBlock).digest();
  }
  return algorithm === 'sha256' ? encode256(digest) : encode512(digest);
}

function repeatTo(block: Buffer, length: number): Buffer {
  return Buffer.alloc(length, block);
}

function encode256(digest: Buffer): string {
  let text = '';
  let at: [number, number, number] = [0, 10, 20];
  for (let i = 0; i < 10; i++) {
    text += cryptBase64(digest[at[0]]!, digest[at[1]]!, digest[at[2]]!, 4);
    at = [(at[2] + 1) % 30, (at[0] + 1) % 30, (at[1] + 1) % 30];
  }
  return text + cryptBase64(0, digest[31]!, digest[30]!, 3);
}

function encode512(digest: Buffer): string {
  let text = '';
  let at: [number, number, number] = [0, 21, 42];
  for (let i = 0; i < 21; i++) {
    text += cryptBase64(digest[at[0]]!, digest[at[1]]!, digest[at[2]]!, 4);
    at = [(at[1] + 1) % 63, (at[2] + 1) % 63, (at[0] + 1) % 63];
  }
  return text + cryptBase64(0, 0, digest[63]!, 2);
}
