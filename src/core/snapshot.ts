import type {
  ConfiguredTimeouts,
  Middleware,
  Observability,
  RouterTls,
  ServersTransport,
  Service,
} from './config/dynamic.ts';
import type { Diagnostic } from './diagnostic.ts';

/**
 * The checked, frozen, versioned whole that the primary hands to the workers. Plain data (structured clone), and
 * complete: a worker reads no file. Names are qualified (`name@provider`), references are resolved, PEM is inlined.
 */
export interface Snapshot {
  readonly version: number;
  /** Milliseconds since the epoch. */
  readonly createdAt: number;
  readonly entryPoints: Readonly<Record<string, EntryPointSnapshot>>;
  readonly http: {
    readonly routers: Readonly<Record<string, RouterSnapshot>>;
    readonly services: Readonly<Record<string, ServiceSnapshot>>;
    readonly middlewares: Readonly<Record<string, MiddlewareSnapshot>>;
    readonly serversTransports: Readonly<Record<string, ServersTransportSnapshot>>;
  };
  readonly tls: TlsSnapshot;
  /** Unix socket of the primary where `api@internal`, `ping@internal` and `acme-http@internal` are served. */
  readonly internalSocket: string;
}

/** What a checked object is worth: `disabled` is not served, `warning` is served and has something to say. */
export type Status = 'enabled' | 'warning' | 'disabled';

interface Checked {
  /** Qualified: `name@provider`. */
  readonly name: string;
  readonly status: Status;
  /** One line for each problem, as the API shows them. */
  readonly errors: readonly string[];
}

/** Where clients connect. From the static configuration; a change of the address needs a restart. */
export interface EntryPointSnapshot {
  readonly name: string;
  /** IP address to bind, `::` for all (dual stack). */
  readonly host: string;
  readonly port: number;
  readonly asDefault: boolean;
  readonly forwardedHeaders: { readonly insecure: boolean; readonly trustedIPs: readonly string[] };
  /** Milliseconds; 0 = off. */
  readonly timeouts: {
    /** The whole head must arrive in this time. */
    readonly headerMs: number;
    /** Longest silence inside a body, either way. */
    readonly bodyIdleMs: number;
    /** Longest wait between two requests of one connection. */
    readonly keepAliveMs: number;
  };
  readonly lifeCycle: { readonly requestAcceptGraceMs: number; readonly graceMs: number };
  readonly maxHeaderBytes: number;
  /** 0 = no limit. */
  readonly limits: {
    readonly maxConnections: number;
    readonly maxConnectionsPerIP: number;
    readonly maxHeaders: number;
    readonly maxRequestLineBytes: number;
    /** On one connection. */
    readonly maxRequests: number;
    /** Of a connection: it serves no request after this. */
    readonly maxAgeMs: number;
  };
  readonly sanitizePath: boolean;
  /** What becomes of a request's fields whose names have a `_`, which some backends take for `-`. */
  readonly underscoreHeaders: 'keep' | 'delete' | 'reject';
  /** Upper-case hexadecimal digits of the characters that may not stand encoded in a path. */
  readonly refusedEncodings: readonly string[];
  /** Whether requests get a line in the access log: those without a router, and those of routers that do not say. */
  readonly accessLogs: boolean;
}

/**
 * One router. Where an entry point adds middlewares or TLS to its routers, a router of several entry points is one for
 * each of them (`web-name@file`), as in Traefik, so that what stands here is all there is to do.
 */
export interface RouterSnapshot extends Checked {
  readonly entryPoints: readonly string[];
  readonly rule: string;
  /** Resolved: the rule's length in bytes where the operator gave none. */
  readonly priority: number;
  /** Qualified, in order; those of the entry point come first. */
  readonly middlewares: readonly string[];
  /** Qualified. */
  readonly service: string;
  /** Set: sees only TLS requests. Absent: sees only plaintext. `options` is resolved: `default`, or qualified. */
  readonly tls?: { readonly options: string } & Omit<RouterTls, 'options'>;
  readonly observability?: Observability;
  readonly timeouts?: ConfiguredTimeouts;
  /**
   * Set where serving would be unsafe (an auth middleware that cannot be done): the router still matches, and every
   * request gets a 500 with this reason in the log.
   */
  readonly refuse?: string;
}

export interface ServiceSnapshot extends Checked {
  /** `internal`: served by the primary on `internalSocket`. */
  readonly kind: 'configured' | 'internal';
  /**
   * Empty where the service is internal, or so wrong that nothing could be read. A loadBalancer has only the servers that
   * can be used, and one without `serversTransport` uses `default@internal`.
   */
  readonly config: Service;
}

export interface MiddlewareSnapshot extends Checked {
  /** Members of a chain are qualified; users of a `usersFile` are among `users`. Empty where nothing could be read. */
  readonly config: Middleware;
  /** Set where this version cannot do it and nothing is less safe without: workers leave it out. */
  readonly skip?: true;
}

/** As configured, with file references replaced by their content. */
export interface ServersTransportSnapshot extends Checked {
  readonly config: ServersTransport;
  readonly rootCAs: readonly string[];
  readonly certificates: readonly KeyPairPem[];
}

export interface KeyPairPem {
  readonly cert: string;
  readonly key: string;
}

export interface CertificateSnapshot extends KeyPairPem {
  /** sha256 fingerprint of the leaf: what says that two are the same. */
  readonly fingerprint: string;
  /** DNS names (lower case, `*.x` kept) and IP addresses. */
  readonly names: readonly string[];
  /** Milliseconds since the epoch. */
  readonly notBefore: number;
  readonly notAfter: number;
  /** Where it came from, for people: a path, `inline`, `acme RESOLVER`. */
  readonly origin: string;
  /** The resolver that it was ordered from. Such a one is not served past its expiry where `sniStrict` holds. */
  readonly resolver?: string;
}

export type ClientAuthType =
  | 'NoClientCert'
  | 'RequestClientCert'
  | 'RequireAnyClientCert'
  | 'VerifyClientCertIfGiven'
  | 'RequireAndVerifyClientCert';

export interface TlsOptionsSnapshot {
  readonly name: string;
  readonly minVersion: 'TLSv1' | 'TLSv1.1' | 'TLSv1.2' | 'TLSv1.3';
  readonly maxVersion: 'TLSv1' | 'TLSv1.1' | 'TLSv1.2' | 'TLSv1.3';
  /** OpenSSL names for TLS 1.2 and below, colon separated; absent = the default list. TLS 1.3's are always offered. */
  readonly ciphers?: string;
  /** OpenSSL group names, colon separated; absent = default. */
  readonly curves?: string;
  readonly clientAuth: { readonly type: ClientAuthType; readonly ca: readonly string[] };
  readonly sniStrict: boolean;
  readonly alpnProtocols: readonly string[];
  readonly sessionTickets: boolean;
  /**
   * Set where serving would be unsafe (a client CA that cannot be read): every handshake with these options is refused,
   * with this reason in the log.
   */
  readonly refuse?: string;
}

export interface TlsSnapshot {
  readonly certificates: readonly CertificateSnapshot[];
  readonly defaultCertificate: CertificateSnapshot;
  /** Keyed by qualified name; `default` is always there. */
  readonly options: Readonly<Record<string, TlsOptionsSnapshot>>;
  /** 48 bytes as base64, the same for all workers, so that tickets resume everywhere. */
  readonly ticketKeys: string;
}

/** What one build of a snapshot came to. */
export interface Outcome {
  readonly snapshot: Snapshot;
  readonly diagnostics: readonly Diagnostic[];
}
