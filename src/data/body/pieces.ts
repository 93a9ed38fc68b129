/** Pieces smaller than this are put together once there are many: each costs more than its bytes. */
const SMALL = 2_048;
const BLOCK = 16_384;
const FEW = 8;

/** Pieces of a body that is kept, in order. How small a client makes them does not count: a few large ones come of it. */
export class Pieces {
  readonly #pieces: Buffer[] = [];
  #block: Buffer | null = null;
  #used = 0;

  /**
   * @param copy whether the bytes must be copied: they are somebody else's memory
   * @returns whether that memory is kept
   */
  push(piece: Buffer, copy = false): boolean {
    if (piece.length >= SMALL || this.#pieces.length < FEW) {
      this.#block = null;
      this.#pieces.push(copy ? Buffer.from(piece) : piece);
      return !copy;
    }
    if (this.#block === null || this.#used + piece.length > BLOCK) {
      this.#block = Buffer.allocUnsafeSlow(BLOCK);
      this.#used = 0;
      this.#pieces.push(this.#block);
    }
    piece.copy(this.#block, this.#used);
    this.#used += piece.length;
    this.#pieces[this.#pieces.length - 1] = this.#block.subarray(0, this.#used);
    return false;
  }

  get all(): readonly Buffer[] {
    return this.#pieces;
  }
}
