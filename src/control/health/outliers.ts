import type { PassiveHealthCheck } from '../../core/config/dynamic.ts';
import type { OutlierReport } from '../../core/health.ts';
import type { Outcome } from '../../core/outcome.ts';

/** A server that traffic has shown to fail. */
export interface Ejection {
  readonly service: string;
  readonly url: string;
  /** Milliseconds since the epoch. */
  readonly until: number;
  /** How often in a row. */
  readonly times: number;
  readonly reason: string;
}

interface Suspect {
  readonly service: string;
  readonly url: string;
  /** When it failed, within the window; milliseconds since the epoch. */
  readonly failures: number[];
  times: number;
  until: number;
  /** It came back then; ejected again soon after, it stays out for longer. */
  returnedAt: number;
  reason: string;
}

/** Failures that are kept of one server: beyond what any sensible `maxFailedAttempts` asks for. */
const MAX_FAILURES = 1_000;
const WORDS: Readonly<Record<Outcome, string>> = {
  success: 'answered',
  'server-error': 'answered 500 or more',
  'connect-failed': 'took no connection',
  broken: 'broke the connection',
  timeout: 'did not answer in time',
};

/**
 * Passive checks over all workers: a server that failed `maxFailedAttempts` times within `failureWindow` is taken out, for
 * `failureWindow` at first and twice as long each time that it fails again soon after, up to `maxEjectionTime`. Never more
 * than `maxEjectionPercent` of a service's servers, but one at least.
 */
export class Outliers {
  readonly #suspects = new Map<string, Suspect>();
  readonly #changed: () => void;
  #services: ReadonlyMap<string, { readonly check: PassiveHealthCheck; readonly urls: ReadonlySet<string> }> =
    new Map();
  #timer: NodeJS.Timeout | null = null;

  /** @param changed somebody was ejected, or came back */
  constructor(changed: () => void) {
    this.#changed = changed;
  }

  /** The services with passive checks, and their servers. What is known of those that stay is kept. */
  watch(
    services: ReadonlyMap<string, { readonly check: PassiveHealthCheck; readonly urls: ReadonlySet<string> }>,
  ): void {
    this.#services = services;
    for (const [key, { service, url }] of this.#suspects) {
      if (services.get(service)?.urls.has(url) !== true) this.#suspects.delete(key);
    }
  }

  /** What a worker saw. @param now milliseconds since the epoch */
  report({ service, url, failures, last }: OutlierReport, now: number): void {
    const watched = this.#services.get(service);
    if (watched === undefined || !watched.urls.has(url)) return;
    const suspect = this.#suspect(service, url);
    if (suspect.until > now) return;
    const { failureWindow, maxFailedAttempts } = watched.check;
    while (suspect.failures.length > 0 && now - suspect.failures[0]! > failureWindow) suspect.failures.shift();
    for (let i = 0; i < failures && suspect.failures.length < MAX_FAILURES; i++) suspect.failures.push(now);
    if (suspect.failures.length < Math.max(1, maxFailedAttempts)) return;
    if (!this.#mayEject(service, now)) return;
    this.#eject(suspect, watched.check, last, now);
  }

  /** Those that are out. */
  ejections(now: number): Ejection[] {
    return [...this.#suspects.values()]
      .filter((suspect) => suspect.until > now)
      .map(({ service, url, until, times, reason }) => ({ service, url, until, times, reason }));
  }

  stop(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
  }

  #suspect(service: string, url: string): Suspect {
    const key = `${service} ${url}`;
    let suspect = this.#suspects.get(key);
    if (suspect === undefined) {
      suspect = { service, url, failures: [], times: 0, until: 0, returnedAt: 0, reason: '' };
      this.#suspects.set(key, suspect);
    }
    return suspect;
  }

  #mayEject(service: string, now: number): boolean {
    const { check, urls } = this.#services.get(service)!;
    const out = this.ejections(now).filter((ejection) => ejection.service === service).length;
    return out < Math.max(1, Math.floor((urls.size * check.maxEjectionPercent) / 100));
  }

  #eject(suspect: Suspect, check: PassiveHealthCheck, last: Outcome, now: number): void {
    const base = Math.max(1_000, check.failureWindow);
    const longest = Math.max(base, check.maxEjectionTime);
    const soon = suspect.times > 0 && now - suspect.returnedAt < 2 * Math.min(longest, base * 2 ** (suspect.times - 1));
    suspect.times = soon ? suspect.times + 1 : 1;
    const ms = Math.min(longest, base * 2 ** (suspect.times - 1));
    const count = suspect.failures.length;
    suspect.until = now + ms;
    suspect.returnedAt = suspect.until;
    suspect.failures.length = 0;
    suspect.reason = `${count} ${count === 1 ? 'request' : 'requests'} failed within ${check.failureWindow / 1_000} s: lastly it ${WORDS[last]}`;
    this.#changed();
    this.#wait(now);
  }

  /** Wakes when the next one comes back. */
  #wait(now: number): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    const next = Math.min(...this.ejections(now).map((ejection) => ejection.until));
    if (!Number.isFinite(next)) return;
    this.#timer = setTimeout(
      () => {
        this.#changed();
        this.#wait(Date.now());
      },
      Math.max(1, next - now + 1),
    );
    this.#timer.unref();
  }
}
