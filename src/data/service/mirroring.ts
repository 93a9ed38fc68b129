import type { Mirroring } from '../../core/config/dynamic.ts';
import type { Endpoint } from '../balancer/types.ts';
import { BodyMemory } from '../body/body-memory.ts';
import { BodyTee } from '../body/body-tee.ts';
import type { Exchange } from '../exchange.ts';
import { defaultPolicy } from '../retry/policy.ts';
import type { Timeouts } from '../timeouts.ts';
import type { FindServing, Serving } from './serving.ts';
import { shadowOf } from './shadow.ts';

interface Mirror {
  readonly serving: Serving;
  readonly percent: number;
  sent: number;
}

/** Copies under way in this worker, over all services: what is beyond is left out, so that no mirror can fill the memory. */
const MOST_COPIES = 256;
const MOST_BYTES = 64 * 1024 * 1024;
/** Of this worker: copies under way, what they hold, and those that were left out. */
export const mirrors = { copies: 0, bytes: 0, dropped: 0 };
/** Copies of bodies that are still coming. */
const copying = new BodyMemory(MOST_BYTES);

const ONCE = defaultPolicy(1);
/** A mirror that hangs, or answers without end, must not hold its copy for ever: there are only so many. */
const TIMEOUTS: Timeouts = { connect: 5_000, firstByte: 120_000, idle: 60_000, total: 300_000 };

/**
 * `mirroring`: the service answers; copies of a share of the requests go to the mirrors, whose answers nobody sees. A copy
 * starts when the request's body is complete, so that the service never waits for a mirror; a body over `maxBodySize` is
 * not mirrored.
 */
export class MirroringService implements Serving {
  readonly name: string;
  readonly #main: Serving;
  readonly #mirrors: readonly Mirror[];
  readonly #withBody: boolean;
  readonly #limit: number;
  #requests = 0;

  constructor(name: string, config: Mirroring, find: FindServing) {
    this.name = name;
    this.#main = find(config.service);
    this.#mirrors = config.mirrors.map((mirror) => ({ serving: find(mirror.name), percent: mirror.percent, sent: 0 }));
    this.#withBody = config.mirrorBody;
    this.#limit = config.maxBodySize < 0 ? MOST_BYTES : Math.min(MOST_BYTES, config.maxBodySize);
  }

  get available(): boolean {
    return this.#main.available;
  }

  get reachable(): boolean {
    return this.#main.reachable;
  }

  get endpoints(): readonly Endpoint[] {
    return this.#main.endpoints;
  }

  peek(): Endpoint | null {
    return this.#main.peek();
  }

  handle(exchange: Exchange): void {
    const chosen = exchange.upgrade === null ? this.#choose() : [];
    if (chosen.length > 0) {
      if (exchange.body === 'none' || !this.#withBody) {
        setImmediate(() => send(exchange, chosen, null));
      } else {
        const tee = new BodyTee(exchange.source, this.#limit, copying, (bytes) => {
          if (bytes === null) mirrors.dropped += chosen.length;
          else setImmediate(() => send(exchange, chosen, bytes));
        });
        exchange.source = tee;
        exchange.onOver(() => tee.forget());
      }
    }
    this.#main.handle(exchange);
  }

  /** The mirrors whose share has not been reached, as Traefik counts. */
  #choose(): Serving[] {
    this.#requests++;
    const chosen: Serving[] = [];
    for (const mirror of this.#mirrors) {
      if (mirror.sent * 100 >= this.#requests * mirror.percent) continue;
      mirror.sent++;
      chosen.push(mirror.serving);
    }
    return chosen;
  }
}

function send(exchange: Exchange, chosen: readonly Serving[], body: Buffer | null): void {
  const size = body?.length ?? 0;
  for (const mirror of chosen) {
    if (!mirror.available) continue;
    if (mirrors.copies >= MOST_COPIES || mirrors.bytes + size > MOST_BYTES) {
      mirrors.dropped++;
      continue;
    }
    mirrors.copies++;
    mirrors.bytes += size;
    const shadow = shadowOf(exchange, body, () => {
      mirrors.copies--;
      mirrors.bytes -= size;
    });
    shadow.retryPolicy = ONCE;
    shadow.timeouts = TIMEOUTS;
    mirror.handle(shadow);
  }
}
