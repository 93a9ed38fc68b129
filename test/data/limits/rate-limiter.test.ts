import { describe, expect, it } from 'vitest';
import { TokenBuckets } from '../../../src/control/limits/token-buckets.ts';
import type { FromLimiter } from '../../../src/core/limiting.ts';
import { LimitDesk } from '../../../src/data/limits/limit-desk.ts';
import { type RateLimit, RateLimiter, type TokenWaiter } from '../../../src/data/limits/rate-limiter.ts';
import { waitFor } from '../../support/wait-for.ts';

/** Workers with a primary between them, whose answers come when they are delivered. */
class Rig {
  readonly sent: FromLimiter[] = [];
  readonly #buckets = new TokenBuckets();
  readonly #pending: (() => void)[] = [];
  readonly limiters: readonly RateLimiter[];

  constructor(workers: number, limit: RateLimit) {
    this.limiters = Array.from({ length: workers }, () => {
      const desk = new LimitDesk((message) => {
        this.sent.push(message);
        if (message.type === 'tokens-request') {
          this.#pending.push(() =>
            desk.receive({ type: 'tokens', grant: this.#buckets.take(message.request, performance.now()) }),
          );
        } else if (message.type === 'tokens-return') {
          this.#buckets.put(message.limiter, message.key, message.count);
        }
      });
      return new RateLimiter('m', limit, desk);
    });
  }

  deliver(): void {
    while (this.#pending.length > 0) this.#pending.shift()!();
  }
}

class Waiter implements TokenWaiter {
  verdict: 'waits' | 'passed' | number = 'waits';
  over = false;
  pass(): void {
    this.verdict = 'passed';
  }
  refuse(retryMs: number): void {
    this.verdict = retryMs;
  }
}

const count = (waiters: readonly Waiter[]): number => waiters.filter(({ verdict }) => verdict === 'passed').length;
const HOUR = 3_600_000;

describe('RateLimiter', () => {
  it('lets the burst pass over all workers, and refuses the rest with the time', () => {
    const rig = new Rig(3, { rate: 10 / HOUR, burst: 10, maxDelayMs: 500 });
    const waiters = Array.from({ length: 60 }, (_, i) => {
      const waiter = new Waiter();
      rig.limiters[i % 3]!.admit('a', waiter);
      return waiter;
    });
    rig.deliver();
    expect(count(waiters)).toBe(10);
    const refused = waiters.filter(({ verdict }) => typeof verdict === 'number');
    expect(refused.length).toBe(50);
    for (const { verdict } of refused) expect(verdict as number).toBeGreaterThan(HOUR / 10 - 1000);
  });

  it('asks the primary no more while the bucket is empty', () => {
    const rig = new Rig(1, { rate: 1 / HOUR, burst: 1, maxDelayMs: 500 });
    rig.limiters[0]!.admit('a', new Waiter());
    rig.deliver();
    rig.limiters[0]!.admit('a', new Waiter());
    rig.deliver();
    for (let i = 0; i < 1000; i++) rig.limiters[0]!.admit('a', new Waiter());
    expect(rig.sent.length).toBe(1);
  });

  it('makes one that is half a token early wait', async () => {
    const rig = new Rig(1, { rate: 1 / 200, burst: 1, maxDelayMs: 250 });
    const [first, second] = [new Waiter(), new Waiter()];
    rig.limiters[0]!.admit('a', first);
    rig.limiters[0]!.admit('a', second);
    rig.deliver();
    expect([first.verdict, second.verdict]).toEqual(['passed', 'waits']);
    await waitFor('the second to pass', () => second.verdict === 'passed', { intervalMs: 2 });
  });

  it('takes some in advance where many come, and gives back what it did not use', async () => {
    const rig = new Rig(1, { rate: 1, burst: 1000, maxDelayMs: 0.5 });
    rig.limiters[0]!.admit('a', new Waiter());
    rig.deliver();
    const waiters = Array.from({ length: 10 }, () => new Waiter());
    for (const waiter of waiters) rig.limiters[0]!.admit('a', waiter);
    expect(count(waiters)).toBe(10);
    const more = new Waiter();
    rig.limiters[0]!.admit('a', more);
    rig.deliver();
    expect(more.verdict).toBe('passed');
    await waitFor('what is left to go back', () => rig.sent.some(({ type }) => type === 'tokens-return'));
    expect(rig.sent.at(-1)).toMatchObject({ type: 'tokens-return', count: 10 });
    expect(rig.limiters[0]!.size).toBe(0);
  });

  it('spends nothing on clients that left', () => {
    const rig = new Rig(1, { rate: 1 / HOUR, burst: 1, maxDelayMs: 0 });
    const [gone, there] = [new Waiter(), new Waiter()];
    rig.limiters[0]!.admit('a', gone);
    rig.limiters[0]!.admit('a', there);
    gone.over = true;
    rig.deliver();
    expect([gone.verdict, there.verdict]).toEqual(['waits', 'passed']);
  });

  it('knows a bounded number of sources', () => {
    const rig = new Rig(1, { rate: 1 / HOUR, burst: 1, maxDelayMs: 0 });
    for (let i = 0; i < 70_000; i++) rig.limiters[0]!.admit(String(i), new Waiter());
    expect(rig.limiters[0]!.size).toBe(65_536);
  });
});
