import type { Exchange } from '../exchange.ts';
import type { Balancer, Endpoint } from './types.ts';

interface Turn {
  readonly endpoint: Endpoint;
  current: number;
}

/**
 * Smooth weighted round robin: in each round of `sum(weights)` picks every endpoint has exactly its share, and the picks of
 * one are spread. Endpoints of weight 0 get nothing, nor do those that are not available.
 */
export function roundRobin(endpoints: readonly Endpoint[], previous: Balancer | null): Balancer {
  const turns: Turn[] = endpoints.filter((e) => e.weight > 0).map((endpoint) => ({ endpoint, current: 0 }));
  if (previous instanceof RoundRobin) {
    for (const turn of turns) turn.current = previous.position(turn.endpoint.url);
  }
  return new RoundRobin(endpoints, turns);
}

class RoundRobin implements Balancer {
  readonly endpoints: readonly Endpoint[];
  readonly #turns: readonly Turn[];

  constructor(endpoints: readonly Endpoint[], turns: readonly Turn[]) {
    this.endpoints = endpoints;
    this.#turns = turns;
  }

  /** Where an endpoint stands, so that a reload does not begin anew. */
  position(url: string): number {
    return this.#turns.find((turn) => turn.endpoint.url === url)?.current ?? 0;
  }

  pick(_exchange: Exchange, tried: readonly Endpoint[] | null): Endpoint | null {
    const turns = this.#turns;
    let best: Turn | null = null;
    let total = 0;
    for (let i = 0; i < turns.length; i++) {
      const turn = turns[i]!;
      const { endpoint } = turn;
      if (!endpoint.state.available || tried?.includes(endpoint) === true) continue;
      const weight = endpoint.weight * endpoint.state.share;
      total += weight;
      turn.current += weight;
      if (best === null || turn.current > best.current) best = turn;
    }
    if (best === null) return null;
    best.current -= total;
    return best.endpoint;
  }

  peek(): Endpoint | null {
    let best: Endpoint | null = null;
    let most = Number.NEGATIVE_INFINITY;
    for (const { endpoint, current } of this.#turns) {
      if (!endpoint.state.available) continue;
      const next = current + endpoint.weight * endpoint.state.share;
      if (next <= most) continue;
      most = next;
      best = endpoint;
    }
    return best;
  }
}
