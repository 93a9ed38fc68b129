import { Socket } from 'node:net';
import { TLSSocket } from 'node:tls';
import { keepChunk } from './chunk-memory.ts';
import { latin1 } from './latin1.ts';
import { type Late, turn } from './turn.ts';

/** Pieces of a body up to this size are copied into one write with what surrounds them; larger ones are written where they lie. */
export const COPY_LIMIT = 4_096;
/** More text than this is not held back. */
const HELD_LIMIT = 16_384;

/** What every Node stream has for those that implement one: it writes, and does not queue. */
interface DirectSocket {
  _write(text: string, encoding: 'latin1', written: (error?: Error | null) => void): void;
}

/**
 * What is written to one socket: heads and small pieces are held as text, one character a byte, until the end of the turn (see
 * turn.ts), then go out as one write. Large pieces are written where they lie, at once.
 *
 * A text for a plain socket on which nothing waits is handed to the kernel without the queue and the deferred callbacks of
 * `socket.write()`, which cost more than the system call. Should the kernel not take all of it, the socket is corked until it
 * has: what is written meanwhile waits in the stream's queue as it would have, with its backpressure.
 */
export class SocketWriter implements Late {
  readonly #socket: Socket;
  readonly #direct: DirectSocket | null;
  #held = '';
  /** What is held from here on can be taken back. */
  #mark = 0;
  /** Nothing that was held since the mark has been written. */
  #marked = false;
  #scheduled = false;
  /** Bytes of a direct write under way. */
  #unsent = 0;
  #corked = false;

  constructor(socket: Socket) {
    this.#socket = socket;
    const plain = socket instanceof Socket && !(socket instanceof TLSSocket);
    this.#direct = plain ? (socket as unknown as DirectSocket) : null;
  }

  /** Bytes that the kernel has not taken yet, without what is held. */
  get pending(): number {
    return this.#unsent + this.#socket.writableLength;
  }

  /** Holds a text until {@link flush}, or until it is long. */
  hold(text: string): void {
    this.#held += text;
    if (this.#held.length > HELD_LIMIT) this.flush();
  }

  /** Marks what is held from now on as something that {@link takeBack} can drop while it is not written. */
  mark(): void {
    this.#mark = this.#held.length;
    this.#marked = true;
  }

  /** Drops what is held since the mark. */
  takeBack(): void {
    if (this.#held.length > this.#mark) this.#held = this.#held.substring(0, this.#mark);
    this.#marked = false;
  }

  /** Whether nothing since the mark has been written. */
  get unwritten(): boolean {
    return this.#marked;
  }

  /** Whether something is held. */
  get holds(): boolean {
    return this.#held !== '';
  }

  /** Drops all that is held. */
  drop(): void {
    this.#held = '';
    this.#mark = 0;
    this.#marked = false;
  }

  /** What is held is written at the end of the turn at the latest. */
  flushLater(): void {
    if (this.#scheduled || this.#held === '') return;
    this.#scheduled = true;
    turn.atEnd(this);
  }

  endTurn(): void {
    this.#scheduled = false;
    this.flush();
  }

  /** Writes what is held now. */
  flush(): void {
    const text = this.#held;
    if (text === '') return;
    this.drop();
    const direct = this.#direct;
    const socket = this.#socket;
    if (direct === null || this.#unsent > 0 || socket.writableLength > 0) {
      socket.write(text, 'latin1');
      return;
    }
    this.#unsent = text.length;
    direct._write(text, 'latin1', this.#onWritten);
    if (this.#unsent === 0) return;
    this.#corked = true;
    socket.cork();
  }

  /** Writes what is held through the stream's queue: whoever has the socket from now on asks the stream what it holds. */
  handOver(): void {
    const text = this.#held;
    this.drop();
    if (text !== '') this.#socket.write(text, 'latin1');
  }

  /**
   * A piece of a body: a small one is held, a large one written. Its memory is kept (see chunk-memory.ts) where it must be.
   * @param chunked with the framing of RFC 9112 §7.1 around it
   * @returns false when there is no room for more: the socket will say `drain`
   */
  piece(chunk: Buffer, chunked: boolean): boolean {
    const size = chunk.length;
    if (size <= COPY_LIMIT) {
      this.hold(chunked ? `${size.toString(16)}\r\n${latin1(chunk, 0, size)}\r\n` : latin1(chunk, 0, size));
    } else {
      if (chunked) this.hold(`${size.toString(16)}\r\n`);
      this.write(chunk);
      if (chunked) this.hold('\r\n');
    }
    return !this.#socket.writableNeedDrain;
  }

  /**
   * Writes what is held, then a piece, without copying it.
   * @returns false when there is no room for more: the socket will say `drain`
   */
  write(chunk: Buffer): boolean {
    const socket = this.#socket;
    const text = this.#held;
    const behindOthers = socket.writableLength !== 0;
    this.#marked = false;
    let more: boolean;
    if (text === '') {
      more = socket.write(chunk);
    } else {
      this.drop();
      socket.cork();
      socket.write(text, 'latin1');
      more = socket.write(chunk);
      socket.uncork();
    }
    // A plain socket reads from the chunk until the kernel has taken all of it. A TLS socket has encrypted it by now, unless
    // an earlier write was still under way, and this one waits behind it as it is.
    if (this.#direct === null ? behindOthers : socket.writableLength !== 0) keepChunk();
    return more;
  }

  readonly #onWritten = (error?: Error | null): void => {
    this.#unsent = 0;
    const socket = this.#socket;
    if (error) {
      // As a stream does: after the caller has returned, and by its owner's wish without the end of reading.
      process.nextTick(failWrite, socket, error);
    } else if (this.#corked) {
      this.#corked = false;
      socket.uncork();
    }
  };
}

function failWrite(socket: Socket, error: Error): void {
  if (socket.destroyed) return;
  if (destroysItself(socket)) socket.destroy(error);
  else socket.emit('error', error);
}

/** Whether an error ends the stream: see upstream/keep-reading.ts. */
function destroysItself(socket: Socket): boolean {
  return (socket as unknown as { _writableState: { autoDestroy: boolean } })._writableState.autoDestroy;
}
