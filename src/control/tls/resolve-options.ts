import { X509Certificate } from 'node:crypto';
import type { ClientAuth, TlsOptions } from '../../core/config/dynamic.ts';
import type { Diagnostic } from '../../core/diagnostic.ts';
import type { ClientAuthType, TlsOptionsSnapshot } from '../../core/snapshot.ts';
import { IMPLEMENTED_ALPN } from '../../core/tls/alpn.ts';
import { mapCipherSuite } from '../../core/tls/cipher-suites.ts';
import { mapClientAuthType, verifiesClient } from '../../core/tls/client-auth.ts';
import { mapCurve } from '../../core/tls/curves.ts';
import type { Mapped } from '../../core/tls/mapped.ts';
import { compareVersions, mapVersion, type TlsProtocolVersion } from '../../core/tls/versions.ts';
import { fileOrContent, type Place, type ReadFile } from './file-or-content.ts';
import { describePem, isCertificate, pemBlocks } from './pem.ts';

export interface ResolveOptionsInput {
  /** Qualified; `default` for the default options. */
  readonly name: string;
  readonly config: TlsOptions;
  readonly read: ReadFile;
  /** Milliseconds since the epoch. */
  readonly now: number;
  /** Where the options stand in the configuration. `path` is completed with the field's name. */
  readonly place?: Place;
}

export interface ResolvedOptions {
  /** With `refuse` set where there is an error among the diagnostics. */
  readonly options: TlsOptionsSnapshot;
  readonly diagnostics: readonly Diagnostic[];
}

/** Known to Traefik, so that nobody needs to be told that this proxy does not offer one of them yet. */
const FAMILIAR_ALPN = new Set(['h2', 'http/1.1', 'acme-tls/1']);

/**
 * Turns `tls.options.X` into what the workers use: names mapped to OpenSSL's, CA files read. An error never loosens
 * anything: the options then refuse every handshake. What can be left out safely (one unknown cipher of several) is a warning.
 */
export function resolveTlsOptions(input: ResolveOptionsInput): ResolvedOptions {
  const { config } = input;
  const report = new Report(input.place ?? {});

  const minVersion = report.mapped('minVersion', mapVersion(config.minVersion)) ?? 'TLSv1.3';
  const maxVersion =
    config.maxVersion === undefined
      ? 'TLSv1.3'
      : (report.mapped('maxVersion', mapVersion(config.maxVersion)) ?? 'TLSv1.3');
  if (compareVersions(minVersion, maxVersion) > 0 && report.refusal === undefined) {
    report.error(
      'maxVersion',
      'tls-version-range',
      `maxVersion ${config.maxVersion} is older than minVersion ${config.minVersion}`,
      'swap them, or leave maxVersion out',
    );
  }
  const suites = resolveCiphers(config.cipherSuites ?? [], maxVersion, report);
  const curves = resolveCurves(config.curvePreferences ?? [], report);
  const clientAuth = resolveClientAuth(config.clientAuth, input, report);
  const alpnProtocols = resolveAlpn(config.alpnProtocols, report);
  if (config.preferServerCipherSuites !== undefined) {
    report.add(
      'info',
      'preferServerCipherSuites',
      'tls-without-effect',
      'preferServerCipherSuites has no effect: the order of the proxy is always the one that counts',
    );
  }
  const options: TlsOptionsSnapshot = {
    name: input.name,
    minVersion: suites.onlyTls13 ? 'TLSv1.3' : minVersion,
    maxVersion,
    ...(suites.ciphers === undefined ? {} : { ciphers: suites.ciphers }),
    ...(curves === undefined ? {} : { curves }),
    clientAuth,
    sniStrict: config.sniStrict,
    alpnProtocols,
    sessionTickets: !config.disableSessionTickets,
    ...(report.refusal === undefined ? {} : { refuse: `tls.options.${input.name}: ${report.refusal}` }),
  };
  return { options, diagnostics: report.diagnostics };
}

/** Options that refuse every handshake: for where they are named by a router and cannot be decoded at all. */
export function refusingOptions(name: string, reason: string): TlsOptionsSnapshot {
  return {
    name,
    minVersion: 'TLSv1.3',
    maxVersion: 'TLSv1.3',
    clientAuth: { type: 'NoClientCert', ca: [] },
    sniStrict: true,
    alpnProtocols: [],
    sessionTickets: false,
    refuse: reason,
  };
}

class Report {
  readonly diagnostics: Diagnostic[] = [];
  readonly #place: Place;
  #refusal: string | undefined;

  constructor(place: Place) {
    this.#place = place;
  }

  /** The first error, which is why the options refuse. */
  get refusal(): string | undefined {
    return this.#refusal;
  }

