import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { afterEach, describe, expect, it } from 'vitest';
import { PasswordVerifier } from '../../../src/data/htpasswd/verifier.ts';

const SECRET = '$2y$05$0IbM4EsPMjELBYBpl54SX.yrPo2gaMpF7cbFFWvVIOAuxU1KE4.oS';
const wanted = (): boolean => true;
const verifiers: PasswordVerifier[] = [];

function create(maxWaiting?: number): PasswordVerifier {
  const verifier = new PasswordVerifier(maxWaiting);
  verifiers.push(verifier);
  return verifier;
}

afterEach(async () => {
  for (const verifier of verifiers.splice(0)) await verifier.close();
});

describe('PasswordVerifier', () => {
  it('answers each check with its own verdict', async () => {
    const verifier = create();
    const verdicts = await Promise.all(
      ['secret', 'wrong', 'secret', ''].map((password) => verifier.verify(Buffer.from(password), SECRET, wanted)),
    );
    expect(verdicts).toEqual(['match', 'mismatch', 'match', 'mismatch']);
  });

  it('keeps the event loop free while it computes', async () => {
    const verifier = create();
    await verifier.verify(Buffer.from('warm'), SECRET, wanted);
    // Cost 14 takes a second and more. On this thread bcryptjs lets the loop turn once in 100 ms: 50 turns would outlast it.
    let answered = false;
    const check = verifier.verify(Buffer.from('x'), SECRET.replace('$05$', '$14$'), wanted);
    const settled = check
      .catch(() => {})
      .then(() => {
        answered = true;
      });
    for (let turn = 0; turn < 50; turn++) await new Promise((resolve) => setImmediate(resolve));
    expect(answered).toBe(false);
    await verifier.close();
    await settled;
  });

  it('spares what nobody waits for any more', async () => {
    const verifier = create();
    let wants = true;
    const first = verifier.verify(Buffer.from('secret'), SECRET, wanted);
    const second = verifier.verify(Buffer.from('secret'), SECRET, () => wants);
    wants = false;
    expect(await first).toBe('match');
    expect(await second).toBe('gone');
  });

  it('is busy when too many wait', async () => {
    const verifier = create(2);
    const checks = [1, 2, 3, 4].map(() => verifier.verify(Buffer.from('secret'), SECRET, wanted));
    expect(await Promise.all(checks)).toEqual(['match', 'match', 'match', 'busy']);
  });

  it('rejects who waits when its thread ends, and starts another', async () => {
    const verifier = create();
    const checks = [1, 2].map(() => verifier.verify(Buffer.from('secret'), SECRET, wanted));
    const settled = Promise.allSettled(checks);
    await verifier.close();
    expect((await settled).map((check) => check.status)).toEqual(['rejected', 'rejected']);
    expect(await verifier.verify(Buffer.from('secret'), SECRET, wanted)).toBe('match');
  });

  it('does not keep a process alive that has nothing else to do', async () => {
    const url = new URL('../../../src/data/htpasswd/verifier.ts', import.meta.url).href;
    const code = `const { passwordVerifier } = await import('${url}');
      console.log(await passwordVerifier.verify(Buffer.from('secret'), '${SECRET}', () => true));`;
    // Rejects where the process has to be killed at the time limit.
    const run = await promisify(execFile)(process.execPath, ['--input-type=module', '-e', code], { timeout: 60_000 });
    expect(run.stdout).toBe('match\n');
  });
});
