import { createSocket } from 'node:dgram';
import type { AddressInfo } from 'node:net';

const TYPE_A = 1;
const HEADER_BYTES = 12;

/**
 * A DNS server on loopback for which every name is 127.0.0.1: the CA has to find this machine by names that no real DNS
 * knows (RFC 1035 section 4.1). Answers one question of a message; anything but an A record does not exist.
 */
export async function startDns(): Promise<{ readonly port: number; close(): void }> {
  const socket = createSocket('udp4');
  socket.on('message', (query, peer) => {
    const answer = answerTo(query);
    if (answer !== null) socket.send(answer, peer.port, peer.address);
  });
  await new Promise<void>((resolve, reject) => {
    socket.once('error', reject);
    socket.bind(0, '127.0.0.1', resolve);
  });
  return { port: (socket.address() as AddressInfo).port, close: () => socket.close() };
}

function answerTo(query: Buffer): Buffer | null {
  const end = query.indexOf(0, HEADER_BYTES);
  if (end < 0 || query.length < end + 5 || query.readUInt16BE(4) !== 1) return null;
  const question = query.subarray(HEADER_BYTES, end + 5);
  const isA = question.readUInt16BE(question.length - 4) === TYPE_A;
  const header = Buffer.alloc(HEADER_BYTES);
  query.copy(header, 0, 0, 2);
  // A response, authoritative, recursion as it was desired.
  header.writeUInt16BE(0x8480 | (query.readUInt16BE(2) & 0x0100), 2);
  header.writeUInt16BE(1, 4);
  header.writeUInt16BE(isA ? 1 : 0, 6);
  // The name of the question, A, IN, 60 s, 127.0.0.1.
  const record = Buffer.from([0xc0, HEADER_BYTES, 0, TYPE_A, 0, 1, 0, 0, 0, 60, 0, 4, 127, 0, 0, 1]);
  return Buffer.concat([header, question, ...(isA ? [record] : [])]);
}
