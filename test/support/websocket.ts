import { createHash, randomBytes } from 'node:crypto';
import type { Duplex } from 'node:stream';
import { type HttpUpstream, startHttpUpstream, type UpstreamOptions } from './http-upstreams.ts';
import { RawClient, type RawConnectOptions } from './raw-client.ts';
import { waitFor } from './wait-for.ts';

const GUID = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11';

/** Sec-WebSocket-Accept of a key (RFC 6455 §4.2.2). */
export function acceptOf(key: string): string {
  return createHash('sha1')
    .update(key + GUID)
    .digest('base64');
}

/** Text frame 1, close frame 8, ping 9, pong 10 (RFC 6455 §5.2). */
export interface Frame {
  readonly opcode: number;
  readonly payload: Buffer;
}

/** One final frame; clients mask. */
export function encodeFrame(opcode: number, payload: Buffer, mask: boolean): Buffer {
  const length = payload.length;
  const size = length < 126 ? [length] : length < 65_536 ? [126, length >> 8, length & 0xff] : undefined;
  if (size === undefined) throw new Error('frames above 65,535 bytes are not needed here');
  if (!mask) return Buffer.concat([Buffer.from([0x80 | opcode, ...size]), payload]);
  const key = randomBytes(4);
  return Buffer.concat([Buffer.from([0x80 | opcode, 0x80 | size[0]!, ...size.slice(1)]), key, xor(payload, key)]);
}

/** Masks and unmasks (RFC 6455 §5.3). */
function xor(bytes: Buffer, key: Buffer): Buffer {
  return Buffer.from(bytes.map((byte, index) => byte ^ key[index % 4]!));
}

/** Takes one frame off the front; undefined while it is incomplete. */
export function takeFrame(bytes: Buffer): { frame: Frame; length: number } | undefined {
  if (bytes.length < 2) return undefined;
  const isMasked = (bytes[1]! & 0x80) !== 0;
  const short = bytes[1]! & 0x7f;
  if (short === 127) throw new Error('frames above 65,535 bytes are not needed here');
  let offset = short === 126 ? 4 : 2;
  if (bytes.length < offset) return undefined;
  const length = short === 126 ? bytes.readUInt16BE(2) : short;
  const key = isMasked ? bytes.subarray(offset, offset + 4) : undefined;
  offset += isMasked ? 4 : 0;
  if (bytes.length < offset + length) return undefined;
  const masked = bytes.subarray(offset, offset + length);
  const payload = key === undefined ? Buffer.from(masked) : xor(masked, key);
  return { frame: { opcode: bytes[0]! & 0x0f, payload }, length: offset + length };
}

/** A server that upgrades to websocket and echoes every frame; answers the closing handshake. */
export async function startWebSocketEcho(options: UpstreamOptions = {}): Promise<HttpUpstream> {
  return startHttpUpstream(
    (request, response) => {
      if (request.headers.upgrade?.toLowerCase() !== 'websocket') {
        response.writeHead(426, { Upgrade: 'websocket', Connection: 'Upgrade' }).end();
      }
    },
    { ...options, onUpgrade: echoFrames },
  );
}

function echoFrames(key: string, socket: Duplex, head: Buffer): void {
  let bytes = head;
  const onBytes = (): void => {
    for (let taken = takeFrame(bytes); taken !== undefined; taken = takeFrame(bytes)) {
      bytes = bytes.subarray(taken.length);
      socket.write(encodeFrame(taken.frame.opcode, taken.frame.payload, false));
      if (taken.frame.opcode === 8) socket.end();
    }
  };
  socket.on('error', () => socket.destroy());
  socket.on('end', () => socket.end());
  socket.on('data', (chunk: Buffer) => {
    bytes = Buffer.concat([bytes, chunk]);
    onBytes();
  });
  socket.write(
    `HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${acceptOf(key)}\r\n\r\n`,
  );
  onBytes();
}

/** The client's side: handshake by hand, then frames. */
export interface WebSocketClient extends AsyncDisposable {
  readonly raw: RawClient;
  send(text: string): Promise<void>;
  /** The next frame. */
  receive(timeoutMs?: number): Promise<Frame>;
  /** Closing handshake; resolves when the peer's close frame is there. */
  close(): Promise<void>;
}

/**
 * Opens a websocket.
 *
 * @throws Error when the answer is not a right 101
 */
export async function openWebSocket(
  options: RawConnectOptions & { requestHost: string; path?: string },
): Promise<WebSocketClient> {
  const raw = await RawClient.connect(options);
  const key = randomBytes(16).toString('base64');
  await raw.write(
    `GET ${options.path ?? '/'} HTTP/1.1\r\nHost: ${options.requestHost}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n` +
      `Sec-WebSocket-Key: ${key}\r\nSec-WebSocket-Version: 13\r\n\r\n`,
  );
  const { responses, rest } = await raw.waitForResponses(1);
  const answer = responses.find((response) => response.status === 101);
  if (answer?.header('sec-websocket-accept') !== acceptOf(key)) {
    throw new Error(`not upgraded: ${raw.received.toString('latin1')}`);
  }
  let taken = raw.receivedLength - rest.length;
  const receive = async (timeoutMs = 30_000): Promise<Frame> => {
    const next = await waitFor('a websocket frame', () => takeFrame(raw.received.subarray(taken)), {
      timeoutMs,
      intervalMs: 2,
    });
    taken += next.length;
    return next.frame;
  };
  return {
    raw,
    send: (text) => raw.write(encodeFrame(1, Buffer.from(text), true)),
    receive,
    close: async () => {
      await raw.write(encodeFrame(8, Buffer.alloc(0), true));
      while ((await receive()).opcode !== 8);
      raw.socket.destroy();
    },
    [Symbol.asyncDispose]: () => raw[Symbol.asyncDispose](),
  };
}
