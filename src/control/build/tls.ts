import type { Path } from '../../core/config/paths.ts';
import { tlsOptionsSchema } from '../../core/config/tls.ts';
import type { Diagnostic } from '../../core/diagnostic.ts';
import type { CertificateSnapshot, TlsOptionsSnapshot, TlsSnapshot } from '../../core/snapshot.ts';
import { DEFAULT_TLS_OPTIONS } from '../../core/tls/host-options.ts';
import { loadKeyPair } from '../tls/load-certificate.ts';
import { refusingOptions, resolveTlsOptions } from '../tls/resolve-options.ts';
import { builtIn, type Findings, type Place, pointTo } from './findings.ts';
import type { Merged } from './merge.ts';
import type { Reader } from './reader.ts';

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
}

/** Certificates, stores and options. What cannot be used has its diagnostic; the rest is served. */
export function buildTls(input: TlsInput): TlsSnapshot {
  return {
    certificates: loadCertificates(input),
    defaultCertificate: defaultCertificate(input),
    options: resolveOptions(input),
    ticketKeys: input.ticketKeys,
  };
}

function loadCertificates({ merged, reader, findings, now }: TlsInput): readonly CertificateSnapshot[] {
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
    const { certFile, keyFile } = value;
    const { certificate, diagnostics } = loadKeyPair({
      certFile,
      keyFile,
      read: reader.file,
      now,
      place: pointTo(place),
    });
    findings.diagnostics.push(...diagnostics);
    // Two files that name the same certificate are no mistake.
    if (certificate !== null && !loaded.has(certificate.fingerprint)) loaded.set(certificate.fingerprint, certificate);
  }
  return [...loaded.values()];
}

function defaultCertificate({ merged, reader, findings, now, generated }: TlsInput): CertificateSnapshot {
  for (const { name, place } of merged.tlsStores.values()) {
    if (name === DEFAULT_STORE) continue;
    const message = 'only the store `default` is served; this one has no effect';
    findings.add('warning', 'unknown-store', message, place, { hint: 'call it `default`' });
  }
  const store = merged.tlsStores.get(DEFAULT_STORE);
  const value = store?.value;
  if (store === undefined || value === undefined) return generated;
  if (value.defaultGeneratedCert !== undefined) {
    findings.add('warning', 'not-acted-on', '`defaultGeneratedCert` is accepted but not acted on yet', store.place, {
      at: ['defaultGeneratedCert'],
      hint: 'until then the default certificate is self-signed; `defaultCertificate` names one',
    });
  }
  if (value.defaultCertificate === undefined) return generated;
  const place = pointTo(store.place, { at: ['defaultCertificate'] });
  const { certificate, diagnostics } = loadKeyPair({ ...value.defaultCertificate, read: reader.file, now, place });
  findings.diagnostics.push(...diagnostics);
  return certificate ?? generated;
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
