import { resolve as resolvePath } from 'node:path';
import { AcmeError } from './acme-error.ts';
import { CaClient } from './ca-client.ts';
import { ChallengeTable } from './challenge-table.ts';
import { pause, systemClock } from './clock.ts';
import { coalesced } from './coalesce.ts';
import { Entry } from './entry.ts';
import type { HeldCertificate } from './held-certificate.ts';
import { Lane } from './lane.ts';
import { type NameSet, nameSet, setKey } from './names.ts';
import { obtain } from './order.ts';
import { fetchRenewalWindow, renewalId } from './renewal-info.ts';
import { firstRenewalAt, renewalAt, retryDelay, windowTime } from './schedule.ts';
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
const MINUTE_MS = 60_000;
const HOUR_MS = 3_600_000;
/** However often a failure is the same, it is said again after this time. */
const SAY_AGAIN_MS = 10 * MINUTE_MS;

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
  readonly #publish: () => Promise<void>;
  #wanted = false;
  #cancelWake: () => void = () => undefined;
  #certificates: readonly AcmeCertificate[] | null = null;
  #telling = false;

  constructor(options: AcmeOptions) {
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
    this.#log = options.log;
    this.#publish = coalesced(() => this.#publishChallenges());
    const { lookup, isSelf, env = process.env, maxOrders = MAX_ORDERS, log } = options;
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
    this.#certificates ??= this.#entries().flatMap(({ current }) => (current === null ? [] : [plain(current)]));
    return this.#certificates;
  }

  get challenges(): AcmeChallenges {
    return this.#table;
  }

  status(): readonly AcmeStatus[] {
    return this.#entries()
      .sort((a, b) => Number(b.wanted) - Number(a.wanted) || compare(a.names[0], b.names[0]) || compare(a.key, b.key))
      .map((entry) => entry.status());
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
    this.#scheduleRenewal(entry, now);
    if (entry.current !== null && !lane.withoutRenewalInfo) entry.askAt = now + Math.random() * MINUTE_MS;
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

  #scheduleRenewal(entry: Entry, now: number): void {
    const held = entry.newest;
    if (held === null) entry.due = now;
    else if (entry.acceptedAt === null) entry.due = renewalAt(held, held.fingerprint);
    else entry.due = firstRenewalAt(held, held.fingerprint, entry.acceptedAt);
  }

  /** Does what is due, and says when to look again. Everything else only changes what is due, and calls this. */
  #tick(): void {
    if (this.#closing.signal.aborted) return;
    const now = this.#clock.now();
    for (const lane of this.#lanes.values()) {
      for (const entry of lane.entries.values()) this.#age(entry, now);
      if (lane.outage !== null && !lane.probing && lane.outage.nextAttempt <= now && lane.isMissed(now))
        this.#probe(lane);
      for (const entry of lane.ready(now)) this.#start(entry);
      this.#ask(lane, now);
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
      this.#log('error', `the certificate for ${entry.label} has expired, and there is no newer one: ${why}`);
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
      if (!lane.asking) for (const { askAt } of lane.entries.values()) at(askAt);
      for (const { running, due, upcoming, current, mourned } of lane.entries.values()) {
        // What is due already waits for a place, or for the CA: both call when they are there.
        if (running === null && due !== null && due > now) at(due);
        at(upcoming?.notBefore);
        if (!mourned && current !== null && current.notAfter > now) at(current.notAfter);
      }
    }
    this.#cancelWake();
    if (Number.isFinite(next)) this.#cancelWake = this.#clock.after(Math.max(0, next - now), () => this.#tick());
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

  #start(entry: Entry): void {
    const forced = entry.forced;
    entry.forced = false;
    entry.running = this.#order(entry, forced).then(
      (held) => this.#succeeded(entry, held),
      (error: unknown) => this.#failed(entry, asAcmeError(error)),
    );
  }

  async #order(entry: Entry, forced: boolean): Promise<HeldCertificate> {
    const { lane, key } = entry;
    const { signal } = this.#closing;
    entry.progress = 'waiting for the storage';
    const release = await lane.storage.lease(signal, () =>
      this.#log('info', `${lane.storage.path} is in use by another process: its orders come first`),
    );
    try {
      const stored = lane.storage.certificates(lane.name).get(key);
      if (!forced && stored !== undefined && this.#isBetter(stored, entry)) {
        this.#log('info', `the certificate for ${entry.label} that is in ${lane.storage.path} now is used`);
        this.#accept(entry, stored);
        return stored;
      }
      const held = await obtain(
        {
          ...{ resolver: lane.name, config: lane.config, names: entry.names, attempt: entry.refusals },
          store: entry.newest?.store ?? 'default',
          replaces: this.#replaces(entry),
        },
        {
          ...{
            client: lane.client,
            storage: lane.storage,
            clock: this.#clock,
            log: this.#log,
            signal,
            table: this.#table,
          },
          env: this.#options.env ?? process.env,
          probe: { lookup: this.#options.lookup, ports: this.#options.probePorts },
          published: this.#publish,
          progress: (step) => {
            entry.progress = step;
          },
        },
      );
      this.#accept(entry, held);
      entry.progress = 'storing';
      // Where it is not on disk the order is kept: a restart finds the certificate at the CA, and its key here.
      if (await lane.storage.putCertificate(held)) void lane.storage.orders.delete(key);
      return held;
    } finally {
      release();
    }
  }

  /** Whether another process got a certificate since, that needs no renewal yet. */
  #isBetter(stored: HeldCertificate, { newest }: Entry): boolean {
    const now = this.#clock.now();
    if (newest !== null && (stored.fingerprint === newest.fingerprint || stored.notAfter <= newest.notAfter))
      return false;
    return renewalAt(stored, stored.fingerprint) > now;
  }

  #replaces({ lane, newest }: Entry): string | undefined {
    if (newest === null || lane.withoutRenewalInfo) return undefined;
    return lane.askedForRenewal ? (renewalId(newest.cert) ?? undefined) : undefined;
  }

  #accept(entry: Entry, held: HeldCertificate): void {
    const now = this.#clock.now();
    const { current } = entry;
    // A CA whose clock is ahead of ours: clients may agree with either, and the old one is good for both.
    const early = held.notBefore > now && current !== null && current.notAfter > held.notBefore;
    entry.upcoming = early ? held : null;
    if (!early) entry.current = held;
    entry.acceptedAt = now;
    entry.mourned = false;
    entry.lastError = undefined;
    entry.lastErrorAt = undefined;
    entry.said = undefined;
    entry.failures = 0;
    entry.refusals = 0;
    this.#changed();
  }

  #succeeded(entry: Entry, held: HeldCertificate): void {
    const { lane } = entry;
    const now = this.#clock.now();
    lane.served();
    entry.running = null;
    entry.progress = undefined;
    if (entry.wanted) {
      this.#scheduleRenewal(entry, now);
      if (!lane.withoutRenewalInfo) entry.askAt = now;
    }
    const until = new Date(held.notAfter).toISOString();
    const next = entry.due === null ? '' : `, renewal at ${new Date(entry.due).toISOString()}`;
    this.#log('info', `certificate for ${entry.label} from ${held.issuer}, until ${until}${next}`, {
      resolver: lane.name,
      serial: held.serial,
    });
    for (const { resolve } of entry.waiters.splice(0)) resolve(plain(held));
    this.#tick();
  }

  #failed(entry: Entry, error: AcmeError): void {
    const { lane } = entry;
    const now = this.#clock.now();
    entry.running = null;
    entry.progress = undefined;
    for (const { reject } of entry.waiters.splice(0)) reject(error);
    if (!entry.wanted) {
      this.#unwantEntry(entry);
    } else if (error.kind !== 'closed') {
      if (error.kind === 'unreachable') this.#away(lane, error);
      else this.#postpone(entry, error, now);
      entry.lastError = error.message;
      entry.lastErrorAt = now;
    }
    this.#tick();
  }

  #postpone(entry: Entry, error: AcmeError, now: number): void {
    entry.failures++;
    if (error.kind === 'broken') entry.refusals = 0;
    else entry.refusals++;
    const remaining = entry.remaining(now);
    const { failures, refusals } = entry;
    const wait = retryDelay({ failures, refusals, remaining, retryAfter: error.retryAfterMs, random: Math.random() });
    entry.due = now + wait;
    const again = entry.said?.message === gist(error.message) && now - entry.said.at < SAY_AGAIN_MS;
    // A CA that stumbles once (its database was busy, say) is no error yet.
    const stumble = error.kind === 'broken' && failures === 1;
    if (!again && !stumble) entry.said = { message: gist(error.message), at: now };
    const asked =
      error.retryAfterMs === undefined || error.retryAfterMs <= wait
        ? ''
        : `; it asks to wait ${span(error.retryAfterMs)}`;
    this.#log(
      again ? 'debug' : stumble ? 'warn' : 'error',
      `no certificate for ${entry.label}: ${error.message}${asked}; tried again in ${span(wait)}`,
      { resolver: entry.lane.name, failures },
    );
  }

  /** One question at a time: there is no hurry. */
  #ask(lane: Lane<Entry>, now: number): void {
    if (lane.asking || lane.outage !== null) return;
    const entry = [...lane.entries.values()].find(
      ({ askAt, running }) => askAt !== null && askAt <= now && running === null,
    );
    const held = entry?.newest;
    if (entry === undefined || held === null || held === undefined) return;
    const id = renewalId(held.cert);
    entry.askAt = null;
    if (id === null) return;
    lane.asking = true;
    fetchRenewalWindow(lane.client, id, this.#closing.signal)
      .then(
        (window) => {
          if (window === null) {
            lane.withoutRenewalInfo = true;
            for (const other of lane.entries.values()) other.askAt = null;
            return;
          }
          lane.askedForRenewal = true;
          entry.askAt = this.#clock.now() + window.askAgainMs;
          if (entry.newest !== held || !entry.wanted || entry.failures > 0) return;
          const time = windowTime(window, held, held.fingerprint, entry.acceptedAt ?? held.notBefore);
          if (time === null || time === entry.due) return;
          entry.due = time;
          const why = window.explanation === undefined ? '' : ` (${window.explanation})`;
          this.#log('debug', `the CA would have ${entry.label} renewed at ${new Date(time).toISOString()}${why}`);
        },
        (error: Error) => {
          entry.askAt = this.#clock.now() + HOUR_MS;
          this.#log('debug', `resolver \`${lane.name}\` cannot be asked when to renew: ${error.message}`);
        },
      )
      .finally(() => {
        lane.asking = false;
        this.#tick();
      });
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

const plains = new WeakMap<HeldCertificate, AcmeCertificate>();

/** What the outside sees of a certificate: the same object as long as it is the same certificate. */
function plain(held: HeldCertificate): AcmeCertificate {
  const known = plains.get(held);
  if (known !== undefined) return known;
  const { resolver, main, sans, cert, key, store } = held;
  const certificate = { resolver, main, sans, cert, key, store };
  plains.set(held, certificate);
  return certificate;
}

function asAcmeError(error: unknown): AcmeError {
  if (error instanceof AcmeError) return error;
  const message = error instanceof Error ? error.message : String(error);
  return new AcmeError('local', message, { cause: error });
}

/** A failure without what is different each time: tokens and the like. */
function gist(message: string): string {
  return message.replaceAll(/[\w-]{20,}/g, '…');
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

/** `24 h`, `15 min`, `10 s`. */
function span(ms: number): string {
  if (ms >= 2 * HOUR_MS) return `${Math.round(ms / HOUR_MS)} h`;
  if (ms >= 2 * MINUTE_MS) return `${Math.round(ms / MINUTE_MS)} min`;
  return `${Math.max(1, Math.round(ms / 1000))} s`;
}
