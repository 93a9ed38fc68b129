import { Socket } from 'node:net';

/**
 * Reads of an accepted socket into memory that its owner provides: what `onread` of `net.connect()` is for the sockets of a
 * client, and what `net.createServer()` and `TLSSocket` have no option for. Without it each read costs 64 KiB that are
 * allocated, cut down to what came, and collected as garbage.
 *
 * Node keeps the option in three fields of the socket, named by symbols, and tells its handle where to read to
 * (lib/net.js, initSocketHandle). A Node that does it in another way is found out here, and sockets read as usual there.
 */
interface ReadFields {
  readonly buffer: symbol;
  readonly callback: symbol;
  readonly next: symbol;
}

interface Handle {
  useUserBuffer?(buffer: Uint8Array): void;
}

/** Reads the `n` bytes at the start of `buffer`. @returns false to be given no more until `resume()` */
export type OnRead = (n: number, buffer: Buffer) => boolean;

const FIELDS = findFields();

function findFields(): ReadFields | null {
  const symbols = Object.getOwnPropertySymbols(new Socket());
  const named = (name: string): symbol | undefined => symbols.find((symbol) => symbol.description === name);
  const buffer = named('kBuffer');
  const callback = named('kBufferCb');
  const next = named('kBufferGen');
  if (buffer === undefined || callback === undefined || next === undefined) return null;
  return { buffer, callback, next };
}

/**
 * From now on what is read goes to `onRead`, and no more to `data` listeners, but for what was read before.
 * @param next the memory for the next read, asked for after each
 * @returns false where this Node cannot do it
 */
export function readInto(socket: Socket, next: () => Buffer, onRead: OnRead): boolean {
  const handle = (socket as unknown as { _handle?: Handle | null })._handle;
  if (FIELDS === null || typeof handle?.useUserBuffer !== 'function') return false;
  const buffer = next();
  Object.assign(socket, { [FIELDS.buffer]: buffer, [FIELDS.callback]: onRead, [FIELDS.next]: next });
  handle.useUserBuffer(buffer);
  return true;
}
