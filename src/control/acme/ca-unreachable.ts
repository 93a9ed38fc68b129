import { connect, type TLSSocket } from 'node:tls';
import { AcmeError } from './acme-error.ts';
import type { CaEndpoint } from './ca-endpoint.ts';

const DESCRIBE_MS = 3_000;

/**
 * Says in one line why a CA could not be asked, and what to do.
 *
 * @param serverName the name that its certificate has to have, where that is not the one in its URL
 */
export async function unreachable(
  endpoint: CaEndpoint,
  error: NodeJS.ErrnoException,
  serverName: string | undefined,
): Promise<AcmeError> {
  const ca = `the CA ${endpoint.label}`;
  const make = (message: string, kind: 'unreachable' | 'local' = 'unreachable'): AcmeError =>
    new AcmeError(kind, message, { cause: error });
  switch (error.code) {
    case 'ECONNREFUSED':
      return make(`${ca} refuses the connection`);
    case 'ECONNRESET':
    case 'EPIPE':
      return make(`${ca} closed the connection`);
    case 'EHOSTUNREACH':
    case 'ENETUNREACH':
      return make(`there is no route to ${ca}`);
    case 'EPROTO':
      return make(`${ca} does not speak TLS there (${error.message.split('\n')[0]})`);
    case 'ERR_TLS_CERT_ALTNAME_INVALID':
      return make(
        `${ca} has a certificate for another name (${error.message.replace(/^.*?altnames: /, '')}): set caServerName, or correct caServer${await whoAnswers(endpoint, serverName)}`,
      );
    case 'SELF_SIGNED_CERT_IN_CHAIN':
    case 'DEPTH_ZERO_SELF_SIGNED_CERT':
    case 'UNABLE_TO_VERIFY_LEAF_SIGNATURE':
    case 'UNABLE_TO_GET_ISSUER_CERT':
    case 'UNABLE_TO_GET_ISSUER_CERT_LOCALLY':
    case 'CERT_SIGNATURE_FAILURE':
      return make(
        `${ca} has a certificate that the resolver's roots do not vouch for (${error.code})${await whoAnswers(endpoint, serverName)}: check caCertificates or caFingerprint`,
      );
    case 'CERT_HAS_EXPIRED':
    case 'CERT_NOT_YET_VALID':
      return make(
        `${ca} has a certificate that has expired or is not valid yet: compare the clocks${await whoAnswers(endpoint, serverName)}`,
      );
    default:
      return make(`${ca} cannot be reached: ${error.message}`);
  }
}

/** Whose certificate it is, for the message: a look without trust and without sending anything. */
function whoAnswers(endpoint: CaEndpoint, serverName: string | undefined): Promise<string> {
  const { host, port } = endpoint.target(endpoint.url);
  const servername = serverName ?? endpoint.url.hostname;
  return new Promise((resolve) => {
    const socket = connect({
      ...{ host, port, rejectUnauthorized: false, lookup: endpoint.lookupFor(endpoint.url) },
      ...(/^[\d.]+$|:|\[/.test(servername) ? {} : { servername }),
    });
    const timer = setTimeout(() => done(''), DESCRIBE_MS);
    const done = (text: string): void => {
      clearTimeout(timer);
      socket.destroy();
      resolve(text);
    };
    socket.once('secureConnect', () => done(describePeer(socket)));
    socket.once('error', () => done(''));
  });
}

function describePeer(socket: TLSSocket): string {
  const peer = socket.getPeerX509Certificate();
  if (peer === undefined) return '';
  const subject = peer.subject ? peer.subject.replaceAll('\n', ', ') : (peer.subjectAltName ?? 'no name');
  if (/PHOENIX DEFAULT CERT/.test(subject)) {
    return '; what answers there is a proxy like this one, with its default certificate: the name leads back here, set caAddress';
  }
  return `; what answers there is "${subject}", issued by "${peer.issuer.replaceAll('\n', ', ')}"`;
}
