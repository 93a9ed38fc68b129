import type { RequestBodySink, RequestBodySource } from '../exchange.ts';
import type { HeaderList } from '../headers/header-list.ts';
import { KeptBody } from './kept-body.ts';

/** Passes a request's body on as it comes, and says once that it is longer than `limit` bytes; then it passes no more. */
export class LimitedBody extends KeptBody implements RequestBodySink {
  readonly #source: RequestBodySource;
  readonly #limit: number;
  readonly #tooLarge: () => void;
  #size = 0;
  #sink: RequestBodySink | null = null;

  constructor(source: RequestBodySource, limit: number, tooLarge: () => void) {
    super();
    this.#source = source;
    this.#limit = limit;
    this.#tooLarge = tooLarge;
  }

  get replayable(): boolean {
    return this.#source instanceof KeptBody && this.#source.replayable;
  }

  readBody(sink: RequestBodySink): void {
    this.#sink = sink;
    this.#size = 0;
    this.#source.readBody(this);
  }

  resumeBody(): void {
    if (this.#size <= this.#limit) this.#source.resumeBody();
  }

  detach(): void {
    if (this.#source instanceof KeptBody) this.#source.detach();
  }

  release(): void {
    if (this.#source instanceof KeptBody) this.#source.release();
  }

  data(chunk: Buffer): boolean {
    const within = this.#size <= this.#limit;
    this.#size += chunk.length;
    if (this.#size <= this.#limit) return this.#sink!.data(chunk);
    // Not from within the reader that hands the piece over.
    if (within) queueMicrotask(this.#tooLarge);
    return false;
  }

  end(trailers: HeaderList | null): void {
    if (this.#size <= this.#limit) this.#sink!.end(trailers);
  }
}
