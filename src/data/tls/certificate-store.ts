import type { CertificateSnapshot, TlsSnapshot } from '../../core/snapshot.ts';
import { IMPLEMENTED_ALPN } from '../../core/tls/alpn.ts';
import {
  DEFAULT_TLS_OPTIONS,
  HostOptions,
  type TlsBinding,
  type TlsBindingConflict,
} from '../../core/tls/host-options.ts';
import { plainAddress } from '../plain-address.ts';
import { CertificateIndex } from './certificate-index.ts';
import { type CompiledOptions, compileOptions } from './compiled-options.ts';
import { ContextCache, type ServerContext } from './context-cache.ts';
import type { TlsFailureReason } from './failure.ts';

/** What a handshake goes on with, or why it does not. */
export type Selection =
  | { readonly ok: true; readonly options: CompiledOptions; readonly context: Extract<ServerContext, { ok: true }> }
  | { readonly ok: false; readonly optionsName: string; readonly reason: TlsFailureReason; readonly detail: string };

export interface CompileTlsSettings {
  /** Protocols that the proxy speaks; `IMPLEMENTED_ALPN` where absent. */
  readonly alpn?: readonly string[];
  /** Milliseconds since the epoch. */
  readonly now?: () => number;
  /** Most SecureContexts that are kept. */
  readonly maxContexts?: number;
}

/** The TLS side of a Runtime: certificates and options of one snapshot. Immutable but for its cache. */
export class TlsRuntime {
  readonly contexts: ContextCache;
  readonly certificates: CertificateIndex;
  readonly options: ReadonlyMap<string, CompiledOptions>;
  readonly now: () => number;
  readonly #entryPoints = new Map<string, EntryPointTls>();

  constructor(
    tls: TlsSnapshot,
    bindings: Readonly<Record<string, readonly TlsBinding[]>>,
    previous: TlsRuntime | undefined,
    settings: CompileTlsSettings,
  ) {
    const implemented = settings.alpn ?? IMPLEMENTED_ALPN;
    this.now = settings.now ?? Date.now;
    this.certificates = new CertificateIndex(tls.certificates, tls.defaultCertificate);
    this.options = new Map(
      Object.entries(tls.options).map(([name, config]) => [name, compileOptions(config, implemented, tls.ticketKeys)]),
    );
    this.contexts = new ContextCache(tls.ticketKeys, settings.maxContexts);
    if (previous !== undefined) {
      this.contexts.takeOver(
        previous.contexts,
        byFingerprint([...tls.certificates, tls.defaultCertificate]),
        new Map([...this.options.values()].map((options) => [options.name, options])),
      );
    }
    for (const [name, list] of Object.entries(bindings)) {
      this.#entryPoints.set(name, new EntryPointTls(this, new HostOptions(list)));
    }
  }

  /** An entry point without bindings has the default options throughout. */
  entryPoint(name: string): EntryPointTls {
    let entryPoint = this.#entryPoints.get(name);
    if (entryPoint === undefined) {
      entryPoint = new EntryPointTls(this, new HostOptions([]));
      this.#entryPoints.set(name, entryPoint);
    }
    return entryPoint;
  }

  /** Hosts that two routers of one entry point want under different options. */
  get problems(): readonly (TlsBindingConflict & { readonly entryPoint: string })[] {
    return [...this.#entryPoints].flatMap(([entryPoint, tls]) =>
      tls.conflicts.map((conflict) => ({ entryPoint, ...conflict })),
    );
  }
}

/** What a request must know of its connection to tell whether it may be answered on it. */
export interface ConnectionOptions {
  readonly optionsName: string;
  readonly clientAuthKey: string;
}

/** TLS as one entry point has it: each host with the options that its routers ask for. */
export class EntryPointTls {
  readonly #runtime: TlsRuntime;
  readonly #hosts: HostOptions;

  constructor(runtime: TlsRuntime, hosts: HostOptions) {
    this.#runtime = runtime;
    this.#hosts = hosts;
  }

  get conflicts(): readonly TlsBindingConflict[] {
    return this.#hosts.conflicts;
  }

  /** The options of a connection with this server name. */
  optionsFor(sni: string | null): string {
    return this.#hosts.nameFor(sni);
  }

  /** The options that a request for this host must have come in by. `host` as `normalizeHost` gives it. */
  optionsNameForHost(host: string): string {
    return this.#hosts.nameFor(host);
  }

  /**
   * Whether a request for `host` is to be answered 421: its connection was made with other TLS options, or demanded other
   * things of the client than these options do by now. Without this a client could pass by mutual TLS through the door of
   * another host.
   */
  isMisdirected(host: string, connection: ConnectionOptions): boolean {
    const name = this.#hosts.nameFor(host);
    if (name !== connection.optionsName) return true;
    return this.#runtime.options.get(name)?.clientAuthKey !== connection.clientAuthKey;
  }

  /**
   * @param sni as `parseClientHello` gives it
   * @param localAddress asked for only without a server name
   */
  select(sni: string | null, localAddress: () => string | undefined): Selection {
    const optionsName = this.#hosts.nameFor(sni);
    const options = this.#runtime.options.get(optionsName);
    // Falling back to other options here could open a host that demands client certificates.
    if (options === undefined) {
      return { ok: false, optionsName, reason: 'options-refused', detail: `there are no TLS options ${optionsName}` };
    }
    if (options.config.refuse !== undefined) {
      return { ok: false, optionsName, reason: 'options-refused', detail: options.config.refuse };
    }
    const name = sni ?? plainAddress(localAddress());
    const now = this.#runtime.now();
    const { certificate, matched } = this.#runtime.certificates.choose(name, now);
    if (options.config.sniStrict) {
      // One from a file goes on being served, as in Traefik: nobody renews it here.
      const expired = certificate.resolver !== undefined && certificate.notAfter < now;
      if (!matched || expired) {
        const what = `${expired ? 'only an expired' : 'no'} certificate for ${name ?? 'a client without a server name'}`;
        return { ok: false, optionsName, reason: 'no-certificate', detail: `sniStrict: ${what}` };
      }
    }
    const context = this.#runtime.contexts.get(certificate, options);
    if (!context.ok) return { ok: false, optionsName, reason: 'certificate-unusable', detail: context.error };
    return { ok: true, options, context };
  }
}

/**
 * Compiles the TLS part of a snapshot. SecureContexts of `previous` are taken over where certificate and options are the
 * same. Never throws for what a snapshot holds: a certificate that cannot be used fails its own handshakes.
 *
 * @param bindings keyed by entry point: the TLS options that its routers bind hosts to
 */
export function compileTls(
  tls: TlsSnapshot,
  bindings: Readonly<Record<string, readonly TlsBinding[]>>,
  previous?: TlsRuntime,
  settings: CompileTlsSettings = {},
): TlsRuntime {
  return new TlsRuntime(tls, bindings, previous, settings);
}

function byFingerprint(
  certificates: readonly CertificateSnapshot[],
): ReadonlyMap<string, readonly CertificateSnapshot[]> {
  const map = new Map<string, CertificateSnapshot[]>();
  for (const certificate of certificates) {
    const list = map.get(certificate.fingerprint);
    if (list === undefined) map.set(certificate.fingerprint, [certificate]);
    else list.push(certificate);
  }
  return map;
}

export { DEFAULT_TLS_OPTIONS };
