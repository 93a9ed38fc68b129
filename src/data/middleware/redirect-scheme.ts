import type { RedirectSchemeMiddleware } from '../../core/config/middlewares.ts';
import type { Exchange } from '../exchange.ts';
import { H } from '../headers/known.ts';
import { asciiTarget, redirect } from './location.ts';
import type { MiddlewareFactory } from './types.ts';

/**
 * Redirects to another scheme and port, path and query kept. As in Traefik the port counts: with `scheme: https` and no port,
 * `https://a:8443/` goes to `https://a/`.
 * @throws where the scheme or the port is none
 */
export const redirectScheme: MiddlewareFactory<RedirectSchemeMiddleware> = (config) => {
  const scheme = config.scheme;
  if (!/^[A-Za-z][A-Za-z0-9+.-]*$/.test(scheme)) {
    throw new Error(`redirectScheme.scheme: ${JSON.stringify(scheme)} is not a scheme; write for example https`);
  }
  const configuredPort = config.port ?? '';
  if (configuredPort !== '' && (!/^[0-9]{1,5}$/.test(configuredPort) || Number(configuredPort) > 65535)) {
    throw new Error(`redirectScheme.port: ${JSON.stringify(configuredPort)} is not a port`);
  }
  const port = configuredPort === '' ? '' : withoutDefault(scheme, `:${configuredPort}`);
  const permanent = config.permanent;

  return (next) => (exchange) => {
    const authority = exchange.authority;
    const portAt = portStart(authority);
    const current = clientScheme(exchange);
    const currentPort = portAt === -1 ? '' : withoutDefault(current, authority.slice(portAt));
    if (current === scheme && currentPort === port) {
      next(exchange);
      return;
    }
    const host = portAt === -1 ? authority : authority.slice(0, portAt);
    redirect(exchange, `${scheme}://${host}${port}${asciiTarget(exchange)}`, permanent);
  };
};

/** http or https, as the client sees it: a trusted proxy before us may have ended its TLS. */
function clientScheme(exchange: Exchange): 'http' | 'https' {
  if (exchange.peer.trusted) {
    // An upgrade request came by HTTP(S) so far, whatever a previous hop wrote.
    switch (exchange.headers.getKnown(H.X_FORWARDED_PROTO)?.toLowerCase()) {
      case 'http':
      case 'ws':
        return 'http';
      case 'https':
      case 'wss':
        return 'https';
    }
  }
  return exchange.secure ? 'https' : 'http';
}

function withoutDefault(scheme: string, port: string): string {
  return (scheme === 'http' && port === ':80') || (scheme === 'https' && port === ':443') ? '' : port;
}

/** Where the port of an authority begins, at the colon; -1 where there is none. */
function portStart(authority: string): number {
  const colon = authority.lastIndexOf(':');
  return colon > authority.lastIndexOf(']') ? colon : -1;
}
