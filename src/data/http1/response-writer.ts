import type { ResponseStart } from '../exchange.ts';
import { type HeaderList, mark } from '../headers/header-list.ts';
import { H, HOP_BY_HOP } from '../headers/known.ts';
import type { SocketWriter } from '../socket-writer.ts';
import { dateLine } from './date-line.ts';

const SKIP = mark(H.CONTENT_LENGTH, H.TRAILER);
const SKIP_KEEPING_LENGTH = mark(H.TRAILER);
const SKIP_CHUNKED = mark(H.CONTENT_LENGTH);
for (let id = 0; id < 32; id++) {
  if (HOP_BY_HOP[id] !== 1) continue;
  SKIP[id] = 1;
  SKIP_KEEPING_LENGTH[id] = 1;
  SKIP_CHUNKED[id] = 1;
}

const DATE = mark(H.DATE);

/** The responses of one connection, one after the other, as HTTP/1.1 frames them (RFC 9112 §6). */
export class ResponseWriter {
  /** The response is not begun, under way, or over. */
  state: 'none' | 'started' | 'ended' = 'none';
  /** The client was told to send its body (RFC 9110 §15.2.1). */
  continued = false;
  readonly #out: SocketWriter;
  #minor: 0 | 1 = 1;
  #framing: 'none' | 'length' | 'chunked' | 'close' = 'none';
  #left = 0;

  constructor(out: SocketWriter) {
    this.#out = out;
  }

  /** The response to a next request, of HTTP/1.`minor`. */
  begin(minor: 0 | 1): void {
    this.state = 'none';
    this.continued = false;
    this.#minor = minor;
  }

  /**
   * A response before the response.
   * @param expected whether the client waits for 100
   */
  inform(status: number, reason: string, headers: HeaderList, expected: boolean): void {
    if (this.#minor === 0 || this.state !== 'none') return;
    if (status === 100) {
      if (this.continued || !expected) return;
      this.continued = true;
    }
    this.#out.hold(`HTTP/1.1 ${status} ${reason}\r\n${headers.lines(SKIP)}\r\n`);
    this.#out.flushLater();
  }

  /** Whether only the end of the connection can end this body for this client. */
  needsClose(response: ResponseStart): boolean {
    return this.#minor === 0 && response.body !== 'length' && response.body !== 'none';
  }

  /** Whether the response under way is one that the end of the connection ends. */
  get endsByClose(): boolean {
    return this.#framing === 'close';
  }

  /** Its head. */
  start(response: ResponseStart, method: string, keepAlive: boolean): void {
    this.state = 'started';
    const { status, body } = response;
    let skip = SKIP;
    let framing = '';
    if (body === 'length') {
      this.#framing = 'length';
      this.#left = response.length;
      framing = `Content-Length: ${response.length}\r\n`;
    } else if (body === 'none') {
      this.#framing = 'none';
      // To HEAD and in 304 the field speaks of what would be there (RFC 9110 §8.6).
      if (method === 'HEAD' || status === 304) skip = SKIP_KEEPING_LENGTH;
      else if (status !== 204) framing = 'Content-Length: 0\r\n';
    } else if (this.#minor === 1) {
      this.#framing = 'chunked';
      skip = SKIP_CHUNKED;
      framing = 'Transfer-Encoding: chunked\r\n';
    } else {
      this.#framing = 'close';
    }
    // RFC 9110 §6.6.1: who passes a response on without one adds the time it came.
    if (!response.headers.hasMarked(DATE)) framing += dateLine();
    let connection = '';
    if (!keepAlive) connection = 'Connection: close\r\n';
    else if (this.#minor === 0) connection = 'Connection: keep-alive\r\n';
    this.#out.mark();
    this.#out.hold(
      `HTTP/1.1 ${status} ${response.reason}\r\n${response.headers.lines(skip)}${framing}${connection}\r\n`,
    );
  }

  /** Whether what is sent has a body. */
  get hasBody(): boolean {
    return this.#framing !== 'none';
  }

  /** Takes `size` bytes off what was announced. @returns false where that is more than is left */
  spend(size: number): boolean {
    if (this.#framing !== 'length') return true;
    this.#left -= size;
    return this.#left >= 0;
  }

  /** @returns false when there is no room for more */
  data(chunk: Buffer): boolean {
    return this.#out.piece(chunk, this.#framing === 'chunked');
  }

  /** Whether all that was announced is there. */
  get whole(): boolean {
    return this.#framing !== 'length' || this.#left <= 0;
  }

  end(trailers: HeaderList | null): void {
    if (this.#framing === 'chunked') {
      this.#out.hold(trailers === null ? '0\r\n\r\n' : `0\r\n${trailers.lines(SKIP)}\r\n`);
    }
    this.#out.flushLater();
    this.state = 'ended';
  }

  /** The answer to an upgrade that an upstream has granted; the stream's queue has the socket from now on. */
  switchProtocols(headers: HeaderList, protocol: string): void {
    this.state = 'ended';
    this.#out.hold(
      `HTTP/1.1 101 Switching Protocols\r\n${headers.lines(SKIP)}Connection: Upgrade\r\nUpgrade: ${protocol}\r\n\r\n`,
    );
    this.#out.handOver();
  }

  /** Takes the begun response back. @returns false where some of it is written */
  retract(): boolean {
    if (this.state !== 'started' || !this.#out.unwritten) return false;
    this.#out.takeBack();
    this.state = 'none';
    return true;
  }

  /** There will be no more of it. */
  breakOff(): void {
    // What of it was not written yet never was: the answers before it go out.
    if (this.state === 'started') this.#out.takeBack();
    this.state = 'ended';
  }
}
