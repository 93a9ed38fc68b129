import type { Path } from '../../core/config/paths.ts';
import { type KeyPair, type TlsStore, tlsOptionsSchema } from '../../core/config/tls.ts';
import type { Diagnostic } from '../../core/diagnostic.ts';
import type { CertificateSnapshot, TlsOptionsSnapshot, TlsSnapshot } from '../../core/snapshot.ts';
import { DEFAULT_TLS_OPTIONS } from '../../core/tls/host-options.ts';
import { loadKeyPair } from '../tls/load-certificate.ts';
import { refusingOptions, resolveTlsOptions } from '../tls/resolve-options.ts';
import { builtIn, type Findings, type Place, pointTo } from './findings.ts';
import type { Merged } from './merge.ts';
import type { Reader } from './reader.ts';
import type { CertificateWishes } from './wanted-certificates.ts';

/** The one store that is served, as in Traefik. */
const DEFAULT_STORE = 'default';

export interface TlsInput {
  readonly merged: Merged;
  readonly reader: Reader;
  readonly findings: Findings;
  readonly now: number;
  /** Served where nothing else covers the name and no default certificate is configured. */
  readonly generated: CertificateSnapshot;
  readonly ticketKeys: string;
  /** Asks for what `defaultGeneratedCert` wants. */
  readonly wishes: CertificateWishes;
  readonly issued: readonly IssuedCertificate[];
  /** What is live: a pair that cannot be used any more goes on being served as it last could. */
  readonly live?: TlsSnapshot;
}

/** A certificate that a resolver has issued. */
export interface IssuedCertificate {
  readonly resolver: string;
  /** What it was ordered for. */
  readonly names: readonly string[];
  readonly certificate: CertificateSnapshot;
}

export interface BuiltTls {
  readonly tls: TlsSnapshot;
  /** Those of them that the configuration names itself. */
  readonly files: readonly CertificateSnapshot[];
}

/** Certificates, stores and options. What cannot be used has its diagnostic; the rest is served. */
export function buildTls(input: TlsInput): BuiltTls {
  const fromFiles = loadCertificates(input);
  const chosen = defaultCertificate(input);
  return {
    tls: {
      certificates: [...fromFiles, ...issuedCertificates(input)],
      defaultCertificate: chosen,
      options: resolveOptions(input),
      ticketKeys: input.ticketKeys,
    },
    files: chosen === input.generated || chosen.resolver !== undefined ? fromFiles : [...fromFiles, chosen],
  };
}

/** All that there are, also where nothing asks for them any more: until they expire they do no harm. */
function issuedCertificates({ issued, findings, now }: TlsInput): readonly CertificateSnapshot[] {
  for (const { resolver, names, certificate } of issued) {
    if (certificate.notAfter > now) continue;
    const since = new Date(certificate.notAfter).toISOString();
    findings.diagnostics.push({
      severity: 'warning',
      code: 'acme-certificate-expired',
      message: `the certificate for ${names.join(', ')} from certResolver "${resolver}" expired at ${since}: it goes on being served (not under sniStrict), and clients refuse it`,
      hint: '`proxy certs` says why it could not be renewed',
    });
  }
  return issued.map(({ certificate }) => certificate);
}

function loadCertificates(input: TlsInput): readonly CertificateSnapshot[] {
  const { merged, findings } = input;
  const loaded = new Map<string, CertificateSnapshot>();
  for (const { value, place } of merged.certificates) {
    value.stores?.forEach((store, index) => {
      if (store === DEFAULT_STORE) return;
      findings.add('warning', 'unknown-store', `there is no store but \`default\`; \`${store}\` has no effect`, place, {
        at: ['stores', index],
        value: true,
        hint: 'leave `stores` out',
      });
    });
    const certificate = loadOrKeep(value, pointTo(place), input);
    // Two files that name the same certificate are no mistake.
    if (certificate !== null && !loaded.has(certificate.fingerprint)) loaded.set(certificate.fingerprint, certificate);
  }
  return [...loaded.values()];
}

/**
 * A pair as it is on disk, or as it last was: who renews writes two files, and between the two they do not match.
 */
