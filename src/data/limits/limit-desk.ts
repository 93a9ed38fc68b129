import type { FromLimiter, TokenGrant, TokenRequest, ToLimiter } from '../../core/limiting.ts';

/** A request that waits to hear whether it may be one of a limited number. */
export interface PermitWaiter {
  onPermit(granted: boolean): void;
}

/** A circuit breaker that can be opened from elsewhere. */
export interface SharedBreaker {
  openFor(ms: number): void;
}

/** Where a worker asks the primary about limits that hold for all workers, see LimitBook. */
export class LimitDesk {
  readonly #send: (message: FromLimiter) => void;
  /** Bounded by the requests under way. */
  readonly #permits = new Map<number, PermitWaiter>();
  /** One for each limiter and key that is asked about. */
  readonly #asked = new Map<number, (grant: TokenGrant) => void>();
  /** Those of configurations that are no longer served go with them. */
  readonly #breakers = new Map<string, readonly WeakRef<SharedBreaker>[]>();
  #ids = 0;

  constructor(send: (message: FromLimiter) => void) {
    this.#send = send;
  }

  /** Asks to be one of `limit` requests at a time; the answer comes later. Returns an id for {@link release}. */
  ask(limiter: string, key: string, limit: number, waiter: PermitWaiter): number {
    const id = ++this.#ids;
    this.#permits.set(id, waiter);
    this.#send({ type: 'permit-request', id, limiter, key, limit });
    return id;
  }

  /** The request is over, or waits no longer. */
  release(id: number): void {
    this.#permits.delete(id);
    this.#send({ type: 'permit-release', id });
  }

  askTokens(request: Omit<TokenRequest, 'id'>, onTokens: (grant: TokenGrant) => void): void {
    const id = ++this.#ids;
    this.#asked.set(id, onTokens);
    this.#send({ type: 'tokens-request', request: { ...request, id } });
  }

  returnTokens(limiter: string, key: string, count: number): void {
    this.#send({ type: 'tokens-return', limiter, key, count });
  }

  /**
   * The breaker of this name is told when it opens elsewhere. Earlier ones of the name are told as well for as long as they are
   * there: the configuration that they belong to may be the one that serves.
   */
  join(name: string, breaker: SharedBreaker): void {
    for (const [known, refs] of this.#breakers) {
      const living = refs.filter((ref) => ref.deref() !== undefined);
      if (living.length === 0) this.#breakers.delete(known);
      else if (living.length < refs.length) this.#breakers.set(known, living);
    }
    this.#breakers.set(name, [...(this.#breakers.get(name) ?? []), new WeakRef(breaker)]);
  }

  /** It opened here. */
  opened(breaker: string, forMs: number): void {
    this.#send({ type: 'breaker-open', breaker, forMs });
  }

  /** What the primary says. */
  receive(message: ToLimiter): void {
    switch (message.type) {
      case 'permit': {
        const waiter = this.#permits.get(message.id);
        // Given up meanwhile: the release is on its way.
        if (waiter === undefined) return;
        this.#permits.delete(message.id);
        waiter.onPermit(message.granted);
        break;
      }
      case 'tokens': {
        const onTokens = this.#asked.get(message.grant.id);
        this.#asked.delete(message.grant.id);
        onTokens?.(message.grant);
        break;
      }
      case 'breaker-open':
        for (const ref of this.#breakers.get(message.breaker) ?? []) ref.deref()?.openFor(message.forMs);
        break;
    }
  }
}
