import type { Outcome } from '../../core/outcome.ts';

/** Samples that a measure of the time to the first byte mostly rests on. */
const SAMPLES = 20;
/** A measure that nothing was added to for this long (milliseconds) counts half. */
const HALF_LIFE_MS = 10_000;

/** Told of each attempt: where passive checks plug in. */
export type OutcomeObserver = (state: EndpointState, outcome: Outcome) => void;

/**
 * What a worker knows of one server of one service. One object for each (service, URL), kept across reloads, so that health,
 * positions and counts do not begin anew.
 */
export class EndpointState {
  /** Qualified name of the service. */
  readonly service: string;
  /** As configured. */
  readonly url: string;
  /** What active checks say. */
  up = true;
  /** Taken out for a while by passive checks. */
  ejected = false;
  /** Gets nothing new; sticky clients go on. */
  draining = false;
  /** Share of its weight that it gets, 0..1: less than 1 in slow start. */
  share = 1;
  /** Attempts under way in this worker, those that are connecting too. */
  inFlight = 0;
  /** On the coarse clock: since when every connection to it failed; 0 = the last one was made. */
  refusingSince = 0;
  observer: OutcomeObserver | null = null;
  /** A moving mean of the time to the first byte, in milliseconds; -1 = not measured. */
  #firstByteMs = -1;
  #measuredAt = 0;

  constructor(service: string, url: string) {
    this.service = service;
    this.url = url;
  }

  /** Whether it may get new requests. */
  get available(): boolean {
    return this.up && !this.ejected && !this.draining;
  }

  /** Whether clients that are bound to it may go on. */
  get reachable(): boolean {
    return this.up && !this.ejected;
  }

  /** Milliseconds to the first byte of a response, 0 = not known. @param now of the coarse clock */
  firstByteMs(now: number): number {
    if (this.#firstByteMs < 0) return 0;
    const age = now - this.#measuredAt;
    return age < 1_000 ? this.#firstByteMs : this.#firstByteMs * 2 ** (-age / HALF_LIFE_MS);
  }

  /** A response began after `ms`. @param now of the coarse clock */
  measure(ms: number, now: number): void {
    this.#firstByteMs = this.#firstByteMs < 0 ? ms : this.#firstByteMs + (ms - this.#firstByteMs) / SAMPLES;
    this.#measuredAt = now;
  }

  /** How an attempt ended, told once for each. */
  record(outcome: Outcome): void {
    this.observer?.(this, outcome);
  }
}
