import type { HeldCertificate } from './held-certificate.ts';
import type { Lane } from './lane.ts';
import type { NameSet } from './names.ts';
import { firstRenewalAt, renewalAt } from './schedule.ts';
import type { AcmeCertificate, AcmeState, AcmeStatus } from './types.ts';

export interface Waiter {
  readonly resolve: (certificate: AcmeCertificate) => void;
  readonly reject: (error: Error) => void;
}

/** One distinct set of names of one resolver, with what there is for it. Times are milliseconds since the epoch. */
export class Entry {
  readonly lane: Lane<Entry>;
  /** See setKey. */
  readonly key: string;
  names: NameSet;
  for: readonly string[] = [];
  wanted = false;
  /** What is served. */
  current: HeldCertificate | null = null;
  /** What is served from its own notBefore on: until then the current one does better. */
  upcoming: HeldCertificate | null = null;
  /** When `current` came, as far as this process knows. */
  acceptedAt: number | null = null;
  /** When the next order is due; null: none is. */
  due: number | null = null;
  /** In a row. */
  failures = 0;
  /** Of these, the times that the CA (or something here) said no. */
  refusals = 0;
  lastError: string | undefined;
  lastErrorAt: number | undefined;
  /** The failure that the log has, and when. */
  said: { readonly message: string; readonly at: number } | undefined;
  running: Promise<void> | null = null;
  progress: string | undefined;
  /** Ordered by hand: whatever the age of what there is, and whatever the CA's state. */
  forced = false;
  waiters: Waiter[] = [];
  /** When the CA is asked for its wish (RFC 9773); null: not at all. */
  askAt: number | null = null;
  /** Its expiry was said. */
  mourned = false;

  constructor(lane: Lane<Entry>, key: string, names: NameSet) {
    this.lane = lane;
    this.key = key;
    this.names = names;
  }

  /** The newest certificate there is. */
  get newest(): HeldCertificate | null {
    return this.upcoming ?? this.current;
  }

  /** Milliseconds that the served certificate is still valid; 0 where nothing valid is served. */
  remaining(now: number): number {
    return Math.max(0, (this.newest?.notAfter ?? 0) - now);
  }

  /** For messages. */
  get label(): string {
    const { names } = this;
    return names.length <= 3 ? names.join(', ') : `${names.slice(0, 2).join(', ')} and ${names.length - 2} more`;
  }

  /** What keeps it from what it needs now: its own last failure, or that its CA is away. */
  #trouble(now: number): string | undefined {
    if (this.lastError !== undefined) return this.lastError;
    const due = this.wanted && this.due !== null && this.due <= now;
    return due ? this.lane.outage?.error : undefined;
  }

  #state(trouble: string | undefined): AcmeState {
    if (this.running !== null) return 'ordering';
    if (!this.wanted) return 'unused';
    if (this.lastError !== undefined || (trouble !== undefined && this.current !== null)) return 'failed';
    return this.current === null ? 'waiting' : 'valid';
  }

  /** Sets when the next order is due, from what there is. */
  scheduleRenewal(now: number): void {
    const held = this.newest;
    if (held === null) this.due = now;
    else if (this.acceptedAt === null) this.due = renewalAt(held, held.fingerprint);
    else this.due = firstRenewalAt(held, held.fingerprint, this.acceptedAt);
  }

  status(now: number): AcmeStatus {
    const [main, ...sans] = this.names;
    const { lane, current } = this;
    const lastError = this.#trouble(now);
    const state = this.#state(lastError);
    const stalled = lastError !== undefined && (state === 'failed' || state === 'waiting');
    const nextAttempt = lane.outage !== null && stalled ? lane.outage.nextAttempt : this.due;
    return {
      ...{ resolver: lane.name, main, sans, for: this.for, state, failures: this.failures },
      ...(current === null
        ? {}
        : {
            issuer: current.issuer,
            serial: current.serial,
            notBefore: current.notBefore,
            notAfter: current.notAfter,
          }),
      ...(state === 'valid' && this.due !== null ? { nextRenewal: Math.round(this.due) } : {}),
      ...(stalled && nextAttempt !== null ? { nextAttempt: Math.round(nextAttempt) } : {}),
      ...(lastError === undefined ? {} : { lastError }),
      ...(this.lastErrorAt === undefined ? {} : { lastErrorAt: this.lastErrorAt }),
      ...(this.progress === undefined ? {} : { progress: this.progress }),
      stored: current === null || lane.storage.isStored(this.key),
    };
  }
}
