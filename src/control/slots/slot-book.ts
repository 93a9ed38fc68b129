import { slotsPerServer } from '../../core/limits.ts';
import type { FromWorker, ToWorker } from '../../core/messages.ts';
import type { Snapshot } from '../../core/snapshot.ts';
import { type Place, ServiceSlots, type SlotStatus } from './service-slots.ts';

/**
 * Who may use which server of the services that have a limit, over all workers. It lives in the primary: workers ask before
 * each request and say when it is over; what a worker held is free when it is gone.
 */
export class SlotBook {
  readonly #send: (worker: number, message: ToWorker) => void;
  readonly #services = new Map<string, ServiceSlots>();
  /** By worker, then by the worker's id of the request. */
  readonly #places = new Map<number, Map<number, Place>>();

  /** @param send to a worker by its number; one that is gone is no error */
  constructor(send: (worker: number, message: ToWorker) => void) {
    this.#send = send;
  }

  /** The limits of a snapshot. Requests that were sent before their service had one are not counted. */
  apply(snapshot: Snapshot): void {
    for (const [name, slots] of this.#services) {
      const config = snapshot.http.services[name]?.config.loadBalancer;
      if (config !== undefined && slotsPerServer(config) > 0) continue;
      slots.lift();
      if (slots.idle) this.#services.delete(name);
    }
    for (const { name, config } of Object.values(snapshot.http.services)) {
      if (config.loadBalancer === undefined || slotsPerServer(config.loadBalancer) === 0) continue;
      this.#service(name).apply(config.loadBalancer);
    }
  }

  receive(worker: number, message: FromWorker): void {
    switch (message.type) {
      case 'slot-request': {
        const { request } = message;
        const place: Place = {
          ...request,
          worker,
          service: this.#service(request.service),
          url: null,
          since: 0,
          expected: 0,
        };
        let places = this.#places.get(worker);
        if (places === undefined) {
          places = new Map();
          this.#places.set(worker, places);
        }
        places.set(request.id, place);
        if (!place.service.ask(place)) places.delete(request.id);
        break;
      }
      case 'slot-among': {
        const place = this.#places.get(worker)?.get(message.id);
        if (place === undefined) break;
        place.among = message.among;
        place.service.serve();
        break;
      }
      case 'slot-release': {
        const place = this.#places.get(worker)?.get(message.id);
        // It was refused as the worker gave it up.
        if (place === undefined) break;
        this.#places.get(worker)!.delete(message.id);
        place.service.release(place);
        break;
      }
    }
  }

  /** A worker is gone: so are its connections. */
  gone(worker: number): void {
    const places = this.#places.get(worker);
    if (places === undefined) return;
    this.#places.delete(worker);
    const all = [...places.values()];
    // Those that wait first, so that nothing is given to them.
    for (const place of all) if (place.url === null) place.service.release(place);
    for (const place of all) if (place.url !== null) place.service.release(place);
  }

  /** By service. */
  get status(): Readonly<Record<string, SlotStatus>> {
    return Object.fromEntries([...this.#services].map(([name, slots]) => [name, slots.status]));
  }

  #service(name: string): ServiceSlots {
    let slots = this.#services.get(name);
    if (slots === undefined) {
      slots = new ServiceSlots(({ worker, id }, url, retryAfterS) =>
        this.#send(worker, { type: 'slot', id, url, retryAfterS }),
      );
      this.#services.set(name, slots);
    }
    return slots;
  }
}
