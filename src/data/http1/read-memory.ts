import { type BufferPool, LARGE_BUFFERS, takeKept } from '../chunk-memory.ts';

/**
 * Every connection of the worker is read into this, one after the other. Heads are parsed where they lie; what is kept longer
 * than the call that read it is copied.
 */
export const SHARED_READ: Buffer = Buffer.allocUnsafeSlow(LARGE_BUFFERS.size);

/**
 * Where the bodies of one connection's requests are read to: the memory that all share, or, while a large one comes, memory of
 * its own that whoever gets the bytes can keep without a copy.
 */
export class ReadMemory {
  /** The last read brought as much of a body as a read can: more is likely to come, and is worth memory of its own. */
  #full = false;
  /** That memory. */
  #own: Buffer | null = null;
  /** The last read's bytes lie in there as they were delivered. */
  #lent = false;
  /** For memory of its own: each as large as what one read brings at most. */
  readonly #pool: BufferPool;

  constructor(pool: BufferPool) {
    this.#pool = pool;
  }

  /** The memory of the next read. */
  next(bodyIsDue: boolean): Buffer {
    if (this.#full && bodyIsDue) {
      this.#own ??= this.#pool.take();
      return this.#own;
    }
    if (this.#own !== null) this.#pool.give(this.#own);
    this.#own = null;
    return SHARED_READ;
  }

  /** What a read brought, in memory that can be kept by `keepChunk()`. To be followed by {@link settle}. */
  lend(buf: Buffer, n: number): Buffer {
    const most = this.#pool.size;
    this.#full = n >= most;
    // Whoever keeps a small piece must not keep the memory of a large one.
    this.#lent = buf === this.#own && n >= most / 2;
    takeKept();
    return this.#lent ? buf.subarray(0, n) : copyOf(buf, n);
  }

  /** What was lent has been delivered. */
  settle(): void {
    if (takeKept() && this.#lent) this.#own = null;
  }
}

/** The first `n` bytes, in memory of their own. */
export function copyOf(buf: Buffer, n: number): Buffer {
  return Buffer.from(buf.subarray(0, n));
}
