import type { LoadBalancer, Queue } from '../../core/config/dynamic.ts';
import { slotsPerServer } from '../../core/limits.ts';
import { Shares } from './shares.ts';

/** One request's place: waited for, or taken (`url`). */
export interface Place {
  readonly id: number;
  readonly worker: number;
  readonly service: ServiceSlots;
  among: readonly string[];
  readonly leastBusy: boolean;
  readonly priority: number;
  readonly fairKey: string;
  url: string | null;
  /** performance.now() when it was taken. */
  since: number;
  /** Milliseconds that it was expected to be held. */
  expected: number;
}

export interface SlotStatus {
  readonly inUse: Readonly<Record<string, number>>;
  readonly limit: number;
  readonly waiting: number;
  readonly granted: number;
  readonly refused: number;
}

interface Server {
  readonly weight: number;
  inUse: number;
}

/** Gives a place, or refuses one (`url` null). */
type Answer = (place: Place, url: string | null, retryAfterS: number) => void;

const NO_QUEUE: Queue = { limit: 0, timeout: 0, order: 'fifo' };
/** How long a place is held, at first. */
const FIRST_GUESS_MS = 1_000;
const LONGEST_RETRY_AFTER_S = 60;

/** The places of one service, and who waits for them. */
export class ServiceSlots {
  readonly #answer: Answer;
  readonly #servers = new Map<string, Server>();
  /** In order of arrival. */
  readonly #waiting: Place[] = [];
  readonly #shares = new Shares();
  #limit = 0;
  #queue: Queue = NO_QUEUE;
  /** Moving mean of how long a place is held, milliseconds. */
  #heldMs = FIRST_GUESS_MS;
  #granted = 0;
  #refused = 0;

  constructor(answer: Answer) {
    this.#answer = answer;
  }

  apply(config: LoadBalancer): void {
    this.#limit = slotsPerServer(config);
    this.#queue = config.queue ?? NO_QUEUE;
    const before = new Map(this.#servers);
    this.#servers.clear();
    for (const { url, weight } of config.servers) {
      this.#servers.set(url, { weight: Math.max(1, weight), inUse: before.get(url)?.inUse ?? 0 });
    }
    // What is in use at a server that is no longer there counts until it is over.
    for (const [url, { inUse }] of before) {
      if (inUse > 0 && !this.#servers.has(url)) this.#servers.set(url, { weight: 1, inUse });
    }
    this.serve();
  }

  /** There is no limit any more. */
  lift(): void {
    this.#limit = 0;
    this.serve();
  }

  get idle(): boolean {
    return this.#waiting.length === 0 && [...this.#servers.values()].every((server) => server.inUse === 0);
  }

  get status(): SlotStatus {
    const inUse = Object.fromEntries([...this.#servers].map(([url, server]) => [url, server.inUse]));
    const { length } = this.#waiting;
    return { inUse, limit: this.#limit, waiting: length, granted: this.#granted, refused: this.#refused };
  }

  /** Gives a place, or lets the request wait. @returns false where it was refused */
  ask(place: Place): boolean {
    this.#shares.enter(place.fairKey);
    const url = this.#free(place);
    if (url !== null) {
      this.#give(place, url);
      return true;
    }
    if (this.#waiting.length < this.#queue.limit) {
      this.#waiting.push(place);
      return true;
    }
    this.#shares.leave(place.fairKey);
    this.#refused++;
    this.#answer(place, null, this.#retryAfterS());
    return false;
  }

  /** The request is over, or waits no longer. */
  release(place: Place): void {
    const { url, fairKey } = place;
    if (url === null) {
      const at = this.#waiting.indexOf(place);
      if (at >= 0) this.#waiting.splice(at, 1);
      this.#shares.leave(fairKey);
      return;
    }
    const server = this.#servers.get(url);
    if (server !== undefined) server.inUse--;
    const held = performance.now() - place.since;
    this.#shares.end(fairKey, place.expected, held);
    this.#shares.leave(fairKey);
    this.#heldMs += (held - this.#heldMs) / 10;
    this.serve();
  }

  /** Gives free places to those who wait, in order. */
  serve(): void {
    while (this.#waiting.length > 0) {
      const at = this.#next();
      if (at < 0) return;
      const [place] = this.#waiting.splice(at, 1);
      this.#give(place!, this.#free(place!)!);
    }
  }

  #give(place: Place, url: string): void {
    const { fairKey } = place;
    place.url = url;
    place.since = performance.now();
    this.#granted++;
    let server = this.#servers.get(url);
    if (server === undefined) {
      server = { weight: 1, inUse: 0 };
      this.#servers.set(url, server);
    }
    server.inUse++;
    place.expected = this.#heldMs;
    this.#shares.begin(fairKey, place.expected);
    this.#answer(place, url, 0);
  }

  /** Where in the queue the one stands whose turn it is; -1 where none can be served. */
  #next(): number {
    const waiting = this.#waiting;
    const { order, fairBy } = this.#queue;
    let best = -1;
    for (let i = 0; i < waiting.length; i++) {
      const place = waiting[i]!;
      if (best >= 0 && !this.#goesBefore(place, waiting[best]!, order, fairBy !== undefined)) continue;
      if (this.#free(place) !== null) best = i;
    }
    return best;
  }

  /** Whether `place`, who came later, is served before `other`. */
  #goesBefore(place: Place, other: Place, order: Queue['order'], fair: boolean): boolean {
    if (place.priority !== other.priority) return place.priority > other.priority;
    if (fair) {
      const mine = this.#shares.usedBy(place.fairKey);
      const theirs = this.#shares.usedBy(other.fairKey);
      if (mine !== theirs) return mine < theirs;
    }
    return order === 'lifo';
  }

  /** The preferred server if it has a free place (and that is asked for), else the least busy one; null where none has. */
  #free(place: Place): string | null {
    const limit = this.#limit;
    const { among } = place;
    if (among.length === 0) return null;
    if (limit === 0) return among[0]!;
    let best: string | null = null;
    let least = Number.POSITIVE_INFINITY;
    for (let i = 0; i < among.length; i++) {
      const url = among[i]!;
      const server = this.#servers.get(url);
      // A server that a worker knows and the book does not: the worker serves a newer or an older snapshot.
      const inUse = server?.inUse ?? 0;
      if (inUse >= limit) continue;
      if (i === 0 && !place.leastBusy) return url;
      const load = inUse / (server?.weight ?? 1);
      if (load < least) {
        best = url;
        least = load;
      }
    }
    return best;
  }

  /** When those who wait now will have been served, in whole seconds. */
  #retryAfterS(): number {
    const places = Math.max(1, this.#limit * this.#servers.size);
    const seconds = Math.ceil(((this.#waiting.length + 1) * this.#heldMs) / places / 1000);
    return Math.min(LONGEST_RETRY_AFTER_S, Math.max(1, seconds));
  }
}
