import { keepChunk } from '../chunk-memory.ts';

/** Bytes of a connection that came before their turn, in order. What is added in small pieces is copied into room that doubles. */
export class Stash {
  #bytes: Buffer | null = null;
  /** Where `#bytes` begins at its start and may go on, if that memory is ours. */
  #room: Buffer | null = null;

  get empty(): boolean {
    return this.#bytes === null;
  }

  get length(): number {
    return this.#bytes === null ? 0 : this.#bytes.length;
  }

  /** Bytes of memory it takes. */
  get held(): number {
    return this.#room === null ? this.length : this.#room.length;
  }

  /** @param borrowed its memory is read into again: it is copied */
  push(piece: Buffer, borrowed: boolean): void {
    const bytes = this.#bytes;
    if (bytes === null) {
      if (borrowed) {
        this.#bytes = Buffer.from(piece);
      } else {
        keepChunk();
        this.#bytes = piece;
      }
      return;
    }
    const { length } = bytes;
    let room = this.#room;
    if (room === null || room.length - length < piece.length) {
      room = Buffer.allocUnsafe(Math.max(2 * length, length + piece.length));
      bytes.copy(room);
      this.#room = room;
    }
    piece.copy(room, length);
    this.#bytes = room.subarray(0, length + piece.length);
  }

  /** Gives all of it away, with its memory. */
  take(): Buffer | null {
    const bytes = this.#bytes;
    this.clear();
    return bytes;
  }

  clear(): void {
    this.#bytes = null;
    this.#room = null;
  }
}
