import type { LoadBalancer } from '../../core/config/dynamic.ts';
import { LeastConnections } from './least-connections.ts';
import { LeastTime } from './least-time.ts';
import { PowerOfTwo } from './power-of-two.ts';
import { Rendezvous } from './rendezvous.ts';
import { RoundRobin } from './round-robin.ts';
import type { Turns } from './turns.ts';
import type { Balancer, Candidate, Endpoint } from './types.ts';

/** The balancer of a strategy. @param previous of the same service before a reload: positions are kept */
export function makeBalancer(
  strategy: LoadBalancer['strategy'],
  endpoints: readonly Endpoint[],
  previous: Balancer | null,
): Balancer {
  switch (strategy) {
    case 'wrr':
      return new RoundRobin(endpoints, turnsOf(previous));
    case 'p2c':
      return new PowerOfTwo(endpoints);
    case 'hrw':
      return new Rendezvous(endpoints);
    case 'leasttime':
      return new LeastTime(endpoints, turnsOf(previous));
    case 'leastconn':
      return new LeastConnections(endpoints, turnsOf(previous));
  }
}

/** The positions of a balancer that has some. */
export function turnsOf<T extends Candidate>(balancer: Balancer<T> | null): Turns<T> | null {
  return balancer !== null && 'turns' in balancer ? (balancer.turns as Turns<T>) : null;
}
