import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { unusableReason, verifyPassword } from '../../../src/data/htpasswd/stored-hash.ts';

interface Vector {
  readonly madeBy: string;
  readonly password: string;
  readonly hash: string;
}

const VECTORS: readonly Vector[] = JSON.parse(
  readFileSync(new URL('./fixtures/passwords.json', import.meta.url), 'utf8'),
);
const bytes = (text: string): Buffer => Buffer.from(text, 'utf8');

describe('verifyPassword', () => {
  it.each(VECTORS)('takes what $madeBy made of $password', ({ password, hash }) => {
    expect(unusableReason(hash)).toBeUndefined();
    expect(verifyPassword(bytes(password), hash)).toBe(true);
  });

  it.each(VECTORS)('refuses any other password for what $madeBy made', ({ password, hash }) => {
    expect(verifyPassword(bytes(`${password}x`), hash)).toBe(false);
    expect(verifyPassword(bytes(password.slice(1)), hash)).toBe(false);
    expect(verifyPassword(bytes(''), hash)).toBe(false);
  });

  it('takes bcrypt of all three revisions', () => {
    const hash = VECTORS.find((vector) => vector.madeBy === 'htpasswd -nbB')!.hash;
    for (const revision of ['$2a$', '$2b$', '$2y$']) {
      expect(verifyPassword(bytes('secret'), revision + hash.slice(4))).toBe(true);
    }
  });

  it('does not take bytes that are no UTF-8 for the text they would be read as', () => {
    const vector = VECTORS.find((found) => found.hash.startsWith('$2y$') && found.password.includes('ä'))!;
    expect(verifyPassword(Buffer.from(vector.password, 'latin1'), vector.hash)).toBe(false);
  });
});

describe('unusableReason', () => {
  it.each([
    ['secret', 'plain text'],
    ['', 'plain text'],
    ['DkR5NPMY/x9vc', 'no known kind'],
    ['$2y$05$tooshort', 'no known kind'],
    ['$2x$05$0IbM4EsPMjELBYBpl54SX.yrPo2gaMpF7cbFFWvVIOAuxU1KE4.oS', 'no known kind'],
    ['$2y$31$0IbM4EsPMjELBYBpl54SX.yrPo2gaMpF7cbFFWvVIOAuxU1KE4.oS', 'cost is above 17'],
    ['$5$rounds=999999999$yULX.CmvCBMjO/uW$oxw6mCK0exxBXWgCLQ/VGcONEsOlWH5aZnsSZG889B3', 'rounds'],
    ['{SHA}x', 'no known kind'],
    ['$argon2id$v=19$m=1,t=1,p=1$a$b', 'no known kind'],
  ])('%j cannot be used: %s', (hash, reason) => {
    expect(unusableReason(hash)).toContain(reason);
    expect(verifyPassword(bytes(hash), hash)).toBe(false);
  });
});
