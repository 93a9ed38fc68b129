import { describe, expect, it } from 'vitest';
import { Stash } from '../../../src/data/http1/stash.ts';

const bytes = (text: string): Buffer => Buffer.from(text, 'latin1');

describe('a stash', () => {
  it('gives what was pushed in one piece, once', () => {
    const stash = new Stash();
    expect(stash.empty).toBe(true);
    for (const text of ['GET', ' ', '', '/ HTTP/1.1\r\n']) stash.push(bytes(text), false);
    expect(stash.length).toBe(16);
    expect(stash.take()?.toString('latin1')).toBe('GET / HTTP/1.1\r\n');
    expect(stash.empty).toBe(true);
    expect(stash.take()).toBe(null);
  });

  it('copies what is borrowed', () => {
    const stash = new Stash();
    const lent = bytes('first');
    stash.push(lent, true);
    lent.fill(0);
    const more = bytes('second');
    stash.push(more, true);
    more.fill(0);
    expect(stash.take()?.toString('latin1')).toBe('firstsecond');
  });

  it('never writes into what it gave away', () => {
    const stash = new Stash();
    for (let i = 0; i < 5; i++) stash.push(bytes('old'), false);
    const taken = stash.take();
    for (let i = 0; i < 50; i++) stash.push(bytes('new'), false);
    expect(taken?.toString('latin1')).toBe('old'.repeat(5));
    // Nor behind a piece that it took as it was, where other bytes lie.
    const whole = bytes('abcdef');
    stash.clear();
    stash.push(whole.subarray(0, 2), false);
    stash.push(bytes('xy'), false);
    expect(whole.toString('latin1')).toBe('abcdef');
    expect(stash.take()?.toString('latin1')).toBe('abxy');
  });

  it('copies each byte a few times at most, however small the pieces are', () => {
    const stash = new Stash();
    let moved = 0;
    const copy = Buffer.prototype.copy;
    Buffer.prototype.copy = function (...args: Parameters<Buffer['copy']>) {
      moved += this.length;
      return copy.apply(this, args);
    };
    try {
      for (let i = 0; i < 65_536; i++) stash.push(bytes('x'), false);
    } finally {
      Buffer.prototype.copy = copy;
    }
    expect(stash.length).toBe(65_536);
    expect(moved).toBeLessThan(3 * 65_536);
  });
});
