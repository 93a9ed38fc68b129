import type { Socket } from 'node:net';
import { ProxyError } from '../core/errors.ts';
import type { Exchange, Tunnel } from './exchange.ts';

/**
 * Joins two sockets after an upgrade: bytes and half-closes pass both ways, with backpressure. The exchange is over when
 * both have closed.
 * @param onClosed called then
 */
export function splice(
  exchange: Exchange,
  client: Tunnel,
  upstream: Socket,
  rest: Buffer | null,
  onClosed: () => void,
): void {
  const downstream = client.socket;
  if (rest !== null) {
    exchange.responseBytes += rest.length;
    downstream.write(rest);
  }
  if (client.head !== null) {
    exchange.requestBytes += client.head.length;
    upstream.write(client.head);
  }
  let open = 2;
  const closed = (): void => {
    if (--open > 0) return;
    exchange.upstreamEndedAt = performance.now();
    onClosed();
    exchange.finish();
  };
  const join = (from: Socket, to: Socket, count: (bytes: number) => void): void => {
    from.removeAllListeners('data');
    from.on('data', (chunk: Buffer) => {
      count(chunk.length);
      if (!to.write(chunk)) from.pause();
    });
    to.on('drain', () => from.resume());
    from.on('end', () => {
      if (to.writable) to.end();
    });
    from.on('error', (error) => {
      exchange.error ??= new ProxyError(from === downstream ? 'CLIENT_GONE' : 'UPSTREAM_CLOSED', error.message, error);
    });
    from.on('close', (failed: boolean) => {
      // Both directions of a side that is gone are over; one that broke is told as a break, not as a farewell.
      if (!to.destroyed) {
        if (failed) to.resetAndDestroy();
        else if (to.writableLength > 0) to.destroySoon();
        else to.destroy();
      }
      closed();
    });
  };
  join(downstream, upstream, (bytes) => {
    exchange.requestBytes += bytes;
  });
  join(upstream, downstream, (bytes) => {
    exchange.responseBytes += bytes;
  });
  downstream.resume();
  upstream.resume();
}
