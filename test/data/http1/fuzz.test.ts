import { once } from 'node:events';
import http from 'node:http';
import net, { type AddressInfo } from 'node:net';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { byteStreams, cut } from './byte-streams.ts';
import { runCodec } from './fake-socket.ts';

/** FUZZ=20 searches twenty times as long. */
const LONGER = Number(process.env.FUZZ ?? 1);

describe('the HTTP/1 codec', () => {
  it('reads the same from a byte stream however it is cut', () => {
    fc.assert(
      fc.property(byteStreams, fc.array(fc.nat(2_000), { maxLength: 12 }), (bytes, places) => {
        expect(runCodec(cut(bytes, places))).toEqual(runCodec([bytes]));
      }),
      { numRuns: 3_000 * LONGER },
    );
  });

  it('reads the same from single bytes', () => {
    fc.assert(
      fc.property(byteStreams, (bytes) => {
        const single = [...bytes].map((byte) => Buffer.from([byte]));
        expect(runCodec(single)).toEqual(runCodec([bytes]));
      }),
      { numRuns: 500 * LONGER },
    );
  });

  it('never throws on arbitrary bytes', () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 300 }), { maxLength: 5 }), (pieces) => {
        runCodec(pieces.map((piece) => Buffer.from(piece)));
      }),
      { numRuns: 2_000 * LONGER },
    );
  });
});

describe('beside llhttp, strict', () => {
  /** What Node's parser made of each connection, by the client's port. */
  const byPort = new Map<number, { method: string; target: string; body: string }[]>();
  const server = http.createServer({ insecureHTTPParser: false, keepAliveTimeout: 1_000 }, (request, response) => {
    const body: Buffer[] = [];
    const port = request.socket.remotePort!;
    request.on('data', (chunk: Buffer) => body.push(chunk));
    request.on('end', () => {
      const seen = byPort.get(port) ?? [];
      seen.push({ method: request.method!, target: request.url!, body: Buffer.concat(body).toString('latin1') });
      byPort.set(port, seen);
      response.end();
    });
  });
  server.on('clientError', (_error, socket) => socket.destroy());

  beforeAll(async () => {
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
  });
  afterAll(() => server.close());

  /** Sends a stream with a last request behind it that tells that everything before has been read. */
  async function llhttp(bytes: Buffer): Promise<{ method: string; target: string; body: string }[]> {
    const socket = net.connect((server.address() as AddressInfo).port, '127.0.0.1');
    await once(socket, 'connect');
    const port = socket.localPort!;
    socket.on('error', () => {});
    socket.resume();
    socket.end(bytes);
    // Not once(): it rejects on an error, and a reset is one way to refuse.
    await new Promise((resolve) => socket.on('close', resolve));
    const seen = byPort.get(port) ?? [];
    byPort.delete(port);
    return seen;
  }

  it(
    'accepts nothing that llhttp refuses, and reads the same requests',
    async () => {
      await fc.assert(
        fc.asyncProperty(byteStreams, async (bytes) => {
          const read = runCodec([bytes]).seen.map(({ method, target, body }) => ({ method, target, body }));
          // Any token is a method to a proxy; llhttp knows a list of them, and stops at another.
          const unknown = read.findIndex(({ method }) => !http.METHODS.includes(method));
          const ours = unknown < 0 ? read : read.slice(0, unknown);
          const theirs = await llhttp(bytes);
          // Absolute targets go on in origin form, and paths in normal form: only what frames requests is compared for those.
          const frame = (list: typeof ours) => list.map(({ method, body }) => ({ method, body }));
          expect(frame(theirs).slice(0, ours.length)).toEqual(frame(ours));
        }),
        { numRuns: 400 * LONGER },
      );
    },
    60_000 * LONGER,
  );
});
