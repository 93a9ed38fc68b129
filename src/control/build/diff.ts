import { isDeepStrictEqual } from 'node:util';
import type { CertificateSnapshot, Snapshot } from '../../core/snapshot.ts';

/** What became of the objects of one kind; names, sorted. */
export interface Changes {
  readonly added: readonly string[];
  readonly changed: readonly string[];
  readonly removed: readonly string[];
}

/** What one snapshot has that another has not. */
export interface SnapshotDiff {
  readonly entryPoints: Changes;
  readonly routers: Changes;
  readonly services: Changes;
  readonly middlewares: Changes;
  readonly serversTransports: Changes;
  readonly tlsOptions: Changes;
  /** By origin; one whose file has other content is `changed`. */
  readonly certificates: Changes;
  /** Nothing differs but version and time: it need not be published. */
  readonly same: boolean;
}

/** Compares two snapshots by content. `before` is undefined at the first one. */
export function diffSnapshots(before: Snapshot | undefined, after: Snapshot): SnapshotDiff {
  const a = before;
  const changes = {
    entryPoints: compare(a?.entryPoints, after.entryPoints),
    routers: compare(a?.http.routers, after.http.routers),
    services: compare(a?.http.services, after.http.services),
    middlewares: compare(a?.http.middlewares, after.http.middlewares),
    serversTransports: compare(a?.http.serversTransports, after.http.serversTransports),
    tlsOptions: compare(a?.tls.options, after.tls.options),
    certificates: compare(a === undefined ? undefined : certificatesOf(a), certificatesOf(after)),
  };
  const same =
    a !== undefined &&
    a.internalSocket === after.internalSocket &&
    a.tls.ticketKeys === after.tls.ticketKeys &&
    Object.values(changes).every((one) => one.added.length + one.changed.length + one.removed.length === 0);
  return { ...changes, same };
}

function compare<T>(before: Readonly<Record<string, T>> = {}, after: Readonly<Record<string, T>>): Changes {
  const added: string[] = [];
  const changed: string[] = [];
  for (const [name, value] of Object.entries(after)) {
    if (!Object.hasOwn(before, name)) added.push(name);
    else if (!isDeepStrictEqual(before[name], value)) changed.push(name);
  }
  const removed = Object.keys(before).filter((name) => !Object.hasOwn(after, name));
  return { added: added.sort(), changed: changed.sort(), removed: removed.sort() };
}

/**
 * The certificates by where they come from: a file, or a resolver and the names it was asked for. Several of one origin
 * (`inline`) are told apart by their fingerprints.
 */
function certificatesOf({ tls }: Snapshot): Readonly<Record<string, CertificateSnapshot>> {
  const all: Record<string, CertificateSnapshot> = { default: tls.defaultCertificate };
  for (const certificate of tls.certificates) {
    const { fingerprint, resolver, names } = certificate;
    const origin = resolver === undefined ? certificate.origin : `${certificate.origin} ${names.join(',')}`;
    const plain = origin !== 'inline' && !Object.hasOwn(all, origin);
    all[plain ? origin : `${origin} ${fingerprint}`] = certificate;
  }
  return all;
}
