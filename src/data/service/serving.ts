import type { Candidate, Endpoint } from '../balancer/types.ts';
import type { Exchange } from '../exchange.ts';

/** A service, compiled: what a router's pipeline ends in. Services of services nest. */
export interface Serving {
  /** Qualified. */
  readonly name: string;
  /** Whether it has somebody to answer new requests. */
  readonly available: boolean;
  /** Whether it has somebody to answer clients that are bound to it. */
  readonly reachable: boolean;
  /** Every server that may answer, those of services below it too. For people. */
  readonly endpoints: readonly Endpoint[];
  /** Who would be next in this worker; null where nobody can, or it depends on the request. For people. */
  peek(): Endpoint | null;
  /** Answers, sooner or later; every failure becomes the exchange's. */
  handle(exchange: Exchange): void;
}

/** A service among others, for balancers. */
export class Member implements Candidate {
  readonly url: string;
  readonly weight: number;
  readonly serving: Serving;

  constructor(serving: Serving, weight: number) {
    this.url = serving.name;
    this.serving = serving;
    this.weight = weight;
  }

  get state(): this {
    return this;
  }

  get available(): boolean {
    return this.serving.available;
  }

  get reachable(): boolean {
    return this.serving.reachable;
  }

  readonly share = 1;
}

/** Finds a service by its qualified name. @throws where it cannot be served */
export type FindServing = (name: string) => Serving;
