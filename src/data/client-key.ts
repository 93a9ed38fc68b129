import type { Exchange } from './exchange.ts';
import { H } from './headers/known.ts';

/**
 * The address of the client, as far as it can be believed: what a trusted peer says in X-Real-Ip, or added last to
 * X-Forwarded-For, else the peer's own. For what treats clients apart: behind a gateway all have the same peer.
 */
export function clientAddressOf(exchange: Exchange): string {
  const { peer, headers } = exchange;
  if (!peer.trusted) return peer.address;
  const real = headers.getKnown(H.X_REAL_IP);
  if (real !== undefined && real !== '') return real;
  const hops = headers.joinKnown(H.X_FORWARDED_FOR);
  if (hops === undefined) return peer.address;
  const last = hops.slice(hops.lastIndexOf(',') + 1).trim();
  return last === '' ? peer.address : last;
}
