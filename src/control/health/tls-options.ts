import net from 'node:net';
import tls from 'node:tls';
import type { CheckAddress } from './check-result.ts';

/** How a check speaks TLS: as requests to the same server do. */
export function tlsOptions({ tls: options }: CheckAddress): tls.ConnectionOptions {
  if (options === undefined) return {};
  const { ca, cert, key, serverName, verify } = options;
  return {
    ...(ca.length > 0 ? { ca: [...ca] } : {}),
    ...(cert.length > 0 ? { cert: [...cert], key: [...key] } : {}),
    servername: net.isIP(serverName) === 0 ? serverName : '',
    rejectUnauthorized: verify,
    checkServerIdentity: (_, certificate) => tls.checkServerIdentity(serverName, certificate),
  };
}
