import type { ClientAuthType } from '../snapshot.ts';
import { type Mapped, mapName } from './mapped.ts';

const TYPES: ReadonlyMap<string, ClientAuthType> = new Map(
  (
    [
      'NoClientCert',
      'RequestClientCert',
      'RequireAnyClientCert',
      'VerifyClientCertIfGiven',
      'RequireAndVerifyClientCert',
    ] as const
  ).map((type) => [type, type]),
);

/** Reads `clientAuthType`: Go's `tls.ClientAuthType`. */
export function mapClientAuthType(name: string): Mapped<ClientAuthType> {
  return mapName(TYPES, name, 'client authentication type');
}

/** Whether the type asks that a certificate, where there is one, be signed by one of the configured authorities. */
export function verifiesClient(type: ClientAuthType): boolean {
  return type === 'VerifyClientCertIfGiven' || type === 'RequireAndVerifyClientCert';
}

/** Whether a client without a certificate is refused. */
export function requiresClientCertificate(type: ClientAuthType): boolean {
  return type === 'RequireAnyClientCert' || type === 'RequireAndVerifyClientCert';
}
