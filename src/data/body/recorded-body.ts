import { keepChunk } from '../chunk-memory.ts';
import type { RequestBodySink, RequestBodySource } from '../exchange.ts';
import type { HeaderList } from '../headers/header-list.ts';
import type { BodyMemory } from './body-memory.ts';
import { KeptBody } from './kept-body.ts';
import { Pieces } from './pieces.ts';

/** Who looks at a body before it goes anywhere. */
export interface Peek {
  /** Asked after each piece. */
  isEnough(): boolean;
  done(): void;
}

/**
 * A request's body that is kept as it passes, so that it can be read again from its start: for another attempt, another
 * service, a copy. It is passed on without delay. Beyond `limit` bytes, or where `memory` has no room, nothing is kept any more,
 * and it can be read once.
 */
export class RecordedBody extends KeptBody implements RequestBodySink {
  readonly #source: RequestBodySource;
  readonly #limit: number;
  readonly #memory: BodyMemory | null;
  /** Taken from the memory. */
  #held = 0;
  #noRoom = false;
  #pieces: Pieces | null = new Pieces();
  #size = 0;
  #reading = false;
  #ended = false;
  #trailers: HeaderList | null = null;
  #sink: RequestBodySink | null = null;
  #peek: Peek | null = null;

  /**
   * @param limit bytes
   * @param memory what all such bodies share: {@link release} must follow. null: who makes it has reserved the limit
   */
  constructor(source: RequestBodySource, limit: number, memory: BodyMemory | null) {
    super();
    this.#source = source;
    this.#limit = limit;
    this.#memory = memory;
  }

  get replayable(): boolean {
    return this.#pieces !== null;
  }

  /** Whether all of it has come. */
  get complete(): boolean {
    return this.#ended;
  }

  /** What has come, while it is replayable. */
  get bytes(): Buffer {
    return Buffer.concat(this.#pieces?.all ?? []);
  }

  get size(): number {
    return this.#size;
  }

  get trailers(): HeaderList | null {
    return this.#trailers;
  }

  /**
   * Reads without passing on, until enough was seen, all has come, or more than the limit. Then somebody must read on by
   * {@link readBody}.
   */
  peek(peek: Peek): void {
    this.#peek = peek;
    this.#begin();
  }

  readBody(sink: RequestBodySink): void {
    const pieces = this.#pieces;
    if (pieces === null) throw new Error('the body is no longer there');
    this.#sink = sink;
    for (const piece of pieces.all) {
      // Bounded by the limit: it may wait in the reader's buffers.
      sink.data(piece);
      if (this.#sink !== sink) return;
    }
    this.#forgetIfTooLarge();
    if (this.#ended) sink.end(this.#trailers);
    else if (this.#reading) this.#source.resumeBody();
    else this.#begin();
  }

  resumeBody(): void {
    this.#source.resumeBody();
  }

  detach(): void {
    this.#sink = null;
  }

  release(): void {
    this.#pieces = null;
    this.#memory?.give(this.#held);
    this.#held = 0;
  }

  data(chunk: Buffer): boolean {
    this.#size += chunk.length;
    if (this.#pieces !== null) {
      if (this.#memory?.take(chunk.length) === true) this.#held += chunk.length;
      else if (this.#memory !== null) this.#noRoom = true;
      if (this.#pieces.push(chunk)) keepChunk();
    }
    const peek = this.#peek;
    if (peek !== null) {
      if (!peek.isEnough() && !this.#isTooLarge) return true;
      this.#peek = null;
      // The reader that follows asks for more.
      queueMicrotask(() => peek.done());
      return false;
    }
    const sink = this.#sink;
    if (sink === null) return false;
    this.#forgetIfTooLarge();
    return sink.data(chunk);
  }

  end(trailers: HeaderList | null): void {
    this.#ended = true;
    this.#trailers = trailers;
    const peek = this.#peek;
    if (peek !== null) {
      this.#peek = null;
      peek.done();
    } else {
      this.#sink?.end(trailers);
    }
  }

  #begin(): void {
    this.#reading = true;
    this.#source.readBody(this);
  }

  get #isTooLarge(): boolean {
    return this.#noRoom || this.#size > this.#limit;
  }

  #forgetIfTooLarge(): void {
    if (this.#isTooLarge) this.release();
  }
}
