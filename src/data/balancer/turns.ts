import type { Candidate } from './types.ts';

/** One candidate's place in a smooth weighted round. */
export interface Turn<T extends Candidate> {
  readonly candidate: T;
  current: number;
  /** For strategies that compare: this pick's score; the lowest wins. Infinity = not to be chosen. */
  score: number;
}

/**
 * The turns of a smooth weighted round robin: each pick raises everybody by their weight, the highest wins and pays what all
 * were raised by. In each round of `sum(weights)` picks everybody gets exactly their share, spread evenly. Who is not
 * available, of weight 0 or already tried takes no part and keeps its place.
 */
export class Turns<T extends Candidate> {
  readonly list: readonly Turn<T>[];

  /** @param previous whose places are taken over, so that a reload does not begin anew */
  constructor(candidates: readonly T[], previous: Turns<T> | null) {
    this.list = candidates
      .filter((candidate) => candidate.weight > 0)
      .map((candidate) => ({ candidate, current: previous?.place(candidate.url) ?? 0, score: 0 }));
  }

  place(url: string): number {
    return this.list.find((turn) => turn.candidate.url === url)?.current ?? 0;
  }

  /** The next of all that may be chosen. */
  next(tried: readonly T[] | null): T | null {
    const { list } = this;
    let best: Turn<T> | null = null;
    let total = 0;
    for (let i = 0; i < list.length; i++) {
      const turn = list[i]!;
      const { candidate } = turn;
      if (!mayServe(candidate, tried)) continue;
      const weight = candidate.weight * candidate.state.share;
      total += weight;
      turn.current += weight;
      if (best === null || turn.current > best.current) best = turn;
    }
    if (best === null) return null;
    best.current -= total;
    return best.candidate;
  }

  /** Who {@link next} would give, without a turn being taken. */
  peek(): T | null {
    let best: T | null = null;
    let most = Number.NEGATIVE_INFINITY;
    for (const { candidate, current } of this.list) {
      if (!mayServe(candidate, null)) continue;
      const next = current + candidate.weight * candidate.state.share;
      if (next <= most) continue;
      most = next;
      best = candidate;
    }
    return best;
  }

  /** The next of those with the lowest score, which the caller has set on every turn. */
  nextOfLowest(): T | null {
    const { list } = this;
    let lowest = Number.POSITIVE_INFINITY;
    for (let i = 0; i < list.length; i++) if (list[i]!.score < lowest) lowest = list[i]!.score;
    if (lowest === Number.POSITIVE_INFINITY) return null;
    let best: Turn<T> | null = null;
    let total = 0;
    for (let i = 0; i < list.length; i++) {
      const turn = list[i]!;
      if (turn.score !== lowest) continue;
      const weight = turn.candidate.weight * turn.candidate.state.share;
      total += weight;
      turn.current += weight;
      if (best === null || turn.current > best.current) best = turn;
    }
    best!.current -= total;
    return best!.candidate;
  }
}

/** Whether a candidate of a weight above 0 may be chosen. */
export function mayServe<T extends Candidate>(candidate: T, tried: readonly T[] | null): boolean {
  return candidate.state.available && !wasTried(candidate, tried);
}

/** By what is known of it: a server may be listed twice. */
export function wasTried<T extends Candidate>(candidate: T, tried: readonly T[] | null): boolean {
  if (tried === null) return false;
  for (let i = 0; i < tried.length; i++) if (tried[i]!.state === candidate.state) return true;
  return false;
}
