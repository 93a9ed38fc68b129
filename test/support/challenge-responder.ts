import { createServer, type Server } from 'node:http';
import { createSecureContext, createServer as createTlsServer, type Server as TlsServer } from 'node:tls';
import type { AcmeChallenges } from '../../src/control/acme/types.ts';

export interface ResponderPorts {
  readonly httpPort: number;
  readonly tlsPort: number;
}

/** Stands in for the workers: answers http-01 and tls-alpn-01 on loopback for whoever knows the challenge. */
export async function startResponder(
  ports: ResponderPorts,
  knows: () => readonly AcmeChallenges[],
): Promise<AsyncDisposable & { readonly asked: string[] }> {
  const asked: string[] = [];
  const http = createServer((request, response) => {
    const token = /^\/\.well-known\/acme-challenge\/(.+)$/.exec(request.url ?? '')?.[1] ?? '';
    asked.push(request.headers.host ?? '');
    const body = knows()
      .map((challenges) => challenges.http01(token))
      .find((text) => text !== undefined);
    response.statusCode = body === undefined ? 404 : 200;
    response.end(body ?? 'no such challenge\n');
  });
  const tls = createTlsServer({
    ALPNProtocols: ['acme-tls/1'],
    SNICallback: (name, done) => {
      asked.push(name);
      const found = knows()
        .flatMap((challenges) => challenges.alpn())
        .find((challenge) => challenge.name === name);
      if (found === undefined) done(new Error('unknown name'));
      else done(null, createSecureContext({ cert: found.cert, key: found.key }));
    },
  });
  tls.on('tlsClientError', () => undefined);
  await Promise.all([listen(http, ports.httpPort), listen(tls, ports.tlsPort)]);
  return {
    asked,
    [Symbol.asyncDispose]: async () => {
      http.closeAllConnections();
      await Promise.all([close(http), close(tls)]);
    },
  };
}

function listen(server: Server | TlsServer, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, '127.0.0.1', resolve);
  });
}

function close(server: Server | TlsServer): Promise<void> {
  return new Promise((resolve) => server.close(() => resolve()));
}
