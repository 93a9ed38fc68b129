import type { ConnectionCounts } from '../core/connection-counts.ts';

/** Bounds of one entry point; 0 = none. */
export interface ConnectionLimits {
  readonly maxConnections: number;
  readonly maxConnectionsPerIP: number;
}

/** Which limit a connection would break. */
export type Excess = 'total' | 'address';

interface Neighbour {
  total: number;
  readonly addresses: Map<string, number>;
}

/**
 * The open connections of one entry point: those of this worker, counted, and those of the other workers, as they last said.
 * A worker says at once that something changed and is heard within a tenth of a second, so the limits hold for all workers
 * together but for what comes in that moment.
 */
export class OpenConnections {
  #total = 0;
  readonly #addresses = new Map<string, number>();
  readonly #neighbours = new Map<number, Neighbour>();
  #totalElsewhere = 0;
  readonly #addressesElsewhere = new Map<string, number>();
  /** Addresses whose count the others do not know. */
  readonly #changed = new Set<string>();

  /** The limit that one more connection from this address would break, `null` where none. */
  excess(address: string, limits: ConnectionLimits, trusted: boolean): Excess | null {
    const { maxConnections, maxConnectionsPerIP } = limits;
    if (maxConnections > 0 && this.#total + this.#totalElsewhere >= maxConnections) return 'total';
    // A gateway that is trusted speaks for many clients.
    if (maxConnectionsPerIP === 0 || trusted) return null;
    const here = this.#addresses.get(address) ?? 0;
    const elsewhere = this.#addressesElsewhere.get(address) ?? 0;
    return here + elsewhere >= maxConnectionsPerIP ? 'address' : null;
  }

  opened(address: string): void {
    this.#total++;
    add(this.#addresses, address, 1);
    this.#changed.add(address);
  }

  closed(address: string): void {
    this.#total--;
    add(this.#addresses, address, -1);
    this.#changed.add(address);
  }

  /** What changed since the last call; `null` = nothing. */
  changes(): ConnectionCounts | null {
    if (this.#changed.size === 0) return null;
    const addresses: Record<string, number> = {};
    for (const address of this.#changed) addresses[address] = this.#addresses.get(address) ?? 0;
    this.#changed.clear();
    return { total: this.#total, addresses };
  }

  /** For a worker that has just begun to listen: everything counts as changed. */
  sayAll(): void {
    for (const address of this.#addresses.keys()) this.#changed.add(address);
  }

  /** Another worker said what changed. */
  heard(worker: number, { total, addresses }: ConnectionCounts): void {
    let neighbour = this.#neighbours.get(worker);
    if (neighbour === undefined) {
      neighbour = { total: 0, addresses: new Map() };
      this.#neighbours.set(worker, neighbour);
    }
    this.#totalElsewhere += total - neighbour.total;
    neighbour.total = total;
    for (const [address, count] of Object.entries(addresses)) {
      const change = count - (neighbour.addresses.get(address) ?? 0);
      add(neighbour.addresses, address, change);
      add(this.#addressesElsewhere, address, change);
    }
  }

  /** Another worker has ended. */
  gone(worker: number): void {
    const neighbour = this.#neighbours.get(worker);
    if (neighbour === undefined) return;
    this.#neighbours.delete(worker);
    this.#totalElsewhere -= neighbour.total;
    for (const [address, count] of neighbour.addresses) add(this.#addressesElsewhere, address, -count);
  }
}

/** Adds to a count; one that is 0 takes no room. */
function add(counts: Map<string, number>, address: string, change: number): void {
  const count = (counts.get(address) ?? 0) + change;
  if (count === 0) counts.delete(address);
  else counts.set(address, count);
}
