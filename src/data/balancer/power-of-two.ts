import type { Exchange } from '../exchange.ts';
import { mayServe } from './turns.ts';
import type { Balancer, Endpoint } from './types.ts';

/**
 * `p2c`: two at random, by weight; of them who has fewer requests under way for its weight. What remains even when many
 * workers, each with its own counts, choose at once.
 */
export class PowerOfTwo implements Balancer {
  readonly candidates: readonly Endpoint[];
  readonly measures = false;
  readonly #weighted: readonly Endpoint[];
  readonly #random: () => number;

  /** @param random 0 (included) to 1 (not included) */
  constructor(candidates: readonly Endpoint[], random: () => number = Math.random) {
    this.candidates = candidates;
    this.#weighted = candidates.filter((endpoint) => endpoint.weight > 0);
    this.#random = random;
  }

  pick(_exchange: Exchange, tried: readonly Endpoint[] | null): Endpoint | null {
    const first = this.#draw(tried, null);
    if (first === null) return null;
    const second = this.#draw(tried, first);
    return second === null || load(first) <= load(second) ? first : second;
  }

  /** One at random, by weight, but not `not`. */
  #draw(tried: readonly Endpoint[] | null, not: Endpoint | null): Endpoint | null {
    const weighted = this.#weighted;
    let total = 0;
    for (let i = 0; i < weighted.length; i++) {
      const endpoint = weighted[i]!;
      if (endpoint !== not && mayServe(endpoint, tried)) total += endpoint.weight * endpoint.state.share;
    }
    let at = this.#random() * total;
    let last: Endpoint | null = null;
    for (let i = 0; i < weighted.length; i++) {
      const endpoint = weighted[i]!;
      if (endpoint === not || !mayServe(endpoint, tried)) continue;
      last = endpoint;
      at -= endpoint.weight * endpoint.state.share;
      if (at < 0) break;
    }
    return last;
  }
}

function load(endpoint: Endpoint): number {
  return endpoint.state.inFlight / (endpoint.weight * endpoint.state.share);
}
