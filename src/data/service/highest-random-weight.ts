import type { HighestRandomWeight } from '../../core/config/dynamic.ts';
import { ProxyError } from '../../core/errors.ts';
import { Rendezvous } from '../balancer/rendezvous.ts';
import type { Endpoint } from '../balancer/types.ts';
import type { Exchange } from '../exchange.ts';
import { type FindServing, Member, type Serving } from './serving.ts';

/** `highestRandomWeight`: a client keeps its service, by its address. */
export class HighestRandomWeightService implements Serving {
  readonly name: string;
  readonly #members: readonly Member[];
  readonly #balancer: Rendezvous<Member>;

  constructor(name: string, config: HighestRandomWeight, find: FindServing) {
    this.name = name;
    this.#members = config.services.map((service) => new Member(find(service.name), service.weight));
    this.#balancer = new Rendezvous(this.#members);
  }

  get available(): boolean {
    return this.#members.some((member) => member.weight > 0 && member.available);
  }

  get reachable(): boolean {
    return this.#members.some((member) => member.reachable);
  }

  get endpoints(): readonly Endpoint[] {
    return this.#members.flatMap((member) => member.serving.endpoints);
  }

  peek(): Endpoint | null {
    return null;
  }

  handle(exchange: Exchange): void {
    const member = this.#balancer.pick(exchange, null);
    if (member !== null) {
      member.serving.handle(exchange);
      return;
    }
    exchange.serviceName = this.name;
    exchange.fail(new ProxyError('PROXY_NO_SERVER', `${this.name} has no service that can answer`));
  }
}
