import { BUCKETS_MS, type StreamFigures } from '../core/streams.ts';
import type { Exchange } from './exchange.ts';
import type { UpstreamHead } from './http1/response-head.ts';

const LF = 0x0a;
const CR = 0x0d;

/** Counts the streams of one service in one worker. */
export class StreamMeter {
  #streams = 0;
  #broken = 0;
  #cancelled = 0;
  #events = 0;
  readonly #firstPiece: number[] = new Array(BUCKETS_MS.length + 1).fill(0);
  readonly #gap: number[] = new Array(BUCKETS_MS.length + 1).fill(0);
  readonly #duration: number[] = new Array(BUCKETS_MS.length + 1).fill(0);

  /** Measures a response that is a stream of events or lines; null where it is none. */
  open(exchange: Exchange, head: UpstreamHead): OpenStream | null {
    if (head.body !== 'chunked' && head.body !== 'close') return null;
    const type = head.headers.get('content-type') ?? '';
    if (/^text\/event-stream\b/i.test(type)) return new OpenStream(this, exchange.startedAt, true);
    if (/^application\/(?:x-)?(?:ndjson|jsonl|json-seq|stream\+json)\b/i.test(type))
      return new OpenStream(this, exchange.startedAt, false);
    return null;
  }

  first(ms: number): void {
    this.#streams++;
    count(this.#firstPiece, ms);
  }

  next(ms: number): void {
    count(this.#gap, ms);
  }

  events(more: number): void {
    this.#events += more;
  }

  end(how: 'complete' | 'broken' | 'cancelled', ms: number): void {
    if (how === 'broken') this.#broken++;
    else if (how === 'cancelled') this.#cancelled++;
    count(this.#duration, ms);
  }

  get figures(): StreamFigures {
    return {
      streams: this.#streams,
      broken: this.#broken,
      cancelled: this.#cancelled,
      events: this.#events,
      firstPiece: [...this.#firstPiece],
      gap: [...this.#gap],
      duration: [...this.#duration],
    };
  }

  get used(): boolean {
    return this.#streams > 0;
  }
}

function count(buckets: number[], ms: number): void {
  let i = 0;
  while (i < BUCKETS_MS.length && ms > BUCKETS_MS[i]!) i++;
  buckets[i]!++;
}

/** One stream under way. */
export class OpenStream {
  readonly #meter: StreamMeter;
  readonly #startedAt: number;
  /** Events end with an empty line, lines of NDJSON with their end. */
  readonly #eventStream: boolean;
  #lastAt = 0;
  /** Whether the line under way is empty so far, and whether the event under way has lines. */
  #empty = true;
  #begun = false;

  /** @param startedAt performance.now() of the request */
  constructor(meter: StreamMeter, startedAt: number, eventStream: boolean) {
    this.#meter = meter;
    this.#startedAt = startedAt;
    this.#eventStream = eventStream;
  }

  piece(chunk: Buffer): void {
    const now = performance.now();
    if (this.#lastAt === 0) this.#meter.first(now - this.#startedAt);
    else this.#meter.next(now - this.#lastAt);
    this.#lastAt = now;
    this.#meter.events(this.#count(chunk));
  }

  end(how: 'complete' | 'broken' | 'cancelled'): void {
    if (this.#lastAt !== 0) this.#meter.end(how, performance.now() - this.#startedAt);
  }

  #count(chunk: Buffer): number {
    let events = 0;
    let from = 0;
    for (let at = chunk.indexOf(LF); at >= 0; at = chunk.indexOf(LF, from)) {
      const empty = this.#empty && isEmpty(chunk, from, at);
      if (!this.#eventStream) events++;
      else if (!empty) this.#begun = true;
      else if (this.#begun) {
        events++;
        this.#begun = false;
      }
      this.#empty = true;
      from = at + 1;
      if (from >= chunk.length) return events;
    }
    this.#empty = this.#empty && isEmpty(chunk, from, chunk.length);
    return events;
  }
}

/** Whether there is nothing but, perhaps, the CR of a line's end. */
function isEmpty(chunk: Buffer, from: number, to: number): boolean {
  return to === from || (to === from + 1 && chunk[from] === CR);
}
