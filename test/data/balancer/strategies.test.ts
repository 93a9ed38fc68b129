import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { LeastConnections } from '../../../src/data/balancer/least-connections.ts';
import { LeastTime } from '../../../src/data/balancer/least-time.ts';
import { makeBalancer } from '../../../src/data/balancer/make.ts';
import { PowerOfTwo } from '../../../src/data/balancer/power-of-two.ts';
import { Rendezvous } from '../../../src/data/balancer/rendezvous.ts';
import { RoundRobin } from '../../../src/data/balancer/round-robin.ts';
import type { Balancer, Endpoint } from '../../../src/data/balancer/types.ts';
import { clock } from '../../../src/data/clock.ts';
import { cpuTime } from '../../support/cpu-time.ts';
import { fakeExchange } from '../../support/fake-client.ts';
import { count, endpoint, endpointsOf, seeded } from './support.ts';

const { exchange } = fakeExchange();
const STRATEGIES = ['wrr', 'p2c', 'hrw', 'leasttime', 'leastconn'] as const;

function take(balancer: Balancer, times: number): (Endpoint | null)[] {
  return Array.from({ length: times }, () => balancer.pick(exchange, null));
}

function from(address: string) {
  return fakeExchange({ address }).exchange;
}

const weights = fc.array(fc.integer({ min: 0, max: 12 }), { minLength: 1, maxLength: 8 });
const sum = (numbers: readonly number[]): number => numbers.reduce((a, b) => a + b, 0);

describe.each(STRATEGIES)('every strategy: %s', (strategy) => {
  it('chooses only who is available, has a weight and was not tried, and nobody only where there is none', () => {
    const servers = fc.array(fc.record({ weight: fc.nat(3), up: fc.boolean(), tried: fc.boolean() }), {
      minLength: 1,
      maxLength: 6,
    });
    fc.assert(
      fc.property(servers, (given) => {
        const endpoints = given.map(({ weight, up }, i) => {
          const made = endpoint(`http://s${i}`, weight);
          made.state.up = up;
          return made;
        });
        const tried = endpoints.filter((_, i) => given[i]!.tried);
        const usable = endpoints.filter((e) => e.weight > 0 && e.state.up && !tried.includes(e));
        const balancer = makeBalancer(strategy, endpoints, null);
        for (let i = 0; i < 20; i++) {
          const pick = balancer.pick(exchange, tried);
          if (usable.length === 0) expect(pick).toBeNull();
          else expect(usable).toContain(pick);
        }
      }),
    );
  });

  it('does not choose a server again that was tried, listed twice or not', () => {
    const a = endpoint('http://a');
    const twice = endpoint('http://a', 1, a.state);
    const b = endpoint('http://b');
    const balancer = makeBalancer(strategy, [a, twice, b], null);
    for (let i = 0; i < 10; i++) expect(balancer.pick(exchange, [a])).toBe(b);
  });

  it.each(['ejected', 'draining'] as const)('passes over who is %s', (field) => {
    const [a, b] = endpointsOf(1, 1) as [Endpoint, Endpoint];
    a.state[field] = true;
    expect(new Set(take(makeBalancer(strategy, [a, b], null), 10))).toEqual(new Set([b]));
  });
});