function loadOrKeep(pair: KeyPair, place: Partial<Diagnostic>, input: TlsInput): CertificateSnapshot | null {
  const { certFile } = pair;
  const { certificate, diagnostics } = loadKeyPair({
    ...pair,
    read: input.reader.file,
    now: input.now,
    place,
  });
  input.findings.diagnostics.push(...diagnostics);
  if (certificate !== null || input.live === undefined) return certificate;
  const kept = [...input.live.certificates, input.live.defaultCertificate].find(({ origin }) => origin === certFile);
  if (kept === undefined) return null;
  input.findings.diagnostics.push({
    ...place,
    severity: 'warning',
    code: 'certificate-kept',
    message: `the certificate read from ${certFile} before goes on being served, until the pair can be used again`,
  });
  return kept;
}

function defaultCertificate(input: TlsInput): CertificateSnapshot {
  const { merged, findings, generated } = input;
  for (const { name, place } of merged.tlsStores.values()) {
    if (name === DEFAULT_STORE) continue;
    const message = 'only the store `default` is served; this one has no effect';
    findings.add('warning', 'unknown-store', message, place, { hint: 'call it `default`' });
  }
  const store = merged.tlsStores.get(DEFAULT_STORE);
  const value = store?.value;
  if (store === undefined || value === undefined) return generated;
  if (value.defaultCertificate === undefined) return generatedByResolver(store.place, value, input) ?? generated;
  if (value.defaultGeneratedCert !== undefined) {
    findings.add(
      'warning',
      'two-default-certificates',
      '`defaultCertificate` is served, `defaultGeneratedCert` is not ordered',
      store.place,
      {
        at: ['defaultGeneratedCert'],
        hint: 'remove one of the two',
      },
    );
  }
  const place = pointTo(store.place, { at: ['defaultCertificate'] });
  return loadOrKeep(value.defaultCertificate, place, input) ?? generated;
}

/** What the resolver has issued for `defaultGeneratedCert`; undefined until it has. */
function generatedByResolver(place: Place, store: TlsStore, input: TlsInput): CertificateSnapshot | undefined {
  const { defaultGeneratedCert: wish } = store;
  if (wish === undefined) return undefined;
  const { resolver = '', domain } = wish;
  if (resolver === '' || domain?.main === undefined || domain.main === '') {
    const message = '`defaultGeneratedCert` needs a `resolver` and a `domain.main`';
    input.findings.add('warning', 'missing-key', message, place, { at: ['defaultGeneratedCert'] });
    return undefined;
  }
  const names = input.wishes.addDefault(resolver, domain.main, domain.sans ?? [], place);
  const found = input.issued.find((one) => one.resolver === resolver && sameNames(one.names, names ?? []));
  return found?.certificate;
}

function sameNames(a: readonly string[], b: readonly string[]): boolean {
  return a.length === b.length && a.every((name) => b.includes(name));
}

function resolveOptions({ merged, reader, findings, now }: TlsInput): Readonly<Record<string, TlsOptionsSnapshot>> {
  const all: Record<string, TlsOptionsSnapshot> = {};
  for (const { name, value, place, problems } of merged.tlsOptions.values()) {
    if (value === undefined) {
      // Others in their place could be laxer, and the default ones are in force without being named.
      all[name] = refusingOptions(name, `tls.options.${name}: ${problems[0] ?? 'it has errors'}`);
      continue;
    }
    const { options, diagnostics } = resolveTlsOptions({
      name,
      config: value,
      read: reader.file,
      now,
      place: pointTo(place),
    });
    for (const diagnostic of diagnostics) findings.diagnostics.push(relocate(diagnostic, place));
    all[name] = options;
  }
  all[DEFAULT_TLS_OPTIONS] ??= resolveTlsOptions({
    name: DEFAULT_TLS_OPTIONS,
    config: tlsOptionsSchema.parse({}),
    read: reader.file,
    now,
    place: pointTo(builtIn('tls', 'options', DEFAULT_TLS_OPTIONS)),
  }).options;
  return all;
}

/** Points a diagnostic at the field that its path names, instead of at the whole object. */
function relocate(diagnostic: Diagnostic, place: Place): Diagnostic {
  const base = pointTo(place).path ?? '';
  if (diagnostic.path === undefined || !diagnostic.path.startsWith(`${base}.`)) return diagnostic;
  const field: Path = diagnostic.path
    .slice(base.length + 1)
    .split(/[.[\]]+/)
    .filter((part) => part !== '')
    .map((part) => (/^\d+$/.test(part) ? Number(part) : part));
  return { ...diagnostic, ...pointTo(place, { at: field }) };
}
