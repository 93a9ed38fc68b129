import { describe, expect, it } from 'vitest';
import { TokenBuckets } from '../../../src/control/limits/token-buckets.ts';
import type { TokenRequest } from '../../../src/core/limiting.ts';

const ask = (more: Partial<TokenRequest> = {}): TokenRequest => ({
  id: 1,
  limiter: 'm@file of r@file',
  key: 'a',
  wanted: 1,
  rate: 0.125,
  burst: 50,
  maxDelayMs: 5,
  ...more,
});

describe('TokenBuckets', () => {
  it('gives the burst, then one each eight milliseconds at 125 a second, and says when the next is there', () => {
    const buckets = new TokenBuckets();
    expect(buckets.take(ask({ wanted: 50 }), 0)).toEqual({ id: 1, count: 50, delayMs: -1, emptyMs: 8 });
    expect(buckets.take(ask(), 2)).toEqual({ id: 1, count: 0, delayMs: -1, emptyMs: 6 });
    expect(buckets.take(ask(), 8)).toMatchObject({ count: 1, delayMs: -1 });
  });

  it('promises a token that is there within the delay, once', () => {
    const buckets = new TokenBuckets();
    buckets.take(ask({ wanted: 50 }), 0);
    expect(buckets.take(ask(), 4)).toMatchObject({ count: 0, delayMs: 4, emptyMs: 12 });
    expect(buckets.take(ask(), 4)).toMatchObject({ count: 0, delayMs: -1, emptyMs: 12 });
    expect(buckets.take(ask(), 16)).toMatchObject({ count: 1 });
  });

  it('never gives more than burst and rate allow, whoever asks for how many', () => {
    let seed = 7;
    const random = (below: number): number => {
      seed = (Math.imul(seed, 1_103_515_245) + 12_345) >>> 0;
      return seed % below;
    };
    for (let round = 0; round < 50; round++) {
      const buckets = new TokenBuckets();
      const burst = 1 + random(60);
      const rate = (1 + random(100)) / 100;
      let [now, given] = [0, 0];
      for (let i = 0; i < 400; i++) {
        now += random(20);
        const grant = buckets.take(ask({ wanted: 1 + random(8), burst, rate, maxDelayMs: 1 / rate / 2 }), now);
        given += grant.count + (grant.delayMs >= 0 ? 1 : 0);
        expect(given).toBeLessThanOrEqual(burst + rate * now + 0.5 + 1e-6);
      }
      // Somebody always wanted one.
      expect(given).toBeGreaterThan(Math.min(burst, 1) + (rate * now) / 4);
    }
  });

  it('keeps sources and limiters apart, and what was used over a change of the limit', () => {
    const buckets = new TokenBuckets();
    expect(buckets.take(ask({ burst: 1 }), 0).count).toBe(1);
    expect(buckets.take(ask({ burst: 1, key: 'b' }), 0).count).toBe(1);
    expect(buckets.take(ask({ burst: 1, limiter: 'other' }), 0).count).toBe(1);
    expect(buckets.take(ask({ burst: 100, rate: 0.001 }), 0).count).toBe(0);
  });

  it('holds a bounded number of buckets, the last used ones, and none that are full', () => {
    const buckets = new TokenBuckets(100);
    for (let i = 0; i < 1000; i++) {
      buckets.take(ask({ key: String(i), burst: 1 }), 0);
      buckets.take(ask({ key: 'hot', burst: 1 }), 0);
    }
    expect(buckets.size).toBe(100);
    expect(buckets.take(ask({ key: 'hot', burst: 1 }), 0).count).toBe(0);
    buckets.sweep(5);
    expect(buckets.size).toBe(100);
    buckets.sweep(10);
    expect(buckets.size).toBe(0);
  });
});