describe('wrr', () => {
  it('gives everybody exactly their share in each round', () => {
    fc.assert(
      fc.property(weights, fc.integer({ min: 1, max: 4 }), (given, rounds) => {
        const total = sum(given);
        fc.pre(total > 0);
        const endpoints = endpointsOf(...given);
        const counts = count(take(new RoundRobin(endpoints, null), total * rounds));
        for (const { url, weight } of endpoints) expect(counts[url] ?? 0).toBe(weight * rounds);
      }),
    );
  });

  it('spreads the picks of one', () => {
    const urls = take(new RoundRobin(endpointsOf(5, 1, 1), null), 7).map((e) => e?.url);
    expect(urls.join('')).toBe('aabacaa');
  });

  it('goes on where it was after a reload', () => {
    fc.assert(
      fc.property(weights, fc.nat(40), (given, at) => {
        fc.pre(sum(given) > 0);
        const straight = take(new RoundRobin(endpointsOf(...given), null), at + 20).map((e) => e?.url);
        const before = new RoundRobin(endpointsOf(...given), null);
        take(before, at);
        const after = makeBalancer('wrr', endpointsOf(...given), before);
        expect(take(after, 20).map((e) => e?.url)).toEqual(straight.slice(at));
      }),
    );
  });

  it('stays exact over the rest while some come and go', () => {
    fc.assert(
      fc.property(weights, fc.array(fc.nat(7), { maxLength: 6 }), (given, changes) => {
        const endpoints = endpointsOf(...given);
        const balancer = new RoundRobin(endpoints, null);
        for (const change of changes) {
          const { state } = endpoints[change % endpoints.length]!;
          state.up = !state.up;
          take(balancer, 3);
        }
        const up = endpoints.filter((e) => e.state.up && e.weight > 0);
        fc.pre(up.length > 0);
        const total = sum(up.map((e) => e.weight));
        // What was owed when the set changed is bounded by a round; over many rounds the shares show.
        const rounds = 20;
        const counts = count(take(balancer, total * rounds));
        for (const e of up)
          expect(Math.abs((counts[e.url] ?? 0) - e.weight * rounds)).toBeLessThanOrEqual(2 * sum(given));
        expect(counts.nobody).toBeUndefined();
      }),
    );
  });

  it('gives an endpoint in slow start its share of its weight', () => {
    const [a, b] = endpointsOf(1, 1) as [Endpoint, Endpoint];
    b.state.share = 0.25;
    expect(count(take(new RoundRobin([a, b], null), 100))).toEqual({ a: 80, b: 20 });
  });
});

describe('leastconn', () => {
  it('takes who has the fewest requests under way for its weight', () => {
    const servers = fc.array(fc.record({ weight: fc.integer({ min: 1, max: 5 }), inFlight: fc.nat(9) }), {
      minLength: 1,
      maxLength: 6,
    });
    fc.assert(
      fc.property(servers, (given) => {
        const endpoints = given.map(({ weight, inFlight }, i) => {
          const made = endpoint(`http://s${i}`, weight);
          made.state.inFlight = inFlight;
          return made;
        });
        const load = (e: Endpoint): number => e.state.inFlight / e.weight;
        const pick = new LeastConnections(endpoints, null).pick(exchange, null)!;
        for (const e of endpoints) expect(load(pick)).toBeLessThanOrEqual(load(e));
      }),
    );
  });

  it('is as even as wrr where nobody is busy', () => {
    expect(count(take(new LeastConnections(endpointsOf(3, 1, 0), null), 40))).toEqual({ a: 30, b: 10 });
  });

  it('fills slots by weight as requests stay', () => {
    const endpoints = endpointsOf(2, 1);
    const balancer = new LeastConnections(endpoints, null);
    for (let i = 0; i < 30; i++) balancer.pick(exchange, null)!.state.inFlight++;
    expect(endpoints.map((e) => e.state.inFlight)).toEqual([20, 10]);
  });
});

describe('leasttime', () => {
  it('takes who answers first for its weight, with the requests under way', () => {
    const [a, b, c] = endpointsOf(1, 1, 1) as [Endpoint, Endpoint, Endpoint];
    a.state.measure(40, clock.now);
    b.state.measure(10, clock.now);
    c.state.measure(30, clock.now);
    const balancer = new LeastTime([a, b, c], null);
    expect(balancer.pick(exchange, null)).toBe(b);
    b.state.inFlight = 4;
    expect(balancer.pick(exchange, null)).toBe(c);
  });

  it('measures everybody in turn first', () => {
    const endpoints = endpointsOf(1, 1, 1);
    expect(count(take(new LeastTime(endpoints, null), 3))).toEqual({ a: 1, b: 1, c: 1 });
  });

  it('tries again who was slow a while ago', () => {
    const [a, b] = endpointsOf(1, 1) as [Endpoint, Endpoint];
    a.state.measure(10, clock.now);
    b.state.measure(80, clock.now - 60_000);
    expect(new LeastTime([a, b], null).pick(exchange, null)).toBe(b);
  });
});

