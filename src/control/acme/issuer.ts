import { AcmeError } from './acme-error.ts';
import type { ChallengeSettings } from './challenges.ts';
import type { Entry } from './entry.ts';
import type { HeldCertificate } from './held-certificate.ts';
import type { Lane } from './lane.ts';
import { obtain } from './order.ts';
import { plainCertificate } from './plain-certificate.ts';
import { renewalId } from './renewal-info.ts';
import { renewalAt, retryDelay } from './schedule.ts';
import type { AcmeLog, Clock } from './types.ts';

const MINUTE_MS = 60_000;
const HOUR_MS = 3_600_000;
/** However often a failure is the same, it is said again after this time. */
const SAY_AGAIN_MS = 10 * MINUTE_MS;

export interface IssuerOptions extends ChallengeSettings {
  readonly clock: Clock;
  readonly log: AcmeLog;
  /** Ends the orders that run. */
  readonly signal: AbortSignal;
  /** Resolves when every worker answers for the challenges. */
  readonly published: () => Promise<void>;
  /** Another certificate is to be served. */
  readonly changed: () => void;
  /** A CA cannot be reached. */
  readonly away: (lane: Lane<Entry>, error: AcmeError) => void;
  /** An order has ended; the entry has a certificate, or a time for the next attempt. */
  readonly ended: (entry: Entry) => void;
}

/** Runs the order of an entry, and notes on the entry what comes of it. */
export class Issuer {
  readonly #options: IssuerOptions;

  constructor(options: IssuerOptions) {
    this.#options = options;
  }

  /** Begins an order; `entry.running` is its end. */
  start(entry: Entry): void {
    const forced = entry.forced;
    entry.forced = false;
    entry.running = this.#order(entry, forced).then(
      (held) => this.#succeeded(entry, held),
      (error: unknown) => this.#failed(entry, asAcmeError(error)),
    );
  }

  async #order(entry: Entry, forced: boolean): Promise<HeldCertificate> {
    const { lane, key } = entry;
    const { signal, log } = this.#options;
    entry.progress = 'waiting for the storage';
    const release = await lane.storage.lease(signal, () =>
      log('info', `${lane.storage.path} is in use by another process: its orders come first`),
    );
    try {
      const stored = lane.storage.certificates(lane.name).get(key);
      if (!forced && stored !== undefined && this.#isBetter(stored, entry)) {
        log('info', `the certificate for ${entry.label} that is in ${lane.storage.path} now is used`);
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
          ...this.#options,
          client: lane.client,
          storage: lane.storage,
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
    const now = this.#options.clock.now();
    if (newest !== null && (stored.fingerprint === newest.fingerprint || stored.notAfter <= newest.notAfter))
      return false;
    return renewalAt(stored, stored.fingerprint) > now;
  }

  #replaces({ lane, newest }: Entry): string | undefined {
    if (newest === null || lane.withoutRenewalInfo) return undefined;
    return lane.askedForRenewal ? (renewalId(newest.cert) ?? undefined) : undefined;
  }

  #accept(entry: Entry, held: HeldCertificate): void {
    const now = this.#options.clock.now();
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
    this.#options.changed();
  }

  #succeeded(entry: Entry, held: HeldCertificate): void {
    const { lane } = entry;
    const now = this.#options.clock.now();
    lane.served();
    entry.running = null;
    entry.progress = undefined;
    if (entry.wanted) {
      entry.scheduleRenewal(now);
      if (!lane.withoutRenewalInfo) entry.askAt = now;
    }
    const until = new Date(held.notAfter).toISOString();
    const next = entry.due === null ? '' : `, renewal at ${new Date(entry.due).toISOString()}`;
    this.#options.log('info', `certificate for ${entry.label} from ${held.issuer}, until ${until}${next}`, {
      resolver: lane.name,
      serial: held.serial,
    });
    for (const { resolve } of entry.waiters.splice(0)) resolve(plainCertificate(held));
    this.#options.ended(entry);
  }

  #failed(entry: Entry, error: AcmeError): void {
    const { lane } = entry;
    const now = this.#options.clock.now();
    entry.running = null;
    entry.progress = undefined;
    for (const { reject } of entry.waiters.splice(0)) reject(error);
    if (entry.wanted && error.kind !== 'closed') {
      if (error.kind === 'unreachable') this.#options.away(lane, error);
      else this.#postpone(entry, error, now);
      entry.lastError = error.message;
      entry.lastErrorAt = now;
    }
    this.#options.ended(entry);
  }

  #postpone(entry: Entry, error: AcmeError, now: number): void {
    entry.failures++;
    if (error.kind === 'broken') entry.refusals = 0;
    else entry.refusals++;
    const remaining = entry.remaining(now);
    const { failures } = entry;
    const wait = retryDelay({ failures, remaining, retryAfter: error.retryAfterMs, random: Math.random() });
    entry.due = now + wait;
    const again = entry.said?.message === gist(error.message) && now - entry.said.at < SAY_AGAIN_MS;
    // A CA that stumbles once (its database was busy, say) is no error yet.
    const stumble = error.kind === 'broken' && failures === 1;
    if (!again && !stumble) entry.said = { message: gist(error.message), at: now };
    const asked =
      error.retryAfterMs === undefined || error.retryAfterMs <= wait
        ? ''
        : `; it asks to wait ${span(error.retryAfterMs)}`;
    this.#options.log(
      again ? 'debug' : stumble ? 'warn' : 'error',
      `no certificate for ${entry.label}: ${error.message}${asked}; tried again in ${span(wait)}`,
      { resolver: entry.lane.name, failures },
    );
  }
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

/** `24 h`, `15 min`, `10 s`. */
function span(ms: number): string {
  if (ms >= 2 * HOUR_MS) return `${Math.round(ms / HOUR_MS)} h`;
  if (ms >= 2 * MINUTE_MS) return `${Math.round(ms / MINUTE_MS)} min`;
  return `${Math.max(1, Math.round(ms / 1000))} s`;
}
