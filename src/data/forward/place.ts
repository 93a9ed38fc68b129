import { ProxyError } from '../../core/errors.ts';
import { NO_AFFINITY } from '../balancer/affinity.ts';
import type { Endpoint } from '../balancer/types.ts';
import type { Exchange } from '../exchange.ts';
import type { SlotPolicy, SlotWaiter } from '../slots.ts';
import { chooseEndpoint, serversFor } from './choose.ts';
import type { ForwardTarget } from './target.ts';

/** Who needs a place. */
export interface PlaceUser {
  onPlace(endpoint: Endpoint): void;
  onNoPlace(error: ProxyError): void;
}

/** A request's place at a server that has a limit: waited for, had, given back. */
export class Place implements SlotWaiter {
  readonly #target: ForwardTarget;
  readonly #slots: SlotPolicy;
  readonly #exchange: Exchange;
  readonly #user: PlaceUser;
  #preferred!: Endpoint;
  #tried: readonly Endpoint[] | null = null;
  /** Of the place had or waited for; 0 = none. */
  #id = 0;
  #timer: NodeJS.Timeout | null = null;

  constructor(target: ForwardTarget, slots: SlotPolicy, exchange: Exchange, user: PlaceUser) {
    this.#target = target;
    this.#slots = slots;
    this.#exchange = exchange;
    this.#user = user;
  }

  /** Asks for one; the user is told, sooner or later. @param tried who is not to be used */
  ask(preferred: Endpoint, tried: readonly Endpoint[] | null): void {
    const { timeoutMs, desk, leastBusy } = this.#slots;
    const exchange = this.#exchange;
    this.#preferred = preferred;
    this.#tried = tried;
    if (timeoutMs > 0) this.#timer = setTimeout(() => this.#waitedTooLong(timeoutMs), timeoutMs);
    const request = {
      service: this.#target.name,
      among: this.among(),
      // Who has a key is to find its server.
      leastBusy: leastBusy && exchange.affinityKey === NO_AFFINITY,
      priority: this.#slots.priorityOf(exchange),
      fairKey: this.#slots.fairKeyOf(exchange),
    };
    this.#id = desk.ask(request, this);
  }

  /** Gives it back, or waits no longer. */
  release(): void {
    this.#stopWaiting();
    if (this.#id === 0) return;
    const id = this.#id;
    this.#id = 0;
    this.#slots.desk.release(id);
  }

  among(): readonly string[] {
    return serversFor(this.#target, this.#exchange, this.#tried, this.#preferred);
  }

  onSlot(url: string): void {
    this.#stopWaiting();
    if (this.among().includes(url)) {
      this.#user.onPlace(this.#target.balancer.candidates.find((candidate) => candidate.url === url)!);
      return;
    }
    // It went away meanwhile.
    this.release();
    const endpoint = chooseEndpoint(this.#target, this.#exchange, this.#tried);
    if (endpoint === null) this.onNoServer();
    else this.ask(endpoint, this.#tried);
  }

  onNoSlot(retryAfterS: number): void {
    this.#id = 0;
    this.#refuse('every server is at its limit, and no more may wait', retryAfterS);
  }

  onNoServer(): void {
    this.#id = 0;
    this.#stopWaiting();
    this.#user.onNoPlace(new ProxyError('PROXY_NO_SERVER', `${this.#target.name} has no server`));
  }

  #waitedTooLong(ms: number): void {
    this.#timer = null;
    this.release();
    this.#refuse(`waited ${ms} ms for a server`, Math.max(1, Math.ceil(ms / 1000)));
  }

  #refuse(detail: string, retryAfterS: number): void {
    this.#stopWaiting();
    const error = new ProxyError('PROXY_OVERLOADED', `${this.#target.name}: ${detail}`);
    error.retryAfterS = retryAfterS;
    this.#user.onNoPlace(error);
  }

  #stopWaiting(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
  }
}
