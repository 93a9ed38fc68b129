import { mayServe, wasTried } from '../balancer/turns.ts';
import type { Endpoint } from '../balancer/types.ts';
import type { Exchange } from '../exchange.ts';
import type { ForwardTarget } from './target.ts';

/**
 * Who answers a request: the server that the client is bound to, else the balancer's choice.
 * @param tried who was tried for it and failed; null = nobody
 * @returns null where nobody can
 */
export function chooseEndpoint(
  target: ForwardTarget,
  exchange: Exchange,
  tried: readonly Endpoint[] | null,
): Endpoint | null {
  const { sticky, balancer } = target;
  if (sticky !== null) {
    const bound = sticky.find(exchange);
    if (bound !== null && !wasTried(bound, tried)) return bound;
  }
  const picked = balancer.pick(exchange, tried);
  return picked !== null || !target.leastBad ? picked : leastBad(balancer.candidates, tried);
}

/** Every server that may answer a request, as configured, the preferred one first; empty: nobody is left. */
export function serversFor(
  target: ForwardTarget,
  exchange: Exchange,
  tried: readonly Endpoint[] | null,
  preferred: Endpoint,
): readonly string[] {
  // Who is bound to a server waits for it.
  if (target.sticky?.find(exchange) === preferred) return [preferred.url];
  const urls: string[] = [];
  for (const candidate of target.balancer.candidates) {
    if (candidate.weight === 0 || !mayServe(candidate, tried)) continue;
    if (candidate === preferred) urls.unshift(candidate.url);
    else urls.push(candidate.url);
  }
  return urls.length === 0 && target.leastBad ? [preferred.url] : urls;
}

/** Of those that are out, the one with the least to do; who is drained stays out. */
function leastBad(candidates: readonly Endpoint[], tried: readonly Endpoint[] | null): Endpoint | null {
  let best: Endpoint | null = null;
  for (const candidate of candidates) {
    if (candidate.weight <= 0 || candidate.state.draining || wasTried(candidate, tried)) continue;
    if (best === null || candidate.state.inFlight < best.state.inFlight) best = candidate;
  }
  return best;
}
