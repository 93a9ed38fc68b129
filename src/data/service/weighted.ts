import type { Weighted } from '../../core/config/dynamic.ts';
import { ProxyError } from '../../core/errors.ts';
import { RoundRobin } from '../balancer/round-robin.ts';
import { StickyCookie } from '../balancer/sticky.ts';
import type { Endpoint } from '../balancer/types.ts';
import type { Exchange } from '../exchange.ts';
import { type FindServing, Member, type Serving } from './serving.ts';

/** `weighted`: one of several services, by weight. Those without anybody to answer are passed over. */
export class WeightedService implements Serving {
  readonly name: string;
  readonly #members: readonly Member[];
  readonly #balancer: RoundRobin<Member>;
  readonly #sticky: StickyCookie<Member> | null;

  /** @param previous of the same name before a reload: positions are kept */
  constructor(name: string, config: Weighted, find: FindServing, previous: Serving | null) {
    this.name = name;
    this.#members = config.services.map((service) => new Member(find(service.name), service.weight));
    const turns = previous instanceof WeightedService ? previous.#balancer.turns : null;
    this.#balancer = new RoundRobin(this.#members, turns);
    const cookie = config.sticky?.cookie;
    this.#sticky = cookie === undefined ? null : new StickyCookie(cookie, name, this.#members);
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
    return this.#balancer.peek()?.serving.peek() ?? null;
  }

  handle(exchange: Exchange): void {
    const sticky = this.#sticky;
    const member = sticky?.find(exchange) ?? this.#balancer.pick(exchange, null);
    if (member === null) {
      exchange.serviceName = this.name;
      exchange.fail(new ProxyError('PROXY_NO_SERVER', `${this.name} has no service that can answer`));
      return;
    }
    if (sticky !== null) {
      exchange.onResponse((_, response) => {
        if (exchange.upstreamStatus !== 0) sticky.bind(exchange, member, response.headers);
      });
    }
    member.serving.handle(exchange);
  }
}
