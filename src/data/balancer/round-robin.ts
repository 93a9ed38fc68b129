import type { Exchange } from '../exchange.ts';
import { Turns } from './turns.ts';
import type { Balancer, Candidate } from './types.ts';

/** `wrr`: everybody in turn, by weight, see {@link Turns}. */
export class RoundRobin<T extends Candidate> implements Balancer<T> {
  readonly candidates: readonly T[];
  readonly measures = false;
  readonly turns: Turns<T>;

  constructor(candidates: readonly T[], previous: Turns<T> | null) {
    this.candidates = candidates;
    this.turns = new Turns(candidates, previous);
  }

  pick(_exchange: Exchange, tried: readonly T[] | null): T | null {
    return this.turns.next(tried);
  }

  peek(): T | null {
    return this.turns.peek();
  }
}
