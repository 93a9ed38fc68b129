import { type Mapped, mapName } from './mapped.ts';

/** Node's names of the TLS versions. */
export type TlsProtocolVersion = 'TLSv1' | 'TLSv1.1' | 'TLSv1.2' | 'TLSv1.3';

const VERSIONS: ReadonlyMap<string, TlsProtocolVersion> = new Map([
  ['VersionTLS10', 'TLSv1'],
  ['VersionTLS11', 'TLSv1.1'],
  ['VersionTLS12', 'TLSv1.2'],
  ['VersionTLS13', 'TLSv1.3'],
]);

const ORDER: readonly TlsProtocolVersion[] = [...VERSIONS.values()];

/** Go's name of a TLS version (`VersionTLS12`, as Traefik's files have it) to Node's (`TLSv1.2`). */
export function mapVersion(name: string): Mapped<TlsProtocolVersion> {
  return mapName(VERSIONS, name, 'TLS version');
}

/** Negative where `a` is the older version, 0 where they are the same. */
export function compareVersions(a: TlsProtocolVersion, b: TlsProtocolVersion): number {
  return ORDER.indexOf(a) - ORDER.indexOf(b);
}