  place(field: string): Place {
    const { path } = this.#place;
    return { ...this.#place, path: path === undefined ? field : `${path}.${field}` };
  }

  add(severity: Diagnostic['severity'], field: string, code: string, message: string, hint?: string): void {
    this.push({ severity, code, message, ...(hint === undefined ? {} : { hint }), ...this.place(field) });
  }

  push(diagnostic: Diagnostic): void {
    this.diagnostics.push(diagnostic);
    if (diagnostic.severity === 'error') this.#refusal ??= diagnostic.message;
  }

  error(field: string, code: string, message: string, hint?: string): void {
    this.add('error', field, code, message, hint);
  }

  mapped<T>(field: string, result: Mapped<T>, severity: 'error' | 'warning' = 'error'): T | undefined {
    if (result.ok) return result.value;
    this.add(severity, field, 'tls-unknown-name', result.message, result.hint);
    return undefined;
  }
}

function resolveCiphers(
  names: readonly string[],
  maxVersion: TlsProtocolVersion,
  report: Report,
): { readonly ciphers?: string; readonly onlyTls13: boolean } {
  if (names.length === 0) return { onlyTls13: false };
  const field = 'cipherSuites';
  const ciphers = new Set<string>();
  let tls13 = false;
  for (const name of names) {
    const suite = report.mapped(field, mapCipherSuite(name), 'warning');
    if (suite?.kind === 'suite') ciphers.add(suite.openssl);
    else if (suite?.kind === 'tls13') tls13 = true;
    else if (suite?.kind === 'removed') {
      report.add(
        'warning',
        field,
        'tls-cipher-removed',
        `${name} is not offered: it is broken, and this OpenSSL no longer has it`,
      );
    }
  }
  if (ciphers.size > 0) return { ciphers: [...ciphers].join(':'), onlyTls13: false };
  if (tls13 && maxVersion === 'TLSv1.3') {
    report.add(
      'warning',
      field,
      'tls-cipher-tls13',
      'only TLS 1.3 suites are named: TLS 1.2 and below are not served',
      'the suites of TLS 1.3 are always offered and need not be named',
    );
    return { onlyTls13: true };
  }
  report.error(field, 'tls-no-cipher', 'none of the cipher suites can be offered');
  return { onlyTls13: false };
}

function resolveCurves(names: readonly string[], report: Report): string | undefined {
  if (names.length === 0) return undefined;
  const curves = new Set<string>();
  for (const name of names) {
    const curve = report.mapped('curvePreferences', mapCurve(name), 'warning');
    if (curve !== undefined) curves.add(curve);
  }
  if (curves.size > 0) return [...curves].join(':');
  report.error('curvePreferences', 'tls-no-curve', 'none of the curves is known');
  return undefined;
}

function resolveAlpn(configured: readonly string[], report: Report): readonly string[] {
  const field = 'alpnProtocols';
  const protocols = configured.filter((name) => {
    if (name.length > 0 && name.length <= 255) return true;
    report.add('warning', field, 'tls-alpn-name', 'a protocol name has 1 to 255 bytes; this one is left out');
    return false;
  });
  for (const name of protocols) {
    if (!FAMILIAR_ALPN.has(name)) {
      report.add(
        'warning',
        field,
        'tls-alpn-unknown',
        `the protocol ${JSON.stringify(name)} is not spoken here and not offered`,
      );
    }
  }
  if (protocols.length > 0 && !protocols.some((name) => IMPLEMENTED_ALPN.includes(name))) {
    report.add(
      'warning',
      field,
      'tls-alpn-none',
      'none of the protocols is spoken here: clients that offer any are refused',
      `add ${IMPLEMENTED_ALPN.join(' or ')}`,
    );
  }
  return protocols;
}

function resolveClientAuth(
  config: ClientAuth | undefined,
  input: ResolveOptionsInput,
  report: Report,
): TlsOptionsSnapshot['clientAuth'] {
  if (config === undefined) return { type: 'NoClientCert', ca: [] };
  const ca = config.caFiles.flatMap((value, i) => readAuthorities(value, `clientAuth.caFiles[${i}]`, input, report));
  // As in Traefik: authorities alone mean that a certificate is demanded.
  const implied: ClientAuthType = config.caFiles.length > 0 ? 'RequireAndVerifyClientCert' : 'NoClientCert';
  const type =
    config.clientAuthType === undefined
      ? implied
      : (report.mapped('clientAuth.clientAuthType', mapClientAuthType(config.clientAuthType)) ?? implied);
  if (verifiesClient(type) && config.caFiles.length === 0) {
    report.error(
      'clientAuth.caFiles',
      'tls-client-ca-missing',
      `${type} needs caFiles to verify against`,
      'name the CA that signs your clients',
    );
  }
  return { type, ca };
}

function readAuthorities(value: string, field: string, input: ResolveOptionsInput, report: Report): readonly string[] {
  const content = fileOrContent(value, 'client CA', input.read, report.place(field));
  if (!content.ok) {
    report.push(content.diagnostic);
    return [];
  }
  const blocks = pemBlocks(content.text).filter(isCertificate);
  if (blocks.length === 0) {
    report.error(
      field,
      'tls-client-ca-unreadable',
      `the client CA ${content.source} ${describePem(content.text)}, and no certificate`,
    );
    return [];
  }
  for (const block of blocks) {
    try {
      const x509 = new X509Certificate(block.text);
      if (x509.validToDate.getTime() < input.now) {
        report.add(
          'warning',
          field,
          'tls-client-ca-expired',
          `the client CA ${x509.subject.replaceAll('\n', ', ')} in ${content.source} expired at ${x509.validTo}`,
          'clients that it signed are refused',
        );
      }
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      report.error(field, 'tls-client-ca-unreadable', `the client CA ${content.source} cannot be parsed: ${reason}`);
    }
  }
  return blocks.map((block) => block.text);
}
