import { z } from 'zod';

/** A request that nobody makes: what would become of it is asked. */
export const explainRequestSchema = z.strictObject({
  /** By TLS. */
  secure: z.boolean(),
  /** The Host header, or what an HTTP/2 client names. */
  authority: z.string().max(1024),
  /** Of the handshake; lower case. Null for a client that sends none: browsers do not for an IP address. */
  serverName: z.string().max(255).nullable(),
  /** The address that it connects to, where that is one. */
  localAddress: z.string().max(64).nullable(),
  port: z.number().int().min(1).max(65_535),
  /** Whether the URL names the port: if not, it may be another one that is mapped to an entry point. */
  portNamed: z.boolean(),
  /** Path and query, each character one byte. */
  target: z.string().max(65_536),
  method: z.string().min(1).max(64),
  headers: z.array(z.tuple([z.string().max(1024), z.string().max(65_536)])).max(1000),
  clientIp: z.string().max(64),
  entryPoint: z.string().max(1024).optional(),
});
export type ExplainRequest = z.output<typeof explainRequestSchema>;

/** What a worker would do with a request, and why. */
export interface Explained {
  /** Of the snapshot that was asked. */
  readonly version: number;
  readonly worker: number;
  /** Null where no entry point can be told; `answer` says why. */
  readonly entryPoint: { readonly name: string; readonly address: string; readonly why: string } | null;
  /** Null for a plain request. */
  readonly tls: ExplainedTls | null;
  /** As rules see it. */
  readonly request: {
    readonly host: string;
    readonly path: string;
    readonly query: string;
    readonly method: string;
    readonly clientIp: string;
  };
  /** What the proxy answers by itself, and why; null where the router's service answers. */
  readonly answer: { readonly status: number; readonly code: string; readonly why: string } | null;
  readonly router: { readonly name: string; readonly rule: string; readonly priority: number } | null;
  /** Routers that did not get it, those that came near first. */
  readonly lost: readonly LostRouter[];
  /** How many more there are. */
  readonly alsoLost: number;
  /** In order, chains replaced by what they consist of. */
  readonly middlewares: readonly { readonly name: string; readonly type: string }[];
  readonly service: ExplainedService | null;
}

export interface ExplainedTls {
  readonly serverName: string | null;
  /** Name of the TLS options. */
  readonly options: string;
  readonly clientAuth: string;
  /** Why the handshake fails. */
  readonly failure: string | null;
  readonly certificate: {
    readonly names: readonly string[];
    readonly origin: string;
    /** Milliseconds since the epoch. */
    readonly notAfter: number;
    readonly expired: boolean;
    readonly why: string;
  } | null;
}

export interface LostRouter {
  readonly name: string;
  readonly rule: string;
  readonly priority: number;
  readonly why: string;
  /** The rule is met: something else kept it. */
  readonly matched: boolean;
}

export interface ExplainedService {
  readonly name: string;
  readonly kind: 'configured' | 'internal';
  readonly endpoints: readonly {
    readonly url: string;
    readonly weight: number;
    readonly state: 'up' | 'down' | 'ejected' | 'draining';
    readonly inFlight: number;
  }[];
  /** Who would be next in this worker; null where nobody can, or it depends on more than is known. */
  readonly next: string | null;
}
