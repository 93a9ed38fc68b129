import { Pieces } from '../body/pieces.ts';
import { keepChunk } from '../chunk-memory.ts';
import type { Exchange, RequestBodySink } from '../exchange.ts';
import { ChunkedDecoder, type ChunkSink } from './chunked.ts';

/**
 * The body of a request that has one: bytes are decoded and wait until somebody reads them, then go straight through. A body that
 * nobody wants can be read over. It reads nothing itself: who feeds it asks it whether to go on.
 */
export class RequestBody implements ChunkSink {
  #exchange: Exchange | null;
  #left: number;
  readonly #chunked: ChunkedDecoder | null;
  #complete = false;
  #broken = false;
  #discarding = false;
  #discarded = 0;
  /** What waits, from {@link RequestBody.#next} on. */
  #queue: Pieces | null = null;
  #next = 0;
  #sink: RequestBodySink | null = null;
  #flowing = true;
  #ended = false;

  /** @param exchange says how the body is framed, and counts its bytes */
  constructor(exchange: Exchange) {
    this.#exchange = exchange;
    this.#left = exchange.length;
    this.#chunked = exchange.body === 'chunked' ? new ChunkedDecoder() : null;
  }

  /** All of it has come. */
  get complete(): boolean {
    return this.#complete;
  }

  /** Nobody wants it any more. */
  get discarding(): boolean {
    return this.#discarding;
  }

  /** Bytes that came since. */
  get discarded(): number {
    return this.#discarded;
  }

  /** Somebody waits for more of it, be it to throw it away. */
  get awaited(): boolean {
    return !this.#complete && (this.#sink !== null || this.#discarding);
  }

  /** More of it has no place to go to for now. */
  get blocked(): boolean {
    return !this.#complete && !this.#discarding && (this.#queue !== null || !this.#flowing);
  }

  /** Its reader has got all that came, and takes more. */
  get hungry(): boolean {
    return !this.#complete && this.#sink !== null && this.#queue === null && this.#flowing;
  }

  /** What is wrong with it, after {@link feed} has said so. */
  get problem(): string {
    return this.#chunked === null ? '' : this.#chunked.problem;
  }

  /**
   * Takes bytes of the connection, to the end of the body at most. Their memory is kept (see chunk-memory.ts) where they wait.
   * @returns where what follows the body begins in `buf`; -1, once, when the body is malformed
   */
  feed(buf: Buffer, from: number): number {
    const chunked = this.#chunked;
    let end: number;
    if (chunked === null) {
      const take = Math.min(this.#left, buf.length - from);
      end = from + take;
      this.#left -= take;
      if (this.#left === 0) this.#complete = true;
      this.onChunk(from === 0 && take === buf.length ? buf : buf.subarray(from, end));
    } else {
      if (this.#broken) return buf.length;
      end = chunked.feed(buf, from, buf.length, this);
      if (chunked.failed) {
        this.#broken = true;
        return -1;
      }
      if (chunked.done) this.#complete = true;
    }
    if (this.#complete) this.#end();
    return end;
  }

  /** A piece of the decoded body. */
  onChunk(piece: Buffer): void {
    const exchange = this.#exchange;
    if (exchange === null) return;
    exchange.requestBytes += piece.length;
    if (this.#discarding) {
      this.#discarded += piece.length;
    } else if (this.#sink !== null && this.#flowing && this.#queue === null) {
      if (!this.#sink.data(piece)) this.#flowing = false;
    } else {
      if (this.#queue === null) {
        this.#queue = new Pieces();
        this.#next = 0;
      }
      if (this.#queue.push(piece)) keepChunk();
    }
  }

  /** Gives what waits, and what comes, to `sink`. */
  readBy(sink: RequestBodySink): void {
    this.#sink = sink;
    this.#flowing = true;
    this.#flush();
  }

  /** The reader that had enough takes more. */
  resume(): void {
    if (this.#sink === null || this.#flowing) return;
    this.#flowing = true;
    this.#flush();
  }

  /**
   * From now on nobody wants it: what comes is counted and thrown away.
   * @returns false where more than `limit` bytes are known to come
   */
  discard(limit: number): boolean {
    this.#discarding = true;
    this.dropReader();
    return this.#left <= limit;
  }

  /** The request is over: nothing of it is counted or given to anybody any more. */
  release(): void {
    this.#exchange = null;
    this.dropReader();
  }

  /** Its reader gets no more, and what waits for it is thrown away. */
  dropReader(): void {
    this.#sink = null;
    this.#queue = null;
  }

  #flush(): void {
    const sink = this.#sink;
    // A reader may leave, or another take its place, at each piece.
    while (this.#queue !== null && this.#flowing && sink !== null && sink === this.#sink) {
      const pieces: readonly Buffer[] = this.#queue.all;
      const piece = pieces[this.#next++]!;
      if (this.#next === pieces.length) this.#queue = null;
      if (!sink.data(piece)) this.#flowing = false;
    }
    if (this.#complete && sink === this.#sink) this.#end();
  }

  #end(): void {
    const sink = this.#sink;
    if (this.#queue !== null || this.#ended || sink === null) return;
    this.#ended = true;
    sink.end(this.#chunked === null ? null : this.#chunked.trailers);
  }
}
