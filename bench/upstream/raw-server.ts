/**
 * The upstream where nginx is not installed: answers each request head with bytes made once. It trusts its clients
 * (GET without bodies), so it is an upstream for the bench and nothing else. Arguments: port, size of the small body.
 */
import { createServer } from 'node:net';

const [port, small] = process.argv.slice(2);

const kept = answers('keep-alive');
const closed = answers('close');

function answers(connection: string): { small: Buffer; large: Buffer; huge: Buffer } {
  const answer = (size: number): Buffer =>
    Buffer.concat([
      Buffer.from(`HTTP/1.1 200 OK\r\nContent-Length: ${size}\r\nConnection: ${connection}\r\n\r\n`),
      Buffer.alloc(size, 'x'),
    ]);
  return {
    small: answer(Number(small)),
    large: answer(1_048_576),
    get huge() {
      return answer(104_857_600);
    },
  };
}

const server = createServer({ noDelay: true }, (socket) => {
  let received = '';
  socket.on('data', (chunk) => {
    received += chunk.toString('latin1');
    let end = received.indexOf('\r\n\r\n');
    while (end >= 0) {
      const head = received.slice(0, end + 2);
      received = received.slice(end + 4);
      const close = /^GET \S+ HTTP\/1\.0\r\n/.test(head) || /\r\nconnection: *close\r\n/i.test(head);
      const set = close ? closed : kept;
      socket.write(head.startsWith('GET /1m ') ? set.large : head.startsWith('GET /100m ') ? set.huge : set.small);
      if (close) return void socket.end();
      end = received.indexOf('\r\n\r\n');
    }
  });
  // Clients that leave at the end of a round.
  socket.on('error', () => socket.destroy());
});
server.listen({ host: '127.0.0.1', port: Number(port), backlog: 1_024 });
process.once('SIGTERM', () => process.exit(0));
