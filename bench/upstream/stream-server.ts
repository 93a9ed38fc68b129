/**
 * The upstream for what nginx cannot play: WebSocket messages that come back, server-sent events, uploads that are read to
 * their end before they are answered. It trusts its clients, so it is an upstream for the bench and nothing else.
 * Arguments: port, size of the small body.
 */
import { createHash } from 'node:crypto';
import { createServer, type Socket } from 'node:net';

const [port, small] = process.argv.slice(2);
const TICK_MS = 1;

const answer = `HTTP/1.1 200 OK\r\nContent-Length: ${small}\r\n\r\n${'x'.repeat(Number(small))}`;

interface Stream {
  readonly socket: Socket;
  readonly intervalMs: number;
  due: number;
  token: number;
}

const streams = new Set<Stream>();

const server = createServer({ noDelay: true }, (socket) => {
  let received = '';
  /** Bytes of a request's body that are still to come. */
  let body = 0;
  const onData = (chunk: Buffer): void => {
    let from = 0;
    if (body > 0) {
      from = Math.min(body, chunk.length);
      body -= from;
      if (body === 0) socket.write(answer);
      if (from === chunk.length) return;
    }
    received += chunk.toString('latin1', from);
    for (let end = received.indexOf('\r\n\r\n'); end >= 0 && body === 0; end = received.indexOf('\r\n\r\n')) {
      const head = received.slice(0, end + 2);
      received = received.slice(end + 4);
      if (/\r\nupgrade: *websocket\r\n/i.test(head)) {
        socket.removeListener('data', onData);
        echo(socket, head);
        return;
      }
      const events = /^GET \/events\?rate=(\d+) /.exec(head);
      if (events !== null) {
        tell(socket, Number(events[1]));
        continue;
      }
      const length = Number(/\r\ncontent-length: *(\d+)/i.exec(head)?.[1] ?? 0);
      body = Math.max(0, length - received.length);
      received = received.slice(length);
      if (body === 0) socket.write(answer);
    }
  };
  socket.on('data', onData);
  // Clients that leave at the end of a round.
  socket.on('error', () => socket.destroy());
});

/** RFC 6455: accepts, and sends each short message back without its mask. */
function echo(socket: Socket, head: string): void {
  const key = /\r\nsec-websocket-key: *(\S+)/i.exec(head)?.[1] ?? '';
  const accept = createHash('sha1').update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest('base64');
  socket.write(
    `HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${accept}\r\n\r\n`,
  );
  let rest: Buffer = Buffer.alloc(0);
  socket.on('data', (chunk: Buffer) => {
    rest = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
    while (rest.length >= 6) {
      const short = (rest[1] ?? 0) & 127;
      const wide = short === 126;
      if (wide && rest.length < 8) return;
      const length = wide ? rest.readUInt16BE(2) : short;
      const payload = wide ? 8 : 6;
      if (rest.length < payload + length) return;
      const out = Buffer.alloc(payload - 4 + length);
      out[0] = rest[0] ?? 0;
      if (wide) out.writeUInt16BE(length, 2);
      out[1] = short;
      for (let i = 0; i < length; i += 1)
        out[payload - 4 + i] = (rest[payload + i] ?? 0) ^ (rest[payload - 4 + (i & 3)] ?? 0);
      socket.write(out);
      rest = rest.subarray(payload + length);
    }
  });
}

function tell(socket: Socket, perSecond: number): void {
  socket.write(
    'HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nCache-Control: no-cache\r\nTransfer-Encoding: chunked\r\n\r\n',
  );
  const intervalMs = 1_000 / perSecond;
  // Spread, as the tokens of different conversations are.
  const stream = { socket, intervalMs, due: performance.now() + Math.random() * intervalMs, token: 0 };
  streams.add(stream);
  socket.once('close', () => streams.delete(stream));
}

setInterval(() => {
  const now = performance.now();
  for (const stream of streams) {
    if (stream.due > now) continue;
    stream.due += stream.intervalMs;
    stream.token += 1;
    const event = `data: ${process.hrtime.bigint()} {"choices":[{"delta":{"content":"token ${stream.token}"}}]}\n\n`;
    stream.socket.write(`${event.length.toString(16)}\r\n${event}\r\n`);
  }
}, TICK_MS);

server.listen({ host: '127.0.0.1', port: Number(port), backlog: 1_024 });
process.once('SIGTERM', () => process.exit(0));
