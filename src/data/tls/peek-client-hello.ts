import type { Socket } from 'node:net';
import { type ClientHello, parseClientHello } from '../../core/tls/client-hello.ts';
import { readInto } from '../read-into.ts';

export type PeekedHello = Exclude<ClientHello, { state: 'incomplete' }>;

/** Every connection's first bytes are read into this, and copied from it: a hello has some 500 of them. */
const FIRST_READ: Buffer = Buffer.allocUnsafeSlow(16_384);
const firstRead = (): Buffer => FIRST_READ;

/**
 * Reads from a fresh connection until its first bytes are known to be a ClientHello or not. The memory it takes is bounded
 * by `CLIENT_HELLO_MAX_BYTES` and one read.
 *
 * @param done called once, with what was read so far, which is no longer in the socket; not at all where the connection ends or is stopped before
 * @returns stops peeking
 */
export function peekClientHello(socket: Socket, done: (hello: PeekedHello, bytes: Buffer) => void): () => void {
  let chunks: Buffer[] | null = null;
  let received = 0;
  let need = 0;
  // Null once it is over. The socket holds the callback of its reads for as long as it lives, and must not hold the handshake.
  let told: typeof done | null = done;
  const stop = (): void => {
    told = null;
    chunks = null;
    socket.off('readable', onReadable);
  };
  const take = (chunk: Buffer): void => {
    received += chunk.length;
    chunks?.push(chunk);
    // Where a hello comes byte by byte, only the bytes that complete something are worth a look.
    if (received < need) return;
    const bytes = chunks === null ? chunk : Buffer.concat(chunks);
    const hello = parseClientHello(bytes);
    if (hello.state === 'incomplete') {
      chunks = [bytes];
      need = hello.need;
      return;
    }
    const tell = told;
    stop();
    tell?.(hello, bytes);
  };
  const onRead = (n: number, buffer: Buffer): boolean => {
    const chunk = Buffer.from(buffer.subarray(0, n));
    // Whoever has the connection now, and does not read it into memory of his own, reads it as any other.
    if (told === null) return socket.push(chunk);
    take(chunk);
    return true;
  };
  const onReadable = (): void => {
    const chunk = socket.read() as Buffer | null;
    if (chunk !== null) take(chunk);
  };
  if (!readInto(socket, firstRead, onRead)) socket.on('readable', onReadable);
  return stop;
}
