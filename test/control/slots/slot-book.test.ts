import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { SlotBook } from '../../../src/control/slots/slot-book.ts';
import type { LoadBalancer } from '../../../src/core/config/dynamic.ts';
import { loadBalancerSchema } from '../../../src/core/config/services.ts';
import type { ToWorker } from '../../../src/core/messages.ts';
import type { Snapshot } from '../../../src/core/snapshot.ts';

/** A book, and who got what: `worker:id url`, in order. */
class Desk {
  readonly answers: string[] = [];
  /** `worker:id` → url, of what is held. */
  readonly held = new Map<string, string>();
  readonly book = new SlotBook((worker, message) => this.#take(worker, message));
  #ids = 0;

  constructor(config: Record<string, unknown>) {
    this.apply(config);
  }

  apply(config: Record<string, unknown>): void {
    const loadBalancer = loadBalancerSchema.parse(config) as LoadBalancer;
    const services = {
      app: { name: 'app', kind: 'configured', status: 'enabled', errors: [], config: { loadBalancer } },
    };
    this.book.apply({ http: { services } } as unknown as Snapshot);
  }

  ask(worker: number, among: readonly string[], priority = 0, fairKey = '', leastBusy = false): string {
    const id = ++this.#ids;
    this.book.receive(worker, {
      type: 'slot-request',
      request: { id, service: 'app', among, leastBusy, priority, fairKey },
    });
    return `${worker}:${id}`;
  }

  release(key: string): void {
    const [worker = '', id = ''] = key.split(':');
    this.held.delete(key);
    this.book.receive(Number(worker), { type: 'slot-release', id: Number(id) });
  }

  #take(worker: number, message: ToWorker): void {
    if (message.type !== 'slot') return;
    const key = `${worker}:${message.id}`;
    this.answers.push(`${key} ${message.url ?? `no ${message.retryAfterS > 0}`}`);
    if (message.url !== null) this.held.set(key, message.url);
  }
}

const A = 'http://a';
const B = 'http://b';
const config = (more: Record<string, unknown> = {}) => ({ servers: [{ url: A }, { url: B }], maxInFlight: 1, ...more });

