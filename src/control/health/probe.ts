import type { CheckResult } from './check-result.ts';
import type { CheckTarget } from './targets.ts';

/** What is known of one server by checking it. */
export interface ProbeState {
  /** `unknown` until the first result; it counts as up. */
  readonly health: 'healthy' | 'unhealthy' | 'unknown';
  readonly last: CheckResult | null;
  /** Milliseconds since the epoch; 0 = never. */
  readonly checkedAt: number;
  readonly changedAt: number;
  /** Results in a row that say the other thing than `health`. */
  readonly against: number;
}

/** The first check comes at once, spread a little, so that a start does not ask every server in one moment. */
const FIRST_WITHIN_MS = 200;
/** Share of the interval by which checks are moved, so that they do not all come together. */
const JITTER = 0.1;

/** Checks one server again and again, and says when what is known of it changes. */
export class Probe {
  readonly target: CheckTarget;
  readonly #changed: (probe: Probe) => void;
  #state: ProbeState;
  #timer: NodeJS.Timeout | null = null;
  #stopped = false;
  /** What is known is another check's word. */
  #inherited: boolean;

  /**
   * @param before what another check of the same server said: it holds until the first result, so that a change of a check
   * sends nothing to a server that is known to be down
   */
  constructor(target: CheckTarget, changed: (probe: Probe) => void, before: ProbeState | null = null) {
    this.target = target;
    this.#changed = changed;
    this.#state =
      before === null || before.health === 'unknown'
        ? { health: target.config.initial, last: null, checkedAt: 0, changedAt: Date.now(), against: 0 }
        : { ...before, against: 0 };
    this.#inherited = before !== null;
    this.#schedule(Math.random() * Math.min(FIRST_WITHIN_MS, target.config.interval));
  }

  get state(): ProbeState {
    return this.#state;
  }

  get up(): boolean {
    return this.#state.health !== 'unhealthy';
  }

  stop(): void {
    this.#stopped = true;
    if (this.#timer !== null) clearTimeout(this.#timer);
  }

  #schedule(ms: number): void {
    this.#timer = setTimeout(() => void this.#check(), ms);
    this.#timer.unref();
  }

  async #check(): Promise<void> {
    const from = performance.now();
    const result = await this.target.run();
    if (this.#stopped) return;
    this.#take(result);
    const { interval, unhealthyInterval } = this.target.config;
    const every = this.up ? interval : (unhealthyInterval ?? interval);
    // An interval is from start to start, as long as checks are quicker than that.
    const jitter = every * JITTER * (Math.random() - 0.5);
    this.#schedule(Math.max(1, every + jitter - (performance.now() - from)));
  }

  #take(result: CheckResult): void {
    const { healthyThreshold, unhealthyThreshold } = this.target.config;
    const before = this.#state;
    const isFirst = before.health === 'unknown' || this.#inherited;
    this.#inherited = false;
    const says = result.kind === 'ok' ? 'healthy' : 'unhealthy';
    const checkedAt = Date.now();
    if (says === before.health) {
      this.#state = { ...before, last: result, checkedAt, against: 0 };
      return;
    }
    const against = before.against + 1;
    // Nothing was known: the first word counts, whichever it is.
    const needed = isFirst ? 1 : says === 'healthy' ? healthyThreshold : unhealthyThreshold;
    if (against < needed) {
      this.#state = { ...before, last: result, checkedAt, against };
      return;
    }
    this.#state = { health: says, last: result, checkedAt, changedAt: checkedAt, against: 0 };
    this.#changed(this);
  }
}
