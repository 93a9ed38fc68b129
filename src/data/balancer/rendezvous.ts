import { clientAddressOf } from '../client-key.ts';
import type { Exchange } from '../exchange.ts';
import { hashText, rendezvousScore } from './hash.ts';
import { mayServe } from './turns.ts';
import type { Balancer, Candidate } from './types.ts';

/** `hrw`, highest random weight: a client keeps its server as long as it is there. The key is the client's address. */
export class Rendezvous<T extends Candidate> implements Balancer<T> {
  readonly candidates: readonly T[];
  readonly measures = false;
  readonly #weighted: readonly T[];
  readonly #hashes: readonly number[];

  constructor(candidates: readonly T[]) {
    this.candidates = candidates;
    this.#weighted = candidates.filter((candidate) => candidate.weight > 0);
    this.#hashes = this.#weighted.map((candidate) => hashText(candidate.url));
  }

  pick(exchange: Exchange, tried: readonly T[] | null): T | null {
    return this.pickFor(hashText(clientAddressOf(exchange)), tried, null);
  }

  /** @param isFull whom to pass over while anybody else can be had */
  pickFor(key: number, tried: readonly T[] | null, isFull: ((candidate: T) => boolean) | null): T | null {
    const weighted = this.#weighted;
    let best: T | null = null;
    let bestScore = -1;
    for (let i = 0; i < weighted.length; i++) {
      const candidate = weighted[i]!;
      if (!mayServe(candidate, tried)) continue;
      const score = rendezvousScore(key, this.#hashes[i]!, candidate.weight * candidate.state.share);
      if (score <= bestScore || isFull?.(candidate) === true) continue;
      best = candidate;
      bestScore = score;
    }
    return best === null && isFull !== null ? this.pickFor(key, tried, null) : best;
  }
}
