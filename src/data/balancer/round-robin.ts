import type { Balancer, Endpoint } from './types.ts';

interface Turn {
  readonly endpoint: Endpoint;
  current: number;
}

/**
 * Smooth weighted round robin: in each round of `sum(weights)` picks every endpoint has exactly its share, and the picks of
 * one are spread. Endpoints of weight 0 get nothing.
 */
export function roundRobin(endpoints: readonly Endpoint[], previous: Balancer | null): Balancer {
  const turns: Turn[] = endpoints.filter((e) => e.weight > 0).map((endpoint) => ({ endpoint, current: 0 }));
  const total = turns.reduce((sum, turn) => sum + turn.endpoint.weight, 0);
  if (previous instanceof RoundRobin) {
    for (const turn of turns) turn.current = previous.position(turn.endpoint.url);
  }
  return new RoundRobin(endpoints, turns, total);
}

class RoundRobin implements Balancer {
  readonly endpoints: readonly Endpoint[];
  readonly #turns: readonly Turn[];
  readonly #total: number;

  constructor(endpoints: readonly Endpoint[], turns: readonly Turn[], total: number) {
    this.endpoints = endpoints;
    this.#turns = turns;
    this.#total = total;
  }

  /** Where an endpoint stands, so that a reload does not begin anew. */
  position(url: string): number {
    return this.#turns.find((turn) => turn.endpoint.url === url)?.current ?? 0;
  }

  pick(): Endpoint | null {
    const turns = this.#turns;
    if (turns.length === 1) return turns[0]!.endpoint;
    let best: Turn | null = null;
    for (let i = 0; i < turns.length; i++) {
      const turn = turns[i]!;
      turn.current += turn.endpoint.weight;
      if (best === null || turn.current > best.current) best = turn;
    }
    if (best === null) return null;
    best.current -= this.#total;
    return best.endpoint;
  }
}
