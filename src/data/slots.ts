import type { Queue } from '../core/config/dynamic.ts';
import type { FromWorker, SlotRequest } from '../core/messages.ts';
import { hashText } from './balancer/hash.ts';
import { clientAddressOf } from './client-key.ts';
import type { Exchange } from './exchange.ts';

/** A request that waits for a place at a server. */
export interface SlotWaiter {
  /** It has one: at this server, as configured. To be given back by {@link SlotDesk.release}. */
  onSlot(url: string): void;
  /** There is none, not even to wait. */
  onNoSlot(retryAfterS: number): void;
  /** Nobody is left who could answer. */
  onNoServer(): void;
  /** The servers that may be used now, the preferred one first; empty: none is there. */
  among(): readonly string[];
}

interface Waiting {
  readonly waiter: SlotWaiter;
  among: readonly string[];
}

/** Where a worker asks the primary for places at servers that have a limit, see SlotBook. */
export class SlotDesk {
  readonly #send: (message: FromWorker) => void;
  readonly #waiting = new Map<number, Waiting>();
  #ids = 0;

  constructor(send: (message: FromWorker) => void) {
    this.#send = send;
  }

  /** Requests that wait now. */
  get size(): number {
    return this.#waiting.size;
  }

  /** Asks; the answer comes later. Returns the place's id. */
  ask(request: Omit<SlotRequest, 'id'>, waiter: SlotWaiter): number {
    const id = ++this.#ids;
    this.#waiting.set(id, { waiter, among: request.among });
    this.#send({ type: 'slot-request', request: { id, ...request } });
    return id;
  }

  /** Gives a place back, or waits no longer. */
  release(id: number): void {
    this.#waiting.delete(id);
    this.#send({ type: 'slot-release', id });
  }

  /** The primary's answer. */
  receive(id: number, url: string | null, retryAfterS: number): void {
    const waiting = this.#waiting.get(id);
    // Given up meanwhile: the release is on its way.
    if (waiting === undefined) return;
    this.#waiting.delete(id);
    if (url === null) waiting.waiter.onNoSlot(retryAfterS);
    else waiting.waiter.onSlot(url);
  }

  /** Called each time the coarse clock advances: servers come and go while requests wait. */
  tick(): void {
    for (const [id, waiting] of this.#waiting) {
      const among = waiting.waiter.among();
      if (among.length === 0) {
        this.release(id);
        waiting.waiter.onNoServer();
        continue;
      }
      if (sameServers(among, waiting.among)) continue;
      waiting.among = among;
      this.#send({ type: 'slot-among', id, among });
    }
  }
}

/** Whether two lists have the same members; who is preferred does not matter to who waits. */
function sameServers(a: readonly string[], b: readonly string[]): boolean {
  return a.length === b.length && a.every((url) => b.includes(url));
}

/** How requests of one service wait for places. */
export class SlotPolicy {
  readonly desk: SlotDesk;
  /** Milliseconds, 0 = no limit. */
  readonly timeoutMs: number;
  /** Whether the least busy server is taken, as all workers together see it. */
  readonly leastBusy: boolean;
  readonly #priorityHeader: string | null;
  readonly #fairBy: string | null;

  constructor(desk: SlotDesk, queue: Queue | undefined, leastBusy: boolean) {
    this.desk = desk;
    this.leastBusy = leastBusy;
    this.timeoutMs = Math.min(2 ** 31 - 1, Math.max(0, queue?.timeout ?? 0));
    this.#priorityHeader = queue?.priorityHeader?.toLowerCase() ?? null;
    this.#fairBy = queue?.fairBy?.toLowerCase() ?? null;
  }

  /** Higher goes first. */
  priorityOf(exchange: Exchange): number {
    if (this.#priorityHeader === null) return 0;
    const value = Number(exchange.headers.get(this.#priorityHeader) ?? 0);
    return Number.isSafeInteger(value) ? value : 0;
  }

  /** Who shares; what a client wrote leaves this process only as a hash. Empty where nobody is told apart. */
  fairKeyOf(exchange: Exchange): string {
    if (this.#fairBy === null) return '';
    const key = this.#fairBy === 'clientip' ? clientAddressOf(exchange) : (exchange.headers.get(this.#fairBy) ?? '');
    return String(hashText(key));
  }
}
