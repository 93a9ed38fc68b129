import { resolve as resolvePath } from 'node:path';
import { AcmeError } from './acme-error.ts';
import { CaClient } from './ca-client.ts';
import { ChallengeTable } from './challenge-table.ts';
import { pause, systemClock } from './clock.ts';
import { coalesced } from './coalesce.ts';
import { Entry } from './entry.ts';
import { Issuer } from './issuer.ts';
import { Lane } from './lane.ts';
import { type NameSet, nameSet, setKey } from './names.ts';
import { plainCertificate } from './plain-certificate.ts';
import { askWhenToRenew, nextToAsk } from './renewal-asker.ts';
import { AcmeStorage } from './storage.ts';
import type {
  AcmeCertificate,
  AcmeChallenges,
  AcmeLog,
  AcmeManager,
  AcmeOptions,
  AcmeResolverStatus,
  AcmeStatus,
  Clock,
  WantedCertificate,
} from './types.ts';

const MAX_ORDERS = 8;
/** Workers that do not say that they know a challenge do not stop it: one that answers is enough for most CAs. */
const PUBLISH_WITHIN_MS = 8_000;
/** Nothing here is worth a busy loop. */
const LEAST_WAIT_MS = 10;
/** After a start the CA is asked when it would like to see things renewed, spread over this time. */
const ASK_WITHIN_MS = 60_000;

/** Opens the storages; no CA is asked for anything yet. Never throws for what is in a storage: see `resolvers()`. */
export async function openAcmeManager(options: AcmeOptions): Promise<AcmeManager> {
  const manager = new Manager(options);
  await manager.open();
  return manager;
}

class Manager implements AcmeManager {
  readonly #options: AcmeOptions;
  readonly #clock: Clock;
  readonly #log: AcmeLog;
  readonly #table = new ChallengeTable();
  readonly #storages = new Map<string, AcmeStorage>();
  readonly #lanes = new Map<string, Lane<Entry>>();
  readonly #closing = new AbortController();
  readonly #issuer: Issuer;
  #wanted = false;
  #cancelWake: () => void = () => undefined;
  #certificates: readonly AcmeCertificate[] | null = null;
  #telling = false;

  constructor(options: AcmeOptions) {
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
    this.#log = options.log;
    const { lookup, isSelf, env = process.env, maxOrders = MAX_ORDERS, log } = options;
    this.#issuer = new Issuer({
      ...{ clock: this.#clock, log, env, table: this.#table, signal: this.#closing.signal },
      probe: { lookup, ports: options.probePorts },
      published: coalesced(() => this.#publishChallenges()),
      changed: () => this.#changed(),
      away: (lane, error) => this.#away(lane, error),
      ended: (entry) => {
        if (!entry.wanted) this.#unwantEntry(entry);
        this.#tick();
      },
    });
    for (const [name, config] of Object.entries(options.resolvers)) {
      const path = resolvePath(config.storage);
      const storage = this.#storages.get(path) ?? new AcmeStorage(path, { log, clock: this.#clock });
      this.#storages.set(path, storage);
      const client = new CaClient({ resolver: name, config, storage, log, lookup, isSelf, env });
      this.#lanes.set(name, new Lane(name, config, storage, client, maxOrders));
    }
  }

