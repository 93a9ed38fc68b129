import type { TLSSocket } from 'node:tls';
import { requiresClientCertificate, verifiesClient } from '../../core/tls/client-auth.ts';
import type { CompiledOptions } from './compiled-options.ts';
import type { TlsFailureReason } from './failure.ts';
import { clientVerifyError } from './server-socket.ts';

export type ClientCertificateVerdict =
  | { readonly ok: true; readonly verified: boolean }
  | { readonly ok: false; readonly reason: TlsFailureReason; readonly detail: string };

const NOT_ASKED: ClientCertificateVerdict = { ok: true, verified: false };

/** Judges the client's certificate once the handshake is done, by Go's five types of client authentication. */
export function judgeClientCertificate(
  socket: TLSSocket,
  options: CompiledOptions,
  now: number,
): ClientCertificateVerdict {
  const type = options.clientAuth;
  if (type === 'NoClientCert') return NOT_ASKED;
  const certificate = socket.getPeerX509Certificate();
  if (certificate === undefined) {
    // OpenSSL has refused it in the handshake already; a resumed session is what it does not look at.
    if (!requiresClientCertificate(type)) return NOT_ASKED;
    return { ok: false, reason: 'client-certificate-missing', detail: 'the client gave no certificate' };
  }
  if (!verifiesClient(type)) return NOT_ASKED;
  const error = clientVerifyError(socket);
  if (error !== null) return { ok: false, reason: 'client-certificate-invalid', detail: describe(error) };
  // A ticket carries the verdict of the day when it was given out.
  if (socket.isSessionReused() && certificate.validToDate.getTime() < now) {
    return { ok: false, reason: 'client-certificate-invalid', detail: describe('CERT_HAS_EXPIRED') };
  }
  return { ok: true, verified: true };
}

function describe(code: string): string {
  return `the client's certificate is not trusted: ${code}`;
}
