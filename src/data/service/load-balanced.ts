import { withAffinity } from '../balancer/affinity.ts';
import type { Endpoint } from '../balancer/types.ts';
import type { Exchange } from '../exchange.ts';
import { forward } from '../forward/forward.ts';
import type { ForwardTarget } from '../forward/target.ts';
import type { Serving } from './serving.ts';

/** A `loadBalancer`: the servers themselves. */
export class LoadBalancedService implements Serving {
  readonly name: string;
  readonly target: ForwardTarget;

  constructor(target: ForwardTarget) {
    this.name = target.name;
    this.target = target;
  }

  get available(): boolean {
    const { candidates } = this.target.balancer;
    for (let i = 0; i < candidates.length; i++) {
      if (candidates[i]!.weight > 0 && candidates[i]!.state.available) return true;
    }
    return false;
  }

  get reachable(): boolean {
    return this.target.balancer.candidates.some((endpoint) => endpoint.state.reachable);
  }

  get endpoints(): readonly Endpoint[] {
    return this.target.balancer.candidates;
  }

  peek(): Endpoint | null {
    return this.target.balancer.peek?.() ?? null;
  }

  handle(exchange: Exchange): void {
    const { affinity } = this.target;
    if (affinity === null) {
      forward(exchange, this.target);
      return;
    }
    exchange.serviceName = this.name;
    withAffinity(affinity, exchange, () => forward(exchange, this.target));
  }
}
