import { keepChunk } from '../chunk-memory.ts';
import type { RequestBodySink, RequestBodySource } from '../exchange.ts';
import type { HeaderList } from '../headers/header-list.ts';
import { KeptBody } from './kept-body.ts';

/** Passes a request's body on as it comes, and gives a copy of the whole when it is complete, unless it is too large. */
export class BodyTee extends KeptBody implements RequestBodySink {
  readonly #source: RequestBodySource;
  readonly #limit: number;
  readonly #onComplete: (bytes: Buffer) => void;
  #pieces: Buffer[] = [];
  #size = 0;
  #told = false;
  #sink: RequestBodySink | null = null;

  /** @param limit bytes */
  constructor(source: RequestBodySource, limit: number, onComplete: (bytes: Buffer) => void) {
    super();
    this.#source = source;
    this.#limit = limit;
    this.#onComplete = onComplete;
  }

  get replayable(): boolean {
    return this.#source instanceof KeptBody && this.#source.replayable;
  }

  readBody(sink: RequestBodySink): void {
    this.#sink = sink;
    this.#pieces = [];
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
    this.#size += chunk.length;
    if (this.#size <= this.#limit) {
      this.#pieces.push(chunk);
      keepChunk();
    } else {
      this.#pieces = [];
    }
    return this.#sink!.data(chunk);
  }

  end(trailers: HeaderList | null): void {
    this.#sink!.end(trailers);
    if (this.#told || this.#size > this.#limit) return;
    this.#told = true;
    const pieces = this.#pieces;
    this.#pieces = [];
    this.#onComplete(Buffer.concat(pieces));
  }
}
