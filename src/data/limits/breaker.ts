import { type Call, type Expression, holds } from '../../core/expression.ts';
import type { SharedBreaker } from './limit-desk.ts';
import { RollingFigures } from './rolling-figures.ts';

export interface BreakerOptions {
  readonly expression: Expression;
  /** Milliseconds: how often the expression is looked at, how long it stays open, how long it takes to close. */
  readonly checkPeriod: number;
  readonly fallbackDuration: number;
  readonly recoveryDuration: number;
}

/**
 * A circuit breaker, as Traefik's:
 *
 * ```
 *   closed ─ the expression holds ─► open ─ fallbackDuration ─► recovering ─ recoveryDuration ─► closed
 *                                     ▲                            │ lets a share pass, from none to half
 *                                     └─ the expression holds ─────┘
 * ```
 */
export class Breaker implements SharedBreaker {
  readonly #options: BreakerOptions;
  readonly #figures: RollingFigures;
  #state: 'closed' | 'open' | 'recovering' = 'closed';
  /** When the state ends. */
  #until = 0;
  #lastCheck = 0;
  #recoveringSince = 0;
  #passed = 0;
  #refused = 0;

  constructor(options: BreakerOptions) {
    this.#options = options;
    this.#figures = new RollingFigures(asksFor(options.expression, 'LatencyAtQuantileMS'));
  }

  get state(): 'closed' | 'open' | 'recovering' {
    return this.#state;
  }

  /** @param now milliseconds of a monotonic clock @returns whether a request may pass */
  admits(now: number): boolean {
    if (this.#state === 'closed') return true;
    if (this.#state === 'open') {
      if (now < this.#until) return false;
      this.#state = 'recovering';
      this.#recoveringSince = now;
      this.#until = now + this.#options.recoveryDuration;
      this.#passed = 0;
      this.#refused = 0;
    }
    if (now >= this.#until) {
      this.#state = 'closed';
      return true;
    }
    const share = (0.5 * (now - this.#recoveringSince)) / this.#options.recoveryDuration;
    if ((this.#passed + 1) / (this.#passed + 1 + this.#refused) < share) {
      this.#passed++;
      return true;
    }
    this.#refused++;
    return false;
  }

  /** Milliseconds until something may pass again; 0 = something does. */
  waitMs(now: number): number {
    return this.#state === 'open' ? Math.max(0, this.#until - now) : 0;
  }

  /**
   * A request that passed is over.
   * @param latencyMs -1 = it has none
   * @returns whether that opened it
   */
  record(status: number, networkError: boolean, latencyMs: number, now: number): boolean {
    // What was under way as it opened says nothing of how it is when it closes.
    if (this.#state === 'open') return false;
    this.#figures.record(status, networkError, latencyMs, now);
    if (now - this.#lastCheck < this.#options.checkPeriod) return false;
    this.#lastCheck = now;
    if (!holds(this.#options.expression, (call) => this.#valueOf(call, now))) return false;
    this.open(this.#options.fallbackDuration, now);
    return true;
  }

  /** It opened in another worker. */
  openFor(ms: number): void {
    this.open(ms, performance.now());
  }

  /** Opens it for so long (milliseconds). */
  open(forMs: number, now: number): void {
    this.#until = this.#state === 'open' ? Math.max(this.#until, now + forMs) : now + forMs;
    this.#state = 'open';
    this.#figures.reset();
  }

  #valueOf({ name, parameters }: Call, now: number): number {
    if (name === 'NetworkErrorRatio') return this.#figures.networkErrorRatio(now);
    if (name === 'LatencyAtQuantileMS') return this.#figures.latencyMs(parameters[0]!, now);
    return this.#figures.codeRatio(parameters[0]!, parameters[1]!, parameters[2]!, parameters[3]!, now);
  }
}

function asksFor(expression: Expression, name: string): boolean {
  switch (expression.kind) {
    case 'and':
    case 'or':
      return asksFor(expression.left, name) || asksFor(expression.right, name);
    case 'not':
      return asksFor(expression.of, name);
    case 'compare':
      return expression.call.name === name;
    case 'call':
      return expression.name === name;
  }
}