  async open(): Promise<void> {
    await Promise.all([...this.#storages.values()].map((storage) => storage.open()));
    for (const lane of this.#lanes.values()) {
      for (const [key, held] of lane.storage.certificates(lane.name)) {
        const entry = new Entry(lane, key, held.names);
        entry.current = held;
        lane.entries.set(key, entry);
      }
    }
  }

  want(list: readonly WantedCertificate[]): void {
    if (this.#closing.signal.aborted) return;
    this.#wanted = true;
    const now = this.#clock.now();
    const wanted = new Map<Lane<Entry>, Map<string, { names: NameSet; for: Set<string> }>>();
    for (const { resolver, main, sans, for: routers } of list) {
      const lane = this.#lanes.get(resolver);
      const names = nameSet(main, sans);
      if (lane === undefined || names === null) continue;
      const sets = wanted.get(lane) ?? new Map<string, { names: NameSet; for: Set<string> }>();
      wanted.set(lane, sets);
      const key = setKey(resolver, names);
      const set = sets.get(key) ?? { names, for: new Set() };
      sets.set(key, set);
      for (const router of routers) set.for.add(router);
    }
    for (const lane of this.#lanes.values()) {
      const sets = wanted.get(lane) ?? new Map();
      for (const [key, { names, for: routers }] of sets) this.#wantEntry(lane, key, names, [...routers], now);
      for (const entry of lane.entries.values()) if (!sets.has(entry.key)) this.#unwantEntry(entry);
    }
    this.#tick();
  }

  certificates(): readonly AcmeCertificate[] {
    this.#certificates ??= this.#entries().flatMap(({ current }) =>
      current === null ? [] : [plainCertificate(current)],
    );
    return this.#certificates;
  }

  get challenges(): AcmeChallenges {
    return this.#table;
  }

  status(): readonly AcmeStatus[] {
    return this.#entries()
      .sort((a, b) => Number(b.wanted) - Number(a.wanted) || compare(a.names[0], b.names[0]) || compare(a.key, b.key))
      .map((entry) => entry.status(this.#clock.now()));
  }

  resolvers(): readonly AcmeResolverStatus[] {
    return [...this.#lanes.values()].map((lane) => lane.status());
  }

  async renew(name: string): Promise<readonly AcmeCertificate[]> {
    const entries = this.#named(name).filter(({ wanted }) => wanted);
    if (entries.length === 0) throw this.#unknown(name, 'is wanted');
    const renewed = entries.map((entry) => {
      const { promise, resolve, reject } = Promise.withResolvers<AcmeCertificate>();
      entry.waiters.push({ resolve, reject });
      if (entry.running === null) {
        entry.forced = true;
        entry.due = this.#clock.now();
      }
      return promise;
    });
    this.#tick();
    return Promise.all(renewed);
  }

  async revoke(name: string): Promise<void> {
    const entries = this.#named(name).filter(({ current }) => current !== null);
    if (entries.length === 0) throw this.#unknown(name, 'is there');
    const { signal } = this.#closing;
    for (const entry of entries) {
      const held = entry.newest;
      if (held === null) continue;
      await entry.lane.client.step(signal, (client) => client.revokeCertificate(held.cert));
      this.#log('info', `the certificate for ${entry.label} (serial ${held.serial}) is revoked`);
      entry.current = null;
      entry.upcoming = null;
      entry.askAt = null;
      entry.due = entry.wanted ? this.#clock.now() : null;
      if (!entry.wanted && entry.running === null) entry.lane.entries.delete(entry.key);
      this.#changed();
      await entry.lane.storage.removeCertificate(held);
    }
    this.#tick();
  }

  async close(): Promise<void> {
    this.#cancelWake();
    this.#closing.abort(new AcmeError('closed', 'the proxy is stopping'));
    await Promise.allSettled(this.#entries().map(({ running }) => running));
    await Promise.allSettled([...this.#storages.values()].map((storage) => storage.close()));
    for (const { client } of this.#lanes.values()) client.close();
  }

  #entries(): Entry[] {
    return [...this.#lanes.values()].flatMap((lane) => [...lane.entries.values()]);
  }

  #named(name: string): readonly Entry[] {
    const [canonical] = nameSet(name, []) ?? [''];
    return this.#entries().filter(({ names }) => names.includes(canonical));
  }

  #unknown(name: string, what: string): AcmeError {
    const names = this.#entries().flatMap((entry) => entry.names);
    const some = names.length === 0 ? 'none at all' : names.slice(0, 8).join(', ');
    return new AcmeError('unknown', `no certificate for ${JSON.stringify(name)} ${what}; there are: ${some}`);
  }

  #wantEntry(lane: Lane<Entry>, key: string, names: NameSet, routers: readonly string[], now: number): void {
    const entry = lane.entries.get(key) ?? new Entry(lane, key, names);
    lane.entries.set(key, entry);
    entry.names = names;
    entry.for = routers;
    if (entry.wanted) return;
    entry.wanted = true;
    entry.scheduleRenewal(now);
    if (entry.current !== null && !lane.withoutRenewalInfo) entry.askAt = now + Math.random() * ASK_WITHIN_MS;
  }

  #unwantEntry(entry: Entry): void {
    entry.wanted = false;
    entry.for = [];
    entry.due = null;
    entry.askAt = null;
    entry.failures = 0;
    entry.refusals = 0;
    entry.lastError = undefined;
    entry.lastErrorAt = undefined;
    if (entry.current === null && entry.running === null) entry.lane.entries.delete(entry.key);
  }

  /** Does what is due, and says when to look again. Everything else only changes what is due, and calls this. */
  #tick(): void {
    if (this.#closing.signal.aborted) return;
    const now = this.#clock.now();
    for (const lane of this.#lanes.values()) {
      for (const entry of lane.entries.values()) this.#age(entry, now);
      if (lane.outage !== null && !lane.probing && lane.outage.nextAttempt <= now) {
        if (lane.isMissed(now)) this.#probe(lane);
        // Nothing needs it any more: whether it is there is found out when something does.
        else lane.back();
      }
      for (const entry of lane.ready(now)) this.#issuer.start(entry);
      const asked = nextToAsk(lane);
      if (asked !== null && (asked.askAt ?? 0) <= now) void this.#ask(asked);
    }
    this.#sleep(now);
  }

  /** What time alone brings: a certificate becomes valid, expires, is dropped. */
  #age(entry: Entry, now: number): void {
    const { upcoming, current, lane } = entry;
    if (upcoming !== null && (upcoming.notBefore <= now || (current?.notAfter ?? 0) <= now)) {
      entry.current = upcoming;
      entry.upcoming = null;
      this.#changed();
    }
    if (entry.current === null || entry.current.notAfter > now || entry.mourned) return;
    if (entry.wanted) {
      entry.mourned = true;
      const why = entry.lastError ?? lane.outage?.error ?? 'it is being renewed';
      // Whoever serves it says that it is served all the same.
      this.#log('warn', `there is no newer certificate for ${entry.label} than one that has expired: ${why}`);
    } else if (this.#wanted && entry.running === null) {
      lane.entries.delete(entry.key);
      this.#log('info', `the certificate for ${entry.label} is not used any more and has expired: it is dropped`);
      void lane.storage.removeCertificate(entry.current);
      this.#changed();
    }
  }

  #sleep(now: number): void {
    let next = Number.POSITIVE_INFINITY;
    const at = (time: number | null | undefined): void => {
      if (time !== null && time !== undefined) next = Math.min(next, time);
    };
    for (const lane of this.#lanes.values()) {
      if (lane.outage !== null && !lane.probing) at(lane.outage.nextAttempt);
      at(nextToAsk(lane)?.askAt);
      for (const { running, due, upcoming, current, mourned } of lane.entries.values()) {
        // What is due already waits for a place, or for the CA: both call when they are there.
        if (running === null && due !== null && due > now) at(due);
        at(upcoming?.notBefore);
        if (!mourned && current !== null && current.notAfter > now) at(current.notAfter);
      }
    }
    this.#cancelWake();
    if (Number.isFinite(next))
      this.#cancelWake = this.#clock.after(Math.max(LEAST_WAIT_MS, next - now), () => this.#tick());
  }

  #probe(lane: Lane<Entry>): void {
    lane.probing = true;
    lane.client.probe(this.#closing.signal).then(
      () => {
        lane.probing = false;
        const seconds = Math.round((this.#clock.now() - (lane.outage?.since ?? 0)) / 1000);
        lane.back();
        this.#log('info', `resolver \`${lane.name}\`: the CA answers again after ${seconds} s`);
        this.#tick();
      },
      (error: unknown) => {
        this.#away(lane, error as AcmeError);
        lane.probing = false;
        this.#tick();
      },
    );
  }

  #away(lane: Lane<Entry>, error: AcmeError): void {
    if (this.#closing.signal.aborted) return;
    if (lane.away(error, this.#clock.now(), Math.random())) {
      this.#log('warn', `resolver \`${lane.name}\`: ${error.message}; it is tried again until it answers`);
    }
  }

  async #ask(entry: Entry): Promise<void> {
    await askWhenToRenew(entry, { clock: this.#clock, log: this.#log, signal: this.#closing.signal });
    this.#tick();
  }

  async #publishChallenges(): Promise<void> {
    const late = new AbortController();
    try {
      await Promise.race([this.#options.onChallenges(), pause(this.#clock, PUBLISH_WITHIN_MS, late.signal)]);
    } catch (error) {
      this.#log('warn', `the workers were not told of a challenge: ${(error as Error).message}`);
    } finally {
      late.abort();
    }
  }

  /** Says once for all that happens in one go. */
  #changed(): void {
    this.#certificates = null;
    if (this.#telling) return;
    this.#telling = true;
    queueMicrotask(() => {
      this.#telling = false;
      this.#options.onCertificates();
    });
  }
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
