import { keepChunk } from '../chunk-memory.ts';
import type { RequestBodySink, RequestBodySource } from '../exchange.ts';
import type { HeaderList } from '../headers/header-list.ts';
import type { BodyMemory } from './body-memory.ts';
import { KeptBody } from './kept-body.ts';
import { Pieces } from './pieces.ts';

/**
 * Passes a request's body on as it comes, and gives a copy of the whole when it is complete, unless it is too large, or there is
 * no room in `memory` for it.
 */
export class BodyTee extends KeptBody implements RequestBodySink {
  readonly #source: RequestBodySource;
  readonly #limit: number;
  readonly #memory: BodyMemory;
  readonly #onComplete: (bytes: Buffer | null) => void;
  #pieces = new Pieces();
  #size = 0;
  /** Taken from the memory. */
  #held = 0;
  /** It has been given, or will not be. */
  #settled = false;
  #sink: RequestBodySink | null = null;

  /**
   * @param limit bytes
   * @param memory what all copies that are being made share: {@link forget} must follow
   * @param onComplete called with the copy, or null where there was no room for it
   */
  constructor(
    source: RequestBodySource,
    limit: number,
    memory: BodyMemory,
    onComplete: (bytes: Buffer | null) => void,
  ) {
    super();
    this.#source = source;
    this.#limit = limit;
    this.#memory = memory;
    this.#onComplete = onComplete;
  }

  get replayable(): boolean {
    return this.#source instanceof KeptBody && this.#source.replayable;
  }

  readBody(sink: RequestBodySink): void {
    this.#sink = sink;
    this.#drop();
    this.#size = 0;
    this.#source.readBody(this);
  }

  resumeBody(): void {
    this.#source.resumeBody();
  }

  detach(): void {
    if (this.#source instanceof KeptBody) this.#source.detach();
  }

  release(): void {
    if (this.#source instanceof KeptBody) this.#source.release();
  }

  data(chunk: Buffer): boolean {
    if (!this.#settled) this.#copy(chunk);
    return this.#sink!.data(chunk);
  }

  end(trailers: HeaderList | null): void {
    this.#sink!.end(trailers);
    if (this.#settled) return;
    const whole = Buffer.concat(this.#pieces.all);
    this.forget();
    this.#onComplete(whole);
  }

  /** No copy is given any more. */
  forget(): void {
    this.#settled = true;
    this.#drop();
  }

  #copy(chunk: Buffer): void {
    this.#size += chunk.length;
    if (this.#size > this.#limit) {
      this.forget();
      return;
    }
    if (!this.#memory.take(chunk.length)) {
      this.forget();
      this.#onComplete(null);
      return;
    }
    this.#held += chunk.length;
    if (this.#pieces.push(chunk)) keepChunk();
  }

  #drop(): void {
    this.#pieces = new Pieces();
    this.#memory.give(this.#held);
    this.#held = 0;
  }
}
