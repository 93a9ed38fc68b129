import dns from 'node:dns';
import type { LookupFunction } from 'node:net';
import { clock } from '../clock.ts';

/** A resolved name is asked for again after this long, in the background; what was known serves meanwhile. Milliseconds. */
const FRESH_MS = 5_000;
/** Without an answer what was known is used for this long at most. */
const STALE_MS = 300_000;

export type Resolve = (host: string, done: (error: Error | null, addresses: readonly string[]) => void) => void;

/** The system's way: /etc/hosts and whatever nsswitch.conf names. It knows no TTL, hence the bound. */
const system: Resolve = (host, done) => {
  dns.lookup(host, { all: true }, (error, found) =>
    done(
      error,
      (found ?? []).map(({ address }) => address),
    ),
  );
};

/**
 * The addresses behind the name of an upstream. One question at a time is asked, at most every 5 s; each connection begins
 * with another address and tries the others after it.
 */
export class Addresses {
  readonly host: string;
  /** Counts changes. */
  version = 0;
  readonly #resolve: Resolve;
  #known: readonly string[] = [];
  #askedAt = 0;
  #knownAt = 0;
  #asking = false;
  #turn = 0;
  #waiters: ((error: Error | null) => void)[] = [];

  constructor(host: string, resolve: Resolve = system) {
    this.host = host;
    this.#resolve = resolve;
  }

  has(address: string | undefined): boolean {
    return address !== undefined && this.#known.includes(address);
  }

  /** Called now and then while the name is in use. */
  refresh(): void {
    if (!this.#asking && clock.now - this.#askedAt >= FRESH_MS) this.#ask();
  }

  /** Nobody answered at what is known: the next connection asks anew. */
  doubt(): void {
    this.#askedAt = Number.NEGATIVE_INFINITY;
  }

  /** For `net.connect`. */
  readonly lookup: LookupFunction = (_host, options, callback) => {
    const answer = (error: Error | null): void => {
      if (this.#known.length === 0) {
        callback(error ?? noAddress(this.host), '', 4);
        return;
      }
      this.#turn++;
      const ordered = this.#known.map((_, i) => this.#known[(i + this.#turn) % this.#known.length]!);
      const found = ordered.map((address) => ({ address, family: address.includes(':') ? 6 : 4 }));
      if (options.all === true) callback(null, found);
      else callback(null, found[0]!.address, found[0]!.family);
    };
    const age = clock.now - this.#askedAt;
    if (this.#known.length > 0 && age !== Number.POSITIVE_INFINITY) {
      this.refresh();
      answer(null);
      return;
    }
    this.#waiters.push(answer);
    if (!this.#asking) this.#ask();
  };

  #ask(): void {
    this.#asking = true;
    this.#askedAt = clock.now;
    this.#resolve(this.host, (error, addresses) => {
      this.#asking = false;
      const { now } = clock;
      if (error === null && addresses.length > 0) {
        this.#take(addresses);
        this.#knownAt = now;
      } else if (now - this.#knownAt > STALE_MS) {
        this.#take([]);
      }
      for (const waiter of this.#waiters.splice(0)) waiter(error);
    });
  }

  #take(addresses: readonly string[]): void {
    const same = addresses.length === this.#known.length && addresses.every((address) => this.#known.includes(address));
    if (same) return;
    this.#known = addresses;
    this.version++;
  }
}

function noAddress(host: string): Error {
  return Object.assign(new Error(`${host} has no address`), { code: 'ENOTFOUND' });
}
