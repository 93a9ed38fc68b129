/**
 * Who owns the memory of a body chunk. A reader reuses its buffer for the next read unless somebody downstream still
 * needs the bytes when the call that delivered them returns, and said so here. Everything is synchronous, so one flag does.
 */
let kept = false;

/** The bytes just delivered are still needed after this call: the reader must take other memory for its next read. */
export function keepChunk(): void {
  kept = true;
}

/** For readers: whether the chunk was kept since the last call. */
export function takeKept(): boolean {
  const was = kept;
  kept = false;
  return was;
}

/** Read buffers between two uses: allocating them outside of the heap is what costs a large body most. */
export class BufferPool {
  /** Bytes of each. */
  readonly size: number;
  readonly #spare: Buffer[] = [];

  constructor(size: number) {
    this.size = size;
  }

  take(): Buffer {
    return this.#spare.pop() ?? Buffer.allocUnsafeSlow(this.size);
  }

  /** Takes one back that nobody else uses any more. */
  give(buffer: Buffer): void {
    if (this.#spare.length < MAX_SPARE) this.#spare.push(buffer);
  }
}

const MAX_SPARE = 64;

/** Of what one read of a plain socket brings at most (libuv), and of a TLS socket (a record). */
export const LARGE_BUFFERS: BufferPool = new BufferPool(65_536);
export const TLS_BUFFERS: BufferPool = new BufferPool(16_384);