describe('places at servers with a limit', () => {
  it('are never more than the limit at any server, whatever workers do, and nobody waits where one is free', () => {
    const step = fc.record({
      what: fc.constantFrom('ask', 'ask', 'release', 'gone', 'among'),
      worker: fc.integer({ min: 1, max: 3 }),
      pick: fc.nat(50),
      among: fc.constantFrom([A], [B], [A, B], [B, A]),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 80 }), fc.integer({ min: 1, max: 3 }), (steps, limit) => {
        const desk = new Desk(config({ maxInFlight: limit, queue: { limit: 20 } }));
        const asked = new Map<string, readonly string[]>();
        for (const { what, worker, pick, among } of steps) {
          const keys = [...asked.keys()];
          const key = keys[pick % Math.max(1, keys.length)];
          if (what === 'ask') {
            const made = desk.ask(worker, among);
            if (!desk.answers.includes(`${made} no true`)) asked.set(made, among);
          } else if (what === 'release' && key !== undefined) {
            asked.delete(key);
            desk.release(key);
          } else if (what === 'among' && key !== undefined && !desk.held.has(key)) {
            asked.set(key, among);
            const [own, id] = key.split(':').map(Number) as [number, number];
            desk.book.receive(own, { type: 'slot-among', id, among });
          } else if (what === 'gone') {
            for (const one of keys.filter((k) => k.startsWith(`${worker}:`))) {
              asked.delete(one);
              desk.held.delete(one);
            }
            desk.book.gone(worker);
          }
          for (const url of [A, B]) {
            const inUse = [...desk.held.values()].filter((held) => held === url).length;
            expect(inUse).toBeLessThanOrEqual(limit);
            expect(desk.book.status.app?.inUse[url]).toBe(inUse);
            if (inUse === limit) continue;
            for (const [one, urls] of asked) if (urls.includes(url)) expect(desk.held.has(one)).toBe(true);
          }
        }
      }),
    );
  });

  it('are given in order of arrival over all workers, or the other way round', () => {
    for (const order of ['fifo', 'lifo']) {
      const desk = new Desk({ servers: [{ url: A }], maxInFlight: 1, queue: { limit: 10, order } });
      const first = desk.ask(1, [A]);
      const waiting = [desk.ask(2, [A]), desk.ask(1, [A]), desk.ask(2, [A])];
      let holder = first;
      const served: string[] = [];
      for (let i = 0; i < 3; i++) {
        desk.release(holder);
        holder = [...desk.held.keys()][0]!;
        served.push(holder);
      }
      expect(served).toEqual(order === 'fifo' ? waiting : waiting.toReversed());
    }
  });

  it('are given to who has the higher priority first', () => {
    const desk = new Desk({ servers: [{ url: A }], maxInFlight: 1, queue: { limit: 10 } });
    const first = desk.ask(1, [A]);
    desk.ask(1, [A], 0);
    const urgent = desk.ask(2, [A], 5);
    desk.ask(1, [A], -1);
    desk.release(first);
    expect([...desk.held.keys()]).toEqual([urgent]);
  });

  it('are shared fairly: who is served least goes first', () => {
    const desk = new Desk({ servers: [{ url: A }], maxInFlight: 2, queue: { limit: 50, fairBy: 'clientIP' } });
    const greedy = [desk.ask(1, [A], 0, 'greedy'), desk.ask(1, [A], 0, 'greedy')];
    for (let i = 0; i < 10; i++) desk.ask(1, [A], 0, 'greedy');
    const modest = desk.ask(2, [A], 0, 'modest');
    desk.release(greedy[0]!);
    expect(desk.held.has(modest)).toBe(true);
  });

  it('are refused, with the time to come back, where no more may wait', () => {
    const desk = new Desk(config({ queue: { limit: 1 } }));
    desk.ask(1, [A, B]);
    desk.ask(1, [A, B]);
    desk.ask(2, [A, B]);
    const refused = desk.ask(2, [A, B]);
    expect(desk.answers.at(-1)).toBe(`${refused} no true`);
    expect(desk.book.status.app).toMatchObject({ waiting: 1, refused: 1, limit: 1 });
  });

  it('go to the preferred server while it has one, then to the least busy', () => {
    const desk = new Desk({
      servers: [{ url: A }, { url: B }, { url: 'http://c' }],
      maxInFlight: 3,
    });
    for (let i = 0; i < 2; i++) desk.ask(1, [B]);
    for (let i = 0; i < 3; i++) desk.ask(1, [A, B, 'http://c']);
    const next = desk.ask(1, [A, B, 'http://c']);
    expect(desk.held.get(next)).toBe('http://c');
  });

  it('go to the least busy server over all workers where that is asked for', () => {
    const desk = new Desk({ servers: [{ url: A }, { url: B, weight: 2 }], maxInFlight: 9 });
    // Each worker for itself would begin with A.
    const held = [1, 2, 3, 1, 2, 3].map((worker) => desk.held.get(desk.ask(worker, [A, B], 0, '', true)));
    expect(held.filter((url) => url === B).length).toBe(4);
  });

  it('follow a changed limit: a higher one serves who waits, a lower one waits for who is done', () => {
    const desk = new Desk({ servers: [{ url: A }], maxInFlight: 1, queue: { limit: 10 } });
    const keys = [1, 2, 3, 4].map((worker) => desk.ask(worker, [A]));
    expect(desk.held.size).toBe(1);
    desk.apply({ servers: [{ url: A }], maxInFlight: 3, queue: { limit: 10 } });
    expect(desk.held.size).toBe(3);
    desk.apply({ servers: [{ url: A }], maxInFlight: 1, queue: { limit: 10 } });
    desk.release(keys[0]!);
    desk.release(keys[1]!);
    expect(desk.held.size).toBe(1);
    desk.release(keys[2]!);
    expect([...desk.held.keys()]).toEqual([keys[3]]);
    desk.apply({ servers: [{ url: A }] });
    desk.release(keys[3]!);
    desk.apply({ servers: [{ url: A }] });
    expect(desk.book.status).toEqual({});
  });
});
