import type { Middleware } from '../../core/config/dynamic.ts';
import type { Handler } from '../exchange.ts';

/** A compiled middleware, shared by all routers that use it. */
export type Wrap = (next: Handler) => Handler;

interface Entry {
  readonly key: string;
  readonly wrap: Wrap;
}

/**
 * The compiled middlewares of one runtime, by name. Made from the cache of the runtime before, it takes over what has the same
 * name and the same configuration, with the state inside (basicAuth's verified passwords). It holds what its runtime uses and
 * nothing else: call {@link seal} when the runtime is built.
 */
export class MiddlewareCache {
  readonly #entries = new Map<string, Entry>();
  #previous: ReadonlyMap<string, Entry> | null;

  constructor(previous?: MiddlewareCache) {
    this.#previous = previous === undefined ? null : previous.#entries;
  }

  /** The middleware compiled from exactly this configuration, here or before; else what `compile` makes. */
  take(name: string, config: Middleware, compile: () => Wrap): Wrap {
    const key = JSON.stringify(config);
    const own = this.#entries.get(name);
    if (own?.key === key) return own.wrap;
    const before = this.#previous?.get(name);
    const entry = before?.key === key ? before : { key, wrap: compile() };
    this.#entries.set(name, entry);
    return entry.wrap;
  }

  /** Lets go of the previous runtime's. */
  seal(): void {
    this.#previous = null;
  }

  get size(): number {
    return this.#entries.size;
  }
}
