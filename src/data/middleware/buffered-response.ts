import { ProxyError } from '../../core/errors.ts';
import type { BodyMemory } from '../body/body-memory.ts';
import { Pieces } from '../body/pieces.ts';
import type { Exchange, ResponseSink, ResponseStart } from '../exchange.ts';
import type { HeaderList } from '../headers/header-list.ts';

/** What is sent piece by piece because each piece is wanted at once. */
const STREAM = /^(?:text\/event-stream|application\/(?:x-ndjson|ndjson|jsonl|stream\+json|grpc))/i;

/**
 * Bounds a response. One that says its length is judged by that. One that does not is held until it is complete, or more than
 * `bound` bytes; what goes on from there, and streams, pass as they come and are cut where they are too long.
 */
export class BufferedResponse implements ResponseSink {
  readonly #exchange: Exchange;
  readonly #client: ResponseSink;
  readonly #limit: number;
  readonly #bound: number;
  readonly #memory: BodyMemory;
  #mode: 'passes' | 'counts' | 'holds' | 'failed' = 'passes';
  #held: ResponseStart | null = null;
  #pieces = new Pieces();
  #size = 0;

  /** @param limit bytes of a response @param bound bytes that are held of it, out of `memory` */
  constructor(exchange: Exchange, limit: number, bound: number, memory: BodyMemory) {
    this.#exchange = exchange;
    this.#client = exchange.response;
    this.#limit = limit;
    this.#bound = Math.min(limit, bound);
    this.#memory = memory;
  }

  get onDrain(): (() => void) | null {
    return this.#client.onDrain;
  }

  set onDrain(callback: (() => void) | null) {
    this.#client.onDrain = callback;
  }

  inform(status: number, reason: string, headers: HeaderList): void {
    this.#client.inform(status, reason, headers);
  }

  start(response: ResponseStart): void {
    if (response.body === 'length' && response.length > this.#limit) {
      this.#tooLarge();
    } else if (response.body === 'length' || response.body === 'none') {
      this.#client.start(response);
    } else if (STREAM.test(response.headers.get('content-type') ?? '') || !this.#memory.take(this.#bound)) {
      this.#mode = 'counts';
      this.#client.start(response);
    } else {
      this.#exchange.onOver(() => this.#memory.give(this.#bound));
      this.#mode = 'holds';
      this.#held = response;
    }
  }

  data(chunk: Buffer): boolean {
    if (this.#mode === 'passes') return this.#client.data(chunk);
    if (this.#mode === 'failed') return false;
    this.#size += chunk.length;
    if (this.#size > this.#limit) {
      this.#tooLarge();
      return false;
    }
    if (this.#mode === 'counts') return this.#client.data(chunk);
    // It is the reader's memory.
    this.#pieces.push(chunk, true);
    if (this.#size <= this.#bound) return true;
    this.#mode = 'counts';
    return this.#letGo(this.#held!);
  }

  flush(): void {
    if (this.#mode !== 'holds' && this.#mode !== 'failed') this.#client.flush();
  }

  end(trailers: HeaderList | null): void {
    if (this.#mode === 'failed') return;
    const held = this.#held;
    if (this.#mode === 'holds' && held !== null) {
      if (trailers === null) {
        held.body = this.#size === 0 ? 'none' : 'length';
        held.length = this.#size;
      }
      this.#letGo(held);
    }
    this.#client.end(trailers);
  }

  abort(error: ProxyError): void {
    if (this.#mode === 'failed') return;
    // Either nothing was given to the client, or it may not have been written yet: the exchange finds out.
    if (this.#mode === 'holds') this.#instead(error);
    else this.#handBack(error);
  }

  /** @param error of the exchange; it has begun to answer */
  #handBack(error: ProxyError): void {
    this.#mode = 'failed';
    this.#exchange.response = this.#client;
    this.#exchange.fail(error);
  }

  #letGo(held: ResponseStart): boolean {
    const pieces = this.#pieces;
    this.#held = null;
    this.#pieces = new Pieces();
    this.#client.start(held);
    let flowing = true;
    for (const piece of pieces.all) flowing = this.#client.data(piece);
    return flowing;
  }

  #tooLarge(): void {
    const begun = this.#mode === 'counts';
    this.#mode = 'failed';
    this.#pieces = new Pieces();
    const error = new ProxyError('UPSTREAM_BODY_TOO_LARGE', `the response is longer than ${this.#limit} bytes`);
    // Not from within the reader of the response.
    queueMicrotask(() => {
      const exchange = this.#exchange;
      if (exchange.finished) return;
      const cancel = exchange.onCancel;
      exchange.onCancel = null;
      cancel?.(error);
      if (begun) this.#handBack(error);
      else this.#instead(error);
    });
  }

  /** The client has seen nothing of the response: it gets another one. */
  #instead(error: ProxyError): void {
    const exchange = this.#exchange;
    this.#mode = 'failed';
    this.#pieces = new Pieces();
    exchange.response = this.#client;
    exchange.started = false;
    exchange.fail(error);
  }
}
