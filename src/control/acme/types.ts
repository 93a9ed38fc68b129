import type { AcmeConfig } from '../../core/config/static.ts';

/**
 * Certificates by ACME (RFC 8555), as the rest of the control plane sees them:
 *
 *   want(list) ─► one entry for each distinct set of names ─► due? ─► order ─► challenge ─► certificate ─► storage
 *        ▲                                                                  │                    │
 *     a build                                             onChallenges() ◄──┘                    └──► onCertificates()
 *
 * Made by `openAcmeManager(options: AcmeOptions): Promise<AcmeManager>` (manager.ts), which has read the storage when it resolves.
 * The manager knows accounts, orders, storage and the schedule. It knows neither snapshots nor workers: whoever holds it says
 * what is wanted, serves what it gives, and answers the challenges it names.
 */
export interface AcmeManager {
  /**
   * The whole set that is wanted now. Sets of names that no longer are stop being renewed, and are dropped after their expiry.
   * Never throws and never waits: orders run on their own.
   */
  want(list: readonly WantedCertificate[]): void;
  /**
   * What can be served now, also what is no longer wanted and has not expired. An expired one stays as long as it is wanted:
   * whether to serve it is the caller's choice. The same array while nothing changes, and the same object for the same certificate.
   */
  certificates(): readonly AcmeCertificate[];
  readonly challenges: AcmeChallenges;
  /** One for each distinct set of names, the wanted ones first, in a stable order. */
  status(): readonly AcmeStatus[];
  /** One for each resolver: the account, the storage, an outage of its CA. */
  resolvers(): readonly AcmeResolverStatus[];
  /**
   * Orders a new certificate for each set that has this name (or is named by it) now, whatever its age; joins an order that is
   * running already. Resolves when `certificates()` has the new ones.
   *
   * @throws AcmeError where no set has this name, or the order failed (the message is the CA's); the schedule goes on
   */
  renew(name: string): Promise<readonly AcmeCertificate[]>;
  /**
   * Revokes the certificates of this name at the CA and drops them; what is still wanted is ordered again at once, with a new key.
   *
   * @throws AcmeError where there is none, or the CA refused
   */
  revoke(name: string): Promise<void>;
  /** Ends the orders that run (they are resumed after a restart), writes what is not yet stored, gives the storage free. */
  close(): Promise<void>;
}

/** A certificate that something in the configuration needs. */
export interface WantedCertificate {
  /** The name of a resolver. One that does not exist, or has no `acme`, is ignored here: the build has a diagnostic for it. */
  readonly resolver: string;
  /** DNS name (a wildcard too) or IP address; the common name. */
  readonly main: string;
  readonly sans: readonly string[];
  /** The routers it is for; for messages. */
  readonly for: readonly string[];
}

export interface AcmeCertificate {
  readonly resolver: string;
  readonly main: string;
  readonly sans: readonly string[];
  /** PEM: the leaf, then its issuers. */
  readonly cert: string;
  /** PEM. */
  readonly key: string;
  /** The TLS store that Traefik's file names for it; `default`. */
  readonly store: string;
}

export interface AcmeChallenges {
  /** The body for `GET /.well-known/acme-challenge/TOKEN` (RFC 8555 section 8.3), while that challenge is open. */
  http01(token: string): string | undefined;
  /** The tokens that `http01` knows: workers pass requests for these on, and for no other. */
  tokens(): readonly string[];
  /** What a ClientHello with the ALPN protocol `acme-tls/1` is answered with (RFC 8737). The same array while nothing changes. */
  alpn(): readonly AlpnChallenge[];
}

export interface AlpnChallenge {
  /** The SNI the CA will send: the DNS name, or the reverse-mapping name of an IP address (RFC 8738 section 6). */
  readonly name: string;
  readonly cert: string;
  readonly key: string;
}

/**
 * - `waiting`: nothing there yet, an order is due or will be;
 * - `ordering`: an order runs;
 * - `valid`: served, and the next renewal is scheduled;
 * - `failed`: the last order failed; what is still there is served (see `notAfter`), `nextAttempt` says when the next is tried;
 * - `unused`: no longer wanted, dropped after its expiry.
 */
export type AcmeState = 'waiting' | 'ordering' | 'valid' | 'failed' | 'unused';

/** Times are milliseconds since the epoch. */
export interface AcmeStatus {
  readonly resolver: string;
  readonly main: string;
  readonly sans: readonly string[];
  readonly for: readonly string[];
  readonly state: AcmeState;
  /** Of the certificate that is served; absent where there is none. */
  readonly issuer?: string;
  readonly serial?: string;
  readonly notBefore?: number;
  readonly notAfter?: number;
  /** When it is renewed; absent where no renewal is scheduled. */
  readonly nextRenewal?: number;
  /** After a failure: when the next order is tried. */
  readonly nextAttempt?: number;
  readonly failures: number;
  readonly lastError?: string;
  readonly lastErrorAt?: number;
  /** While an order runs: the step it is at, for example `challenge a.example (http-01)`. */
  readonly progress?: string;
  /** False: it is served from memory alone, because the storage could not be written; tried again. */
  readonly stored: boolean;
}

export interface AcmeResolverStatus {
  readonly resolver: string;
  readonly caServer: string;
  /** The account's URL, once there is one. */
  readonly account?: string;
  readonly storage: string;
  /** Why the storage cannot be read or written. */
  readonly storageError?: string;
  /** The CA cannot be reached: since when, why, and when it is tried again. */
  readonly outage?: { readonly since: number; readonly error: string; readonly nextAttempt: number };
}

export interface AcmeOptions {
  /** By name: the `acme` part of each `certificatesResolvers` entry that has one. */
  readonly resolvers: Readonly<Record<string, AcmeConfig>>;
  readonly log: AcmeLog;
  /** There is something new to serve, or something is gone: `certificates()` changed. */
  readonly onCertificates: () => void;
  /**
   * `challenges` changed. Resolves when every worker answers for them; awaited (for a bounded time) before the CA is told to look.
   */
  readonly onChallenges: () => Promise<void>;
  /** Whether an address and port are this proxy's own: a CA's name that leads there is a circle, and is said to be one. */
  readonly isSelf?: (address: string, port: number) => boolean;
  readonly clock?: Clock;
  /** For tests, and for gateways that map the ports: where a failed challenge is looked at. Default 80 and 443. */
  readonly probePorts?: { readonly http: number; readonly tls: number };
  /** Name resolution for the CA and for the look at a failed challenge; the system's by default. */
  readonly lookup?: Lookup;
  /** The environment, for lego's `LEGO_CA_*` and the challenge scripts; `process.env` by default. */
  readonly env?: NodeJS.ProcessEnv;
  /** Orders under way at once at one CA; 8. */
  readonly maxOrders?: number;
}

export type AcmeLog = (
  level: 'debug' | 'info' | 'warn' | 'error',
  message: string,
  fields?: Record<string, unknown>,
) => void;

/** All addresses of a host name. */
export type Lookup = (host: string) => Promise<readonly { readonly address: string; readonly family: number }[]>;

/** Time as the schedule sees it. */
export interface Clock {
  /** Milliseconds since the epoch. */
  now(): number;
  /** Calls once, after `ms`; the function it returns cancels. Does not keep the process alive. */
  after(ms: number, call: () => void): () => void;
}
