import type { Socket } from 'node:net';
import { expect, it } from 'vitest';
import { takeKept } from '../../../src/data/chunk-memory.ts';
import type { Peer, PeerTls } from '../../../src/data/exchange.ts';
import { HeaderList } from '../../../src/data/headers/header-list.ts';
import { ServerConnection } from '../../../src/data/http1/server-connection.ts';
import { FakeSocket, PEER, serviceThat } from './fake-socket.ts';

/** As a TLS socket: what is written behind a write that is under way waits as it is, by reference. */
class TlsLikeSocket extends FakeSocket {
  override writableLength = 0;
  waiting = 0;
  #corked = 0;

  override cork(): void {
    this.#corked++;
  }
  override uncork(): void {
    this.#corked--;
  }
  override write(data: string | Buffer, encoding?: BufferEncoding): boolean {
    if (typeof data !== 'string' && this.writableLength > 0 && this.#corked === 0) this.waiting++;
    this.writableLength += data.length;
    return super.write(data, encoding);
  }
}

it('a piece that waits behind a write of a TLS socket is kept, however much text was held before it', () => {
  let waited = 0;
  for (let held = 16_300; held <= 16_400; held++) {
    const socket = new TlsLikeSocket();
    let kept = false;
    const peer: Peer = { ...PEER, localPort: 443, tls: {} as PeerTls };
    const service = serviceThat((exchange) => {
      const filler = 'x'.repeat(held - 75);
      exchange.start({
        status: 200,
        reason: 'OK',
        headers: HeaderList.of('Date', 'x', 'A', filler),
        body: 'chunked',
        length: 0,
      });
      takeKept();
      exchange.response.data(Buffer.alloc(8_192));
      kept = takeKept();
    });
    new ServerConnection(socket as unknown as Socket, peer, service, () => {});
    socket.emit('data', Buffer.from('GET / HTTP/1.1\r\nHost: a.test\r\n\r\n'));
    waited += socket.waiting;
    if (socket.waiting > 0) expect(kept, `with ${held} bytes held`).toBe(true);
  }
  expect(waited).toBeGreaterThan(0);
});
