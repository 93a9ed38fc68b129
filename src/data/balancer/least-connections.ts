import type { Exchange } from '../exchange.ts';
import { mayServe, Turns } from './turns.ts';
import type { Balancer, Endpoint } from './types.ts';

/**
 * `leastconn`: who has the fewest requests under way for its weight. Among equals everybody in turn, so that an idle service
 * is as even as with `wrr`. Requests under way are those of this worker.
 */
export class LeastConnections implements Balancer {
  readonly candidates: readonly Endpoint[];
  readonly measures = false;
  readonly turns: Turns<Endpoint>;

  constructor(candidates: readonly Endpoint[], previous: Turns<Endpoint> | null) {
    this.candidates = candidates;
    this.turns = new Turns(candidates, previous);
  }

  pick(_exchange: Exchange, tried: readonly Endpoint[] | null): Endpoint | null {
    const { list } = this.turns;
    for (let i = 0; i < list.length; i++) {
      const turn = list[i]!;
      const { candidate } = turn;
      turn.score = mayServe(candidate, tried)
        ? candidate.state.inFlight / (candidate.weight * candidate.state.share)
        : Number.POSITIVE_INFINITY;
    }
    return this.turns.nextOfLowest();
  }
}
