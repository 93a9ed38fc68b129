/** Which circuit breakers are open, for workers that come later. */
export class OpenBreakers {
  /** Until when, by name. */
  readonly #until = new Map<string, number>();

  /** @param now milliseconds of a monotonic clock */
  open(breaker: string, forMs: number, now: number): void {
    this.#until.set(breaker, now + forMs);
  }

  now(now: number): readonly { readonly breaker: string; readonly forMs: number }[] {
    return [...this.#until]
      .filter(([, until]) => until > now)
      .map(([breaker, until]) => ({ breaker, forMs: until - now }));
  }

  sweep(now: number): void {
    for (const [breaker, until] of this.#until) if (until <= now) this.#until.delete(breaker);
  }
}
