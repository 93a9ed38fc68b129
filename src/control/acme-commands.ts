import { X509Certificate } from 'node:crypto';
import { isIP } from 'node:net';
import type { CertificateSnapshot, Snapshot } from '../core/snapshot.ts';
import { AcmeError } from './acme/acme-error.ts';
import type { AcmeResolverStatus, AcmeStatus } from './acme/types.ts';
import type { AcmeService } from './acme-service.ts';
import type { CommandAnswer, CommandVerb } from './command/server.ts';

/** One line of `proxy certs`. Times are milliseconds since the epoch. */
export interface CertificateRow extends Partial<Omit<AcmeStatus, 'state' | 'resolver' | 'main' | 'sans'>> {
  readonly names: readonly string[];
  /** `acme RESOLVER`, or the file. */
  readonly from: string;
  readonly state: AcmeStatus['state'] | 'file' | 'expired';
}

/** What `proxy certs list --json` prints. */
export interface CertificateList {
  readonly certificates: readonly CertificateRow[];
  readonly resolvers: readonly AcmeResolverStatus[];
}

/** What `proxy status` says of certificates by ACME. */
export interface AcmeProgress {
  /** How many there are in each state. */
  readonly states: Readonly<Partial<Record<AcmeStatus['state'], number>>>;
  /** Those that are not as they should be, with why. */
  readonly open: readonly CertificateRow[];
  readonly resolvers: readonly AcmeResolverStatus[];
}

/** What `proxy certs export` is given. */
export interface ExportedCertificate {
  readonly names: readonly string[];
  readonly cert: string;
  readonly key: string;
  readonly notAfter: number;
}

export interface CertificateCommandSources {
  /** Null: no resolver is configured. */
  readonly acme: () => AcmeService | null;
  readonly live: () => Snapshot;
  /** Resolves when everything that changed until now is served. */
  readonly settled: () => Promise<void>;
}

/** `certs`, `certs-renew`, `certs-revoke`, `certs-export` of the control socket. */
export function certificateVerbs(sources: CertificateCommandSources): readonly [string, CommandVerb][] {
  const named = (act: (name: string, acme: AcmeService) => Promise<CommandAnswer>): CommandVerb => {
    return async ({ name }) => {
      const acme = sources.acme();
      if (typeof name !== 'string' || name === '') return { ok: false, message: 'which name?' };
      if (acme === null) return { ok: false, message: 'no certResolver is configured' };
      try {
        return await act(name.toLowerCase(), acme);
      } catch (error) {
        if (error instanceof AcmeError) return { ok: false, message: error.message };
        throw error;
      }
    };
  };
  return [
    ['certs', () => ({ ok: true, data: list(sources) })],
    [
      'certs-renew',
      named(async (name, acme) => {
        const renewed = await acme.renew(name);
        acme.flush();
        await sources.settled();
        const rows = acme.status().filter((row) => renewed.some((one) => sameNames(one, row)));
        return { ok: true, data: { certificates: rows.map(rowOf) } };
      }),
    ],
    [
      'certs-revoke',
      named(async (name, acme) => {
        await acme.revoke(name);
        acme.flush();
        await sources.settled();
        return { ok: true, data: { revoked: name } };
      }),
    ],
    ['certs-export', ({ name }) => exported(typeof name === 'string' ? name.toLowerCase() : '', sources.live())],
  ];
}

export function acmeProgress(acme: AcmeService): AcmeProgress {
  const states: Partial<Record<AcmeStatus['state'], number>> = {};
  const open: CertificateRow[] = [];
  for (const row of acme.status()) {
    states[row.state] = (states[row.state] ?? 0) + 1;
    if ((row.state !== 'valid' && row.state !== 'unused') || !row.stored) open.push(rowOf(row));
  }
  return { states, open, resolvers: acme.resolvers() };
}

function list({ acme, live }: CertificateCommandSources): CertificateList {
  const service = acme();
  const { certificates, defaultCertificate } = live().tls;
  const files = [...certificates, defaultCertificate].filter((one) => one.resolver === undefined);
  return {
    certificates: [...(service?.status() ?? []).map(rowOf), ...files.map(fileRow)],
    resolvers: service?.resolvers() ?? [],
  };
}

function rowOf({ resolver, main, sans, ...rest }: AcmeStatus): CertificateRow {
  return { names: [main, ...sans], from: `acme ${resolver}`, ...rest };
}

function fileRow(certificate: CertificateSnapshot): CertificateRow {
  const { names, origin, notBefore, notAfter } = certificate;
  const { issuer, serialNumber } = new X509Certificate(certificate.cert);
  const state = notAfter < Date.now() ? 'expired' : 'file';
  return {
    names,
    from: origin,
    state,
    issuer: issuer.split('\n').join(', '),
    serial: serialNumber,
    notBefore,
    notAfter,
  };
}

/** What clients that ask for this name are given: the exact name before a wildcard, the latest expiry first. */
function exported(name: string, { tls }: Snapshot): CommandAnswer {
  const all = [...tls.certificates].sort((a, b) => b.notAfter - a.notAfter);
  const dot = isIP(name) === 0 ? name.indexOf('.') : -1;
  const found =
    all.find(({ names }) => names.includes(name)) ??
    (dot > 0 ? all.find(({ names }) => names.includes(`*${name.slice(dot)}`)) : undefined);
  if (found === undefined)
    return { ok: false, message: `there is no certificate for ${name}: \`proxy certs\` lists them` };
  const { names, cert, key, notAfter } = found;
  const data: ExportedCertificate = { names, cert, key, notAfter };
  return { ok: true, data };
}

function sameNames(
  a: { readonly resolver: string; readonly main: string; readonly sans: readonly string[] },
  b: { readonly resolver: string; readonly main: string; readonly sans: readonly string[] },
): boolean {
  return a.resolver === b.resolver && [a.main, ...a.sans].sort().join() === [b.main, ...b.sans].sort().join();
}
