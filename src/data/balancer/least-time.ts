import { clock } from '../clock.ts';
import type { Exchange } from '../exchange.ts';
import { mayServe, Turns } from './turns.ts';
import type { Balancer, Endpoint } from './types.ts';

/**
 * `leasttime`: who would answer first: time to the first byte, times the requests under way and this one, for its weight.
 * Who has not been measured comes first, in turn. A measure fades when it grows old (see EndpointState), so that an endpoint
 * that was slow once is tried again.
 */
export class LeastTime implements Balancer {
  readonly candidates: readonly Endpoint[];
  readonly measures = true;
  readonly turns: Turns<Endpoint>;

  constructor(candidates: readonly Endpoint[], previous: Turns<Endpoint> | null) {
    this.candidates = candidates;
    this.turns = new Turns(candidates, previous);
  }

  pick(_exchange: Exchange, tried: readonly Endpoint[] | null): Endpoint | null {
    const { list } = this.turns;
    for (let i = 0; i < list.length; i++) {
      const turn = list[i]!;
      const { state, weight } = turn.candidate;
      turn.score = mayServe(turn.candidate, tried)
        ? (state.firstByteMs(clock.now) * (state.inFlight + 1)) / (weight * state.share)
        : Number.POSITIVE_INFINITY;
    }
    return this.turns.nextOfLowest();
  }
}
