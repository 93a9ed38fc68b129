/** Options that hold wherever no router binds a host to others. */
export const DEFAULT_TLS_OPTIONS = 'default';

/** What one router says: connections for this host are made with these TLS options. */
export interface TlsBinding {
  /** Lower case: a host name, an IP address, `*.x` for one label before `.x`, or `*` for every host. */
  readonly host: string;
  /** Qualified name of the options; `default` for the default ones. */
  readonly options: string;
}

/** Two routers of one entry point want different TLS options for one host; the host gets the default ones, as in Traefik. */
export interface TlsBindingConflict {
  readonly host: string;
  /** Sorted. */
  readonly options: readonly string[];
}

/**
 * Which TLS options a host of one entry point has. One function answers for the server name of a handshake and for the
 * Host of a request, so that the two can be held against each other (421, RFC 9110 section 15.5.20).
 */
export class HostOptions {
  readonly conflicts: readonly TlsBindingConflict[];
  readonly #exact = new Map<string, string>();
  /** Keyed by what follows the asterisk: `.x`. */
  readonly #wildcard = new Map<string, string>();
  readonly #every: string;

  constructor(bindings: readonly TlsBinding[]) {
    const wanted = new Map<string, string | Set<string>>();
    for (const { host, options } of bindings) {
      const known = wanted.get(host);
      if (known === undefined) wanted.set(host, options);
      else if (typeof known !== 'string') known.add(options);
      else if (known !== options) wanted.set(host, new Set([known, options]));
    }
    const conflicts: TlsBindingConflict[] = [];
    let every = DEFAULT_TLS_OPTIONS;
    for (const [host, options] of wanted) {
      if (typeof options !== 'string') conflicts.push({ host, options: [...options].sort() });
      const name = typeof options === 'string' ? options : DEFAULT_TLS_OPTIONS;
      if (host === '*') every = name;
      else if (host.startsWith('*.')) this.#wildcard.set(host.slice(1), name);
      else this.#exact.set(host, name);
    }
    this.conflicts = conflicts;
    this.#every = every;
  }

  /**
   * The name of the options for a host: exact, then wildcard, then `*`, then `default`.
   *
   * @param host normalised (lower case, no port, no trailing dot); null for a handshake without a server name
   */
  nameFor(host: string | null): string {
    if (host === null) return this.#every;
    const exact = this.#exact.get(host);
    if (exact !== undefined) return exact;
    if (this.#wildcard.size > 0) {
      const dot = host.indexOf('.');
      if (dot > 0) {
        const wildcard = this.#wildcard.get(host.slice(dot));
        if (wildcard !== undefined) return wildcard;
      }
    }
    return this.#every;
  }
}