describe('p2c', () => {
  it('is even by weight where nobody is busier', () => {
    const endpoints = endpointsOf(1, 1, 1, 0);
    const counts = count(take(new PowerOfTwo(endpoints, seeded(1)), 30_000));
    expect(counts.d).toBeUndefined();
    // Binomial: five standard deviations are 410.
    for (const url of ['a', 'b', 'c']) expect(Math.abs(counts[url]! - 10_000)).toBeLessThan(410);
  });

  it('never takes the busier of two', () => {
    const [a, b] = endpointsOf(1, 1) as [Endpoint, Endpoint];
    a.state.inFlight = 3;
    b.state.inFlight = 2;
    expect(count(take(new PowerOfTwo([a, b], seeded(2)), 500))).toEqual({ b: 500 });
  });

  it('never takes the busiest of several', () => {
    const endpoints = endpointsOf(1, 1, 1, 1);
    endpoints[2]!.state.inFlight = 1;
    expect(count(take(new PowerOfTwo(endpoints, seeded(3)), 5_000)).c).toBeUndefined();
  });
});

describe('hrw', () => {
  const clients = Array.from({ length: 20_000 }, (_, i) => `10.${i >> 16}.${(i >> 8) & 255}.${i & 255}`);
  const spread = (balancer: Rendezvous<Endpoint>) => clients.map((address) => balancer.pick(from(address), null)!);

  it('spreads clients by weight', () => {
    const counts = count(spread(new Rendezvous(endpointsOf(1, 2, 1, 0))));
    expect(counts.d).toBeUndefined();
    // Five standard deviations of a binomial of 20,000 are below 360.
    for (const [url, share] of Object.entries({ a: 0.25, b: 0.5, c: 0.25 })) {
      expect(Math.abs(counts[url]! - share * clients.length)).toBeLessThan(360);
    }
  });

  it('moves only the clients of a server that went, evenly, and brings them back', () => {
    const endpoints = endpointsOf(1, 1, 1, 1);
    const balancer = new Rendezvous(endpoints);
    const before = spread(balancer);
    endpoints[1]!.state.up = false;
    const without = spread(balancer);
    without.forEach((pick, i) => {
      if (before[i]!.url !== 'b') expect(pick).toBe(before[i]);
    });
    const moved = count(without.filter((_, i) => before[i]!.url === 'b'));
    for (const url of ['a', 'c', 'd']) expect(moved[url]!).toBeGreaterThan(1_300);
    endpoints[1]!.state.up = true;
    expect(spread(balancer)).toEqual(before);
  });

  it('takes the address that a trusted peer names', () => {
    const balancer = new Rendezvous(endpointsOf(1, 1, 1, 1));
    const behind = (client: string) =>
      fakeExchange({ address: '10.0.0.153', trusted: true, headers: ['X-Real-Ip', client] }).exchange;
    for (const client of clients.slice(0, 50)) {
      expect(balancer.pick(behind(client), null)).toBe(balancer.pick(from(client), null));
    }
  });
});

describe('the cost of a pick', () => {
  it.each(STRATEGIES)('%s among three: below 1 µs, with room for a busy machine', (strategy) => {
    const balancer = makeBalancer(strategy, endpointsOf(1, 2, 3), null);
    let best = Number.POSITIVE_INFINITY;
    for (let round = 0; round < 4; round++) {
      const took = cpuTime(() => {
        for (let i = 0; i < 100_000; i++) balancer.pick(exchange, null);
      });
      best = Math.min(best, (took * 1e6) / 100_000);
    }
    console.log(`${strategy}: ${best.toFixed(0)} ns a pick`);
    expect(best).toBeLessThan(1_000);
  });
});
