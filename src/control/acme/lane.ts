import type { AcmeConfig } from '../../core/config/static.ts';
import type { AcmeError } from './acme-error.ts';
import type { CaClient } from './ca-client.ts';
import { outageDelay } from './schedule.ts';
import type { AcmeStorage } from './storage.ts';
import type { AcmeResolverStatus } from './types.ts';

export interface Outage {
  readonly since: number;
  readonly error: string;
  readonly nextAttempt: number;
}

/** What a lane needs to know of an entry. */
export interface Schedulable {
  readonly wanted: boolean;
  readonly due: number | null;
  readonly running: Promise<void> | null;
  readonly failures: number;
  readonly forced: boolean;
  remaining(now: number): number;
}

/**
 * One resolver: its CA, its part of a storage, its entries, and how many orders it may have under way. While the CA is away one
 * question for its directory stands for all entries; when it answers, they all go on.
 */
export class Lane<Entry extends Schedulable = Schedulable> {
  readonly name: string;
  readonly config: AcmeConfig;
  readonly storage: AcmeStorage;
  readonly client: CaClient;
  readonly entries = new Map<string, Entry>();
  readonly #maxOrders: number;
  outage: Outage | null = null;
  /** A probe is under way. */
  probing = false;
  /** The CA has no renewal information. */
  withoutRenewalInfo = false;
  /** The CA has said when to renew: it has that service. */
  askedForRenewal = false;
  /** A question about renewal is under way. */
  asking = false;
  /** Times in a row that the CA was away when it was needed. */
  #absences = 0;

  constructor(name: string, config: AcmeConfig, storage: AcmeStorage, client: CaClient, maxOrders: number) {
    this.name = name;
    this.config = config;
    this.storage = storage;
    this.client = client;
    this.#maxOrders = maxOrders;
  }

  /** The entries whose order may begin now. Those that failed before take no more than half of the places. */
  ready(now: number): readonly Entry[] {
    const due: Entry[] = [];
    let free = this.#maxOrders;
    let freeForFailed = Math.ceil(this.#maxOrders / 2);
    for (const entry of this.entries.values()) {
      if (entry.running !== null) {
        free--;
        if (entry.failures > 0) freeForFailed--;
      } else if (entry.wanted && entry.due !== null && entry.due <= now && (entry.forced || this.outage === null)) {
        due.push(entry);
      }
    }
    due.sort((a, b) => Number(b.forced) - Number(a.forced) || a.failures - b.failures || (a.due ?? 0) - (b.due ?? 0));
    const ready: Entry[] = [];
    for (const entry of due) {
      if (free <= 0) break;
      if (entry.failures > 0 && !entry.forced && freeForFailed-- <= 0) continue;
      ready.push(entry);
      free--;
    }
    return ready;
  }

  /** Whether an order waits for the CA's return. */
  isMissed(now: number): boolean {
    for (const entry of this.entries.values()) {
      if (entry.wanted && entry.running === null && entry.due !== null && entry.due <= now) return true;
    }
    return false;
  }

  /** The CA is away. @returns whether that is news */
  away(error: AcmeError, now: number, random: number): boolean {
    const before = this.outage;
    // Orders that ran side by side all find out; one of them counts.
    if (before !== null && !this.probing) return false;
    this.#absences++;
    const remaining = this.#leastRemaining(now);
    const nextAttempt = now + outageDelay({ failures: this.#absences, remaining, random });
    this.outage = { since: before?.since ?? now, error: error.message, nextAttempt };
    return before?.error !== error.message;
  }

  /** The CA is back. */
  back(): void {
    this.outage = null;
  }

  /** An order succeeded. */
  served(): void {
    this.#absences = 0;
  }

  status(): AcmeResolverStatus {
    const { accountUrl } = this.client;
    const { error } = this.storage;
    return {
      ...{ resolver: this.name, caServer: this.config.caServer, storage: this.storage.path },
      ...(accountUrl === undefined ? {} : { account: accountUrl }),
      ...(error === undefined ? {} : { storageError: error }),
      ...(this.outage === null ? {} : { outage: this.outage }),
    };
  }

  /** Over those that wait for the CA; 0 where one has nothing valid. */
  #leastRemaining(now: number): number {
    let least = Number.POSITIVE_INFINITY;
    for (const entry of this.entries.values()) {
      if (entry.wanted && entry.due !== null && entry.due <= now) least = Math.min(least, entry.remaining(now));
    }
    return Number.isFinite(least) ? least : 0;
  }
}
