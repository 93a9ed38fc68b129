import type { Failover } from '../../core/config/dynamic.ts';
import { statusMatcher } from '../../core/status-range.ts';
import type { Endpoint } from '../balancer/types.ts';
import { KeptBody } from '../body/kept-body.ts';
import { MOST_KEPT_BYTES } from '../body/limits.ts';
import { record } from '../body/record.ts';
import type { Exchange, Takeover } from '../exchange.ts';
import type { FindServing, Serving } from './serving.ts';

/**
 * `failover`: the fallback answers while the service has nobody to; with `errors`, also each request that the service
 * answers with one of those statuses. A body is kept for that, up to `maxRequestBodyBytes`; a larger one goes to the
 * service alone.
 */
export class FailoverService implements Serving {
  readonly name: string;
  readonly #main: Serving;
  readonly #fallback: Serving;
  readonly #wants: ((status: number) => boolean) | null;
  readonly #bodyLimit: number;

  constructor(name: string, config: Failover, find: FindServing) {
    this.name = name;
    this.#main = find(config.service);
    this.#fallback = find(config.fallback);
    const { errors } = config;
    this.#wants = errors === undefined || errors.status.length === 0 ? null : statusMatcher(errors.status);
    const limit = errors?.maxRequestBodyBytes ?? -1;
    this.#bodyLimit = limit < 0 ? MOST_KEPT_BYTES : Math.min(limit, MOST_KEPT_BYTES);
  }

  get available(): boolean {
    return this.#main.available || this.#fallback.available;
  }

  get reachable(): boolean {
    return this.#main.reachable || this.#fallback.reachable;
  }

  get endpoints(): readonly Endpoint[] {
    return [...this.#main.endpoints, ...this.#fallback.endpoints];
  }

  peek(): Endpoint | null {
    return this.#main.available ? this.#main.peek() : this.#fallback.peek();
  }

  handle(exchange: Exchange): void {
    const main = this.#main;
    if (!main.available) {
      this.#fallback.handle(exchange);
      return;
    }
    if (this.#wants !== null) this.#watch(exchange, this.#wants);
    main.handle(exchange);
  }

  #watch(exchange: Exchange, wants: (status: number) => boolean): void {
    if (exchange.body !== 'none' && !(exchange.source instanceof KeptBody && exchange.source.replayable)) {
      record(exchange, this.#bodyLimit);
    }
    const outer: Takeover | null = exchange.takeover;
    const { hookCount } = exchange;
    exchange.takeover = {
      wants,
      take: () => {
        exchange.takeover = outer;
        // A cookie that binds to the service that failed would stand in the fallback's answer.
        exchange.dropHooks(hookCount);
        this.#fallback.handle(exchange);
      },
    };
  }
}
