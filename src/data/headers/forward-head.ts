import { hostname } from 'node:os';
import type { Exchange } from '../exchange.ts';
import { mark } from './header-list.ts';
import { FORWARDED, H, HOP_BY_HOP } from './known.ts';
import { offersWebsocket } from './upgrade.ts';

const HOSTNAME = hostname();

const SKIP = mark(H.HOST, H.CONTENT_LENGTH, H.FRAMING_LOOKALIKE);
for (let id = 0; id < 32; id++) if (HOP_BY_HOP[id] === 1) SKIP[id] = 1;
const SKIP_AND_FOR = Uint8Array.from(SKIP);
SKIP_AND_FOR[H.X_FORWARDED_FOR] = 1;

/**
 * The head of a request as it goes to the upstream: hop-by-hop headers left out, framing and forwarded headers the proxy's own
 * (Traefik's names and rules). The one place where such a head is made.
 *
 * @param target path and query
 * @param host value of the Host header
 */
export function forwardHead(exchange: Exchange, target: string, host: string): string {
  const { headers, method, body } = exchange;
  const known = headers.hasMarked(FORWARDED);
  let head = `${method} ${target} HTTP/1.1\r\nHost: ${host}\r\n${headers.lines(known ? SKIP_AND_FOR : SKIP)}`;
  head += known || exchange.upgrade !== null ? forwardedOneByOne(exchange) : forwardedAtOnce(exchange);
  if (body === 'length') head += `Content-Length: ${exchange.length}\r\n`;
  else if (body === 'chunked') head += 'Transfer-Encoding: chunked\r\n';
  else if (method === 'POST' || method === 'PUT' || method === 'PATCH') head += 'Content-Length: 0\r\n';
  // RFC 9110 §10.1.4: a TE is for the next hop alone, and says so.
  if (exchange.acceptsTrailers) head += 'TE: trailers\r\nConnection: TE\r\n';
  if (exchange.upgrade !== null) head += `Connection: Upgrade\r\nUpgrade: ${exchange.upgrade}\r\n`;
  return `${head}\r\n`;
}

function forwardedAtOnce(exchange: Exchange): string {
  const { peer, authority } = exchange;
  let lines = peer.forwardedLines;
  if (lines === null) {
    const proto = peer.tls === null ? 'http' : 'https';
    lines = `X-Forwarded-For: ${peer.address}\r\nX-Forwarded-Proto: ${proto}\r\nX-Forwarded-Server: ${HOSTNAME}\r\nX-Real-Ip: ${peer.address}\r\n`;
    peer.forwardedLines = lines;
  }
  const host = authority === '' ? '' : `X-Forwarded-Host: ${authority}\r\n`;
  return `${lines}${host}X-Forwarded-Port: ${forwardedPort(authority, peer.tls === null ? '80' : '443')}\r\n`;
}

/** What a trusted peer, or a middleware, said stands; the rest is added. */
function forwardedOneByOne(exchange: Exchange): string {
  const { headers, peer, authority } = exchange;
  const before = headers.joinKnown(H.X_FORWARDED_FOR);
  let lines = `X-Forwarded-For: ${before === undefined || before === '' ? peer.address : `${before}, ${peer.address}`}\r\n`;
  let proto = headers.getKnown(H.X_FORWARDED_PROTO);
  if (proto === undefined) {
    const websocket = offersWebsocket(exchange.upgrade);
    proto = peer.tls === null ? (websocket ? 'ws' : 'http') : websocket ? 'wss' : 'https';
    lines += `X-Forwarded-Proto: ${proto}\r\n`;
  }
  if (authority !== '' && headers.getKnown(H.X_FORWARDED_HOST) === undefined)
    lines += `X-Forwarded-Host: ${authority}\r\n`;
  if (headers.getKnown(H.X_FORWARDED_PORT) === undefined) {
    const secure = peer.tls !== null || proto === 'https' || proto === 'wss';
    lines += `X-Forwarded-Port: ${forwardedPort(authority, secure ? '443' : '80')}\r\n`;
  }
  if (headers.getKnown(H.X_FORWARDED_SERVER) === undefined) lines += `X-Forwarded-Server: ${HOSTNAME}\r\n`;
  if (headers.getKnown(H.X_REAL_IP) === undefined) lines += `X-Real-Ip: ${peer.address}\r\n`;
  return lines;
}

/** The port the client named, else the scheme's own. */
function forwardedPort(authority: string, otherwise: string): string {
  const colon = authority.lastIndexOf(':');
  if (colon < 0 || authority.charCodeAt(authority.length - 1) === 0x5d || colon === authority.length - 1)
    return otherwise;
  return authority.substring(colon + 1);
}
