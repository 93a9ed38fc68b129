import type { Socket } from 'node:net';
import { ERROR_TABLE, ProxyError } from '../../core/errors.ts';
import { readRequestPath } from '../../core/request-path.ts';
import { type BufferPool, keepChunk, LARGE_BUFFERS, TLS_BUFFERS, takeKept } from '../chunk-memory.ts';
import { clock } from '../clock.ts';
import {
  type ClientStream,
  Exchange,
  type Peer,
  type RequestBodySink,
  type ResponseStart,
  reasonOf,
  type Tunnel,
} from '../exchange.ts';
import { takeConnectionField } from '../headers/connection-field.ts';
import type { HeaderList } from '../headers/header-list.ts';
import { mark } from '../headers/header-list.ts';
import { FORWARDED, H, HOP_BY_HOP } from '../headers/known.ts';
import { offeredUpgrade } from '../headers/upgrade.ts';
import { ALLOWED_METHODS } from '../options.ts';
import { readInto } from '../read-into.ts';
import { SocketWriter } from '../socket-writer.ts';
import { resetConnection } from '../tls/server-socket.ts';
import { ChunkedDecoder } from './chunked.ts';
import { dateLine } from './date-line.ts';
import type { Refusal } from './fields.ts';
import { HeadBuffer } from './head-buffer.ts';
import type { HeadLimits } from './limits.ts';
import { type RequestHead, RequestParser } from './request-head.ts';
import { Stash } from './stash.ts';

/** What the connections of one entry point share. Replaced field by field at a reload. */
export interface Http1Service {
  readonly entryPoint: string;
  limits: HeadLimits;
  /** Of one connection: requests, and milliseconds after which it serves no further one; 0 = no limit. */
  lifetime: { readonly maxRequests: number; readonly maxAgeMs: number };
  /** Milliseconds, 0 = off. */
  timeouts: { readonly headerMs: number; readonly bodyIdleMs: number; readonly keepAliveMs: number };
  sanitizePath: boolean;
  underscoreHeaders: 'keep' | 'delete' | 'reject';
  /** Digits behind a percent sign that a path may not have. */
  refusedEncodings: readonly string[];
  /** No further request is taken on any connection. */
  draining: boolean;
  dispatch(exchange: Exchange): void;
  finished(exchange: Exchange): void;
  /** A head that could not be read, and so became no exchange. */
  refused(peer: Peer, error: ProxyError, status: number): void;
}

/** A request body that nobody wants is read to its end up to this size, so that the connection can be used again. */
const DISCARD_LIMIT = 262_144;
/** A head that comes in pieces is parsed anew at each of them while it is this short; later only as lines end. */
const EAGER_LIMIT = 4_096;
/** Bytes of further requests kept while one is under way. */
const STASH_LIMIT = 65_536;
/** How long a closed connection is still read, so that the client sees the response before the reset (RFC 9112 §9.6). */
const LINGER_MS = 2_000;

/**
 * Every connection of the worker is read into this, one after the other. Heads are parsed where they lie; what is kept longer
 * than the call that read it is copied.
 */
const SHARED_READ: Buffer = Buffer.allocUnsafeSlow(LARGE_BUFFERS.size);

const RESPONSE_SKIP = mark(H.CONTENT_LENGTH, H.TRAILER);
const RESPONSE_SKIP_KEEPING_LENGTH = mark(H.TRAILER);
const RESPONSE_SKIP_CHUNKED = mark(H.CONTENT_LENGTH);
for (let id = 0; id < 32; id++) {
  if (HOP_BY_HOP[id] !== 1) continue;
  RESPONSE_SKIP[id] = 1;
  RESPONSE_SKIP_KEEPING_LENGTH[id] = 1;
  RESPONSE_SKIP_CHUNKED[id] = 1;
}

const DATE = mark(H.DATE);
const CLIENT_CLOSED = 'the client closed the connection';

const FORWARDED_SERVER = mark(H.X_FORWARDED_SERVER);

const parser = new RequestParser();

/** RFC 9110 §15.5.6. */
const ALLOW_LINE = `Allow: ${ALLOWED_METHODS}\r\n`;

/** The response is not begun, under way, or over. */
type ResponseState = 'none' | 'started' | 'ended';

/**
 * One HTTP/1 connection of a client: bytes → exchanges, one after the other, and back (RFC 9112).
 *
 * ```
 *   head ──► exchange ──► response over ──► head of the next
 *              │  request body: queued until somebody reads it, then straight through; too much for a
 *              │  reader pauses the socket
 *              └─ bytes behind the request (pipelining) wait in the stash
 * ```
 */
export class ServerConnection implements ClientStream {
  readonly socket: Socket;
  readonly peer: Peer;
  onDrain: (() => void) | null = null;

  readonly #out: SocketWriter;
  readonly #service: Http1Service;
  readonly #onClose: (connection: ServerConnection) => void;
  readonly #openedAt = clock.now;
  #exchange: Exchange | null = null;
  #head: HeadBuffer | null = null;
  readonly #stash = new Stash();
  #reading = false;
  /** What is being read must be copied to be kept. */
  #borrowed = false;
  /** The last read brought as much of a body as a read can: more is likely to come, and is worth memory of its own. */
  #full = false;
  /** That memory. */
  #own: Buffer | null = null;
  #paused = false;
  /** Reads come by {@link ServerConnection.#onRead}. */
  readonly #readsInto: boolean;
  #keepAlive = true;
  /** The request under way is the client's last, by its own word. */
  #clientCloses = false;
  /** The request under way asks for another protocol, whatever becomes of that. */
  #upgradeAsked = false;
  #minor: 0 | 1 = 1;
  #requests = 0;

  #bodyLeft = 0;
  #chunked: ChunkedDecoder | null = null;
  #bodyDone = true;
  #bodyEnded = false;
  #bodyQueue: Buffer[] | null = null;
  #bodySink: RequestBodySink | null = null;
  #bodyFlowing = true;
  /** Body bytes nobody wanted; -1 while somebody may. */
  #discarded = -1;

  #response: ResponseState = 'none';
  #framing: 'none' | 'length' | 'chunked' | 'close' = 'none';
  #left = 0;
  #continued = false;

  /** When something must have happened, on the coarse clock; 0 = no deadline. */
  #deadline: number;
  #lastRead: number;
  #stalledAt = 0;
  #stalledLength = 0;
  #closing = false;
  #closed = false;
  #tunnel = false;

  constructor(socket: Socket, peer: Peer, service: Http1Service, onClose: (connection: ServerConnection) => void) {
    this.socket = socket;
    this.#out = new SocketWriter(socket);
    this.peer = peer;
    this.#service = service;
    this.#onClose = onClose;
    this.#lastRead = clock.now;
    this.#deadline = after(service.timeouts.headerMs);
    this.#readsInto = readInto(socket, this.#nextRead, this.#onRead);
    // For what was read before, and for a Node whose reads cannot be had so.
    socket.on('data', this.#onData);
    socket.on('end', this.#onEnd);
    socket.on('error', this.#onError);
    socket.on('close', this.#onSocketClose);
    socket.on('drain', this.#onSocketDrain);
  }

  /** Whether a request is being read or answered. */
  get busy(): boolean {
    return this.#exchange !== null || this.#head !== null || this.#tunnel;
  }

  /** No request after the one under way; an idle connection is closed now. */
  drain(): void {
    if (this.busy || this.#closing) return;
    this.#close();
  }

  /** As {@link drain}, where no request came since `since` on the coarse clock. */
  drainWhenQuiet(since: number): void {
    if (this.#lastRead <= since) this.drain();
  }

  /** Ends it at once, whatever is under way. */
  destroy(): void {
    if (!this.#tunnel) this.#gone('the time for what was under way was over', 'PROXY_DRAINING');
    this.socket.destroy();
  }

  /**
   * Called each time the coarse clock advances.
   * @returns whether its time was up, and something was done about it
   */
  tick(now: number): boolean {
    if (this.#deadline !== 0 && now >= this.#deadline) {
      this.#deadline = 0;
      this.#onDeadline();
      return true;
    }
    const exchange = this.#exchange;
    const idle = this.#service.timeouts.bodyIdleMs;
    if (exchange === null || idle === 0 || this.#tunnel) return false;
    if (
      !this.#bodyDone &&
      !this.#paused &&
      (this.#bodySink !== null || this.#discarded >= 0) &&
      now - this.#lastRead > idle
    ) {
      this.#keepAlive = false;
      this.#failExchange(new ProxyError('CLIENT_BODY_TIMEOUT'));
      return true;
    }
    const { pending } = this.#out;
    if (pending === 0 || pending !== this.#stalledLength) {
      this.#stalledLength = pending;
      this.#stalledAt = now;
    } else if (now - this.#stalledAt > idle) {
      this.#gone('the client stopped reading');
      this.socket.destroy();
      return true;
    }
    return false;
  }

  // Reading.

  /** For memory of its own: each as large as what one read brings at most. */
  get #pool(): BufferPool {
    return this.peer.tls === null ? LARGE_BUFFERS : TLS_BUFFERS;
  }

  readonly #nextRead = (): Buffer => {
    if (this.#full && !this.#bodyDone) {
      this.#own ??= this.#pool.take();
      return this.#own;
    }
    if (this.#own !== null) this.#pool.give(this.#own);
    this.#own = null;
    return SHARED_READ;
  };

  readonly #onRead = (n: number, buf: Buffer): boolean => {
    const wasPaused = this.#paused;
    if (this.#tunnel) {
      this.#full = false;
      return this.socket.push(copyOf(buf, n));
    }
    if (this.#exchange === null) {
      this.#full = false;
      this.#borrowed = true;
      this.#onData(buf.subarray(0, n));
      this.#borrowed = false;
    } else {
      const most = this.#pool.size;
      this.#full = n >= most;
      // Whoever keeps a small piece must not keep the memory of a large one.
      const lent = buf === this.#own && n >= most / 2;
      takeKept();
      this.#onData(lent ? buf.subarray(0, n) : copyOf(buf, n));
      if (takeKept() && lent) this.#own = null;
    }
    return !(wasPaused && this.#paused);
  };

  readonly #onData = (chunk: Buffer): void => {
    this.#lastRead = clock.now;
    if (this.#closing) {
      this.#discarded += chunk.length;
      // A reset would take the response from a client that is still writing: it is left to wait until the deadline.
      if (this.#discarded > DISCARD_LIMIT) this.#pause();
      return;
    }
    if (this.#exchange === null) {
      this.#process(chunk);
      return;
    }
    if (this.#bodyDone) {
      this.#keepForLater(chunk, 0);
      return;
    }
    const consumed = this.#feed(chunk, 0);
    if (consumed < 0 || consumed === chunk.length || this.#closing || this.#closed) return;
    // The end of the body may have ended the exchange: what follows is then the next request already.
    if (this.#exchange === null) this.#process(chunk.subarray(consumed));
    else this.#keepForLater(chunk, consumed);
  };

  /** Bytes that begin with a request, or go on with a head; a loop, because pipelined requests may be answered at once. */
  #process(first: Buffer): void {
    // Behind what waits, be it for its turn or for room for more answers.
    if (this.#reading || !this.#stash.empty) {
      this.#keepForLater(first, 0);
      return;
    }
    this.#reading = true;
    let next: Buffer | null = first;
    while (next !== null) {
      this.#readHead(next);
      // What follows comes from the stash, which is ours.
      this.#borrowed = false;
      next = null;
      if (this.#exchange === null && !this.#stash.empty && !this.#closing && !this.#closed) {
        if (this.socket.writableNeedDrain) break;
        next = this.#stash.take();
        this.#resume();
      }
    }
    this.#reading = false;
  }

  #readHead(chunk: Buffer): void {
    const { limits, timeouts } = this.#service;
    if (this.#head === null) {
      const state = parser.parse(chunk, 0, chunk.length, limits);
      if (state === 'done') {
        this.#begin(parser.head!, chunk, parser.end);
        return;
      }
      if (state === 'failed') {
        this.#refuse(parser.refusal!);
        return;
      }
      this.#head = new HeadBuffer();
      if (this.#requests > 0) this.#deadline = after(timeouts.headerMs);
    }
    const head = this.#head;
    const lines = head.lines;
    const progress = head.push(chunk, limits.maxHeadBytes);
    // Each line is judged as it ends, and a short head at every piece: what is wrong by now is refused now.
    if (progress !== 'incomplete' || head.lines > lines || head.length < EAGER_LIMIT) {
      const state = parser.parse(head.bytes, 0, head.length, limits);
      if (state === 'done') {
        this.#head = null;
        this.#begin(parser.head!, head.bytes.subarray(0, head.length), parser.end);
        return;
      }
      if (state === 'failed') {
        this.#refuse(parser.refusal!);
        return;
      }
    }
    if (head.lines === 0 && head.length > limits.maxLineBytes) {
      // Whether it is the method or the target that does not end.
      parser.parse(head.bytes, 0, head.length, limits);
      this.#refuse(
        parser.refusal ?? {
          code: 'CLIENT_URI_TOO_LONG',
          detail: `the request line is longer than ${limits.maxLineBytes} bytes`,
        },
      );
    } else if (progress === 'too-long') {
      this.#refuse({
        code: 'CLIENT_HEADERS_TOO_LARGE',
        detail: `the head is longer than ${limits.maxHeadBytes} bytes`,
      });
    } else if (progress !== 'incomplete') {
      this.#refuse({ code: 'CLIENT_BAD_REQUEST', detail: 'the head cannot be read' });
    }
  }

  #begin(head: RequestHead, buf: Buffer, end: number): void {
    const service = this.#service;
    this.#requests++;
    this.#deadline = 0;
    const exchange = new Exchange({
      client: this,
      peer: this.peer,
      entryPoint: service.entryPoint,
      method: head.method,
      protocol: head.minor === 1 ? 'HTTP/1.1' : 'HTTP/1.0',
      authority: head.authority,
      headers: head.headers,
      body: head.body,
      length: head.length,
      onFinish: service.finished,
    });
    this.#minor = head.minor;
    this.#response = 'none';
    this.#continued = false;
    this.#discarded = -1;
    this.#bodySink = null;
    this.#bodyQueue = null;
    this.#bodyFlowing = true;
    this.#bodyEnded = false;
    this.#chunked = head.body === 'chunked' ? new ChunkedDecoder() : null;
    this.#bodyLeft = head.length;
    this.#bodyDone = head.body === 'none';
    this.#keepAlive = head.minor === 1;

    const path = readRequestPath(head.target, service.sanitizePath);
    if (path === undefined) {
      this.#refuse({ code: 'CLIENT_BAD_REQUEST', detail: 'the request target has an invalid encoding' });
      return;
    }
    if (service.refusedEncodings.length > 0 && hasEncoding(path.path, service.refusedEncodings)) {
      this.#refuse({ code: 'CLIENT_BAD_REQUEST', detail: 'the path has an encoded character that is not allowed' });
      return;
    }
    exchange.setRequestPath(path);
    if (
      service.underscoreHeaders !== 'keep' &&
      head.headers.deleteUnderscored() &&
      service.underscoreHeaders === 'reject'
    ) {
      this.#refuse({ code: 'CLIENT_BAD_REQUEST', detail: 'a header name with an underscore' });
      return;
    }
    // What says who the client was is believed from trusted peers only; which server this is, from nobody.
    if (this.peer.trusted) {
      head.headers.deleteMarked(FORWARDED_SERVER);
      head.headers.deleteMarkedIf(FORWARDED, saysNothing);
    } else {
      head.headers.deleteMarked(FORWARDED);
    }
    // Before the Connection field is obeyed: a client that says TE names it there (RFC 9110 §10.1.4).
    const te = head.headers.getKnown(H.TE);
    if (te !== undefined) exchange.acceptsTrailers = /(^|[,\s])trailers($|[,;\s])/i.test(te);
    let wantsUpgrade = false;
    if (head.hasConnection) {
      const connection = takeConnectionField(head.headers);
      if (connection.close) this.#keepAlive = false;
      else if (head.minor === 0) this.#keepAlive = connection.keepAlive;
      wantsUpgrade = connection.upgrade && head.minor === 1;
    }
    this.#clientCloses = !this.#keepAlive;
    if (this.#keepAlive && this.#isWornOut()) this.#keepAlive = false;
    this.#upgradeAsked = wantsUpgrade && head.hasUpgrade;
    // With a body it would be unclear where the old protocol ends: the upgrade is ignored, as a server may (RFC 9110 §7.8).
    if (wantsUpgrade && head.hasUpgrade && this.#bodyDone) {
      exchange.upgrade = offeredUpgrade(head.method, head.headers.joinKnown(H.UPGRADE) ?? '');
    }
    if (head.hasExpect && !this.#expect(exchange, head)) return;

    this.#exchange = exchange;
    // What came of the body is read before anything is forwarded: a body known to be bad takes its head with it.
    if (end < buf.length) {
      let rest = end;
      let bytes = buf;
      if (this.#borrowed) {
        bytes = Buffer.from(buf.subarray(end));
        rest = 0;
        this.#borrowed = false;
      }
      if (!this.#bodyDone) rest = this.#feed(bytes, rest);
      if (rest < 0) return;
      if (rest < bytes.length) this.#keepForLater(bytes, rest);
    }
    service.dispatch(exchange);
  }

  #isWornOut(): boolean {
    const { maxRequests, maxAgeMs } = this.#service.lifetime;
    if (maxRequests > 0 && this.#requests >= maxRequests) return true;
    return maxAgeMs > 0 && clock.now - this.#openedAt >= maxAgeMs;
  }

  /** RFC 9110 §10.1.1. */
  #expect(exchange: Exchange, head: RequestHead): boolean {
    // An HTTP/1.0 client cannot mean it.
    if (head.minor === 1) {
      const value = head.headers.joinKnown(H.EXPECT);
      if (value?.toLowerCase() !== '100-continue') {
        this.#refuse({ code: 'CLIENT_EXPECTATION', detail: 'an expectation other than 100-continue' });
        return false;
      }
      exchange.expectsContinue = head.body !== 'none';
    }
    if (!exchange.expectsContinue) head.headers.delete('expect');
    return true;
  }

  /** Takes body bytes. Returns how far it came, or -1 when the exchange failed over them. */
  #feed(buf: Buffer, from: number): number {
    const chunked = this.#chunked;
    if (chunked === null) {
      const take = Math.min(this.#bodyLeft, buf.length - from);
      this.#bodyLeft -= take;
      if (this.#bodyLeft === 0) this.#bodyDone = true;
      this.onChunk(from === 0 && take === buf.length ? buf : buf.subarray(from, from + take));
      if (this.#bodyDone) this.#endBody();
      else if (this.#bodyQueue !== null) this.#pause();
      return from + take;
    }
    const pos = chunked.feed(buf, from, buf.length, this);
    if (chunked.failed) {
      this.#keepAlive = false;
      this.#bodyDone = true;
      this.#failExchange(new ProxyError('CLIENT_BAD_CHUNK', chunked.problem));
      return -1;
    }
    if (chunked.done) {
      this.#bodyDone = true;
      this.#endBody();
    } else if (this.#bodyQueue !== null) {
      // Nobody reads yet: no more is taken than came with this piece.
      this.#pause();
    }
    return pos;
  }

  /** A piece of the decoded body. */
  onChunk(piece: Buffer): void {
    const exchange = this.#exchange;
    if (exchange === null) return;
    exchange.requestBytes += piece.length;
    if (this.#discarded >= 0) {
      this.#discarded += piece.length;
      if (this.#discarded > DISCARD_LIMIT && this.#response === 'ended') this.#close();
      return;
    }
    if (this.#bodySink !== null && this.#bodyFlowing && this.#bodyQueue === null) {
      if (!this.#bodySink.data(piece)) {
        this.#bodyFlowing = false;
        this.#pause();
      }
      return;
    }
    keepChunk();
    if (this.#bodyQueue === null) this.#bodyQueue = [piece];
    else this.#bodyQueue.push(piece);
  }

  #endBody(): void {
    if (this.#bodyQueue !== null || this.#bodyEnded) return;
    if (this.#bodySink !== null) {
      this.#bodyEnded = true;
      this.#bodySink.end(this.#chunked?.trailers ?? null);
    } else if (this.#discarded >= 0 && this.#response === 'ended') {
      this.#next();
    }
  }

  readBody(sink: RequestBodySink): void {
    this.#bodySink = sink;
    this.#bodyFlowing = true;
    this.#flushBody();
  }

  resumeBody(): void {
    if (this.#bodySink === null || this.#bodyFlowing) return;
    this.#bodyFlowing = true;
    this.#flushBody();
  }

  #flushBody(): void {
    const sink = this.#bodySink;
    while (this.#bodyQueue !== null && this.#bodyFlowing && sink !== null && sink === this.#bodySink) {
      const piece: Buffer = this.#bodyQueue.shift()!;
      if (this.#bodyQueue.length === 0) this.#bodyQueue = null;
      if (!sink.data(piece)) this.#bodyFlowing = false;
    }
    if (this.#bodyQueue !== null || sink !== this.#bodySink) return;
    if (this.#bodyDone) this.#endBody();
    else if (this.#bodyFlowing) this.#resume();
  }

  #keepForLater(buf: Buffer, from: number): void {
    this.#stash.push(from === 0 ? buf : buf.subarray(from), this.#borrowed);
    if (this.#stash.length > STASH_LIMIT) this.#pause();
  }

  /** One more piece is taken before reading stops: a client that leaves while nothing comes is noticed. */
  #pause(): void {
    if (this.#paused) return;
    this.#paused = true;
    if (!this.#readsInto) this.socket.pause();
  }

  #resume(): void {
    if (!this.#paused) return;
    this.#paused = false;
    this.#lastRead = clock.now;
    this.socket.resume();
  }

  // Writing.

  inform(status: number, reason: string, headers: HeaderList): void {
    if (this.#minor === 0 || this.#response !== 'none' || this.#closed) return;
    if (status === 100) {
      if (this.#continued || this.#exchange?.expectsContinue !== true) return;
      this.#continued = true;
    }
    this.#out.hold(`HTTP/1.1 ${status} ${reason}\r\n${headers.lines(RESPONSE_SKIP)}\r\n`);
    this.#out.flushLater();
  }

  start(response: ResponseStart): void {
    const exchange = this.#exchange;
    if (exchange === null || this.#response !== 'none') return;
    this.#response = 'started';
    const { status, body } = response;
    if (this.#service.draining) this.#keepAlive = false;
    // The client may or may not send the body it announced: nobody could tell it from a next request.
    if (exchange.expectsContinue && !this.#continued && !this.#bodyDone && exchange.requestBytes === 0) {
      this.#keepAlive = false;
    }
    let skip = RESPONSE_SKIP;
    let framing = '';
    if (body === 'length') {
      this.#framing = 'length';
      this.#left = response.length;
      framing = `Content-Length: ${response.length}\r\n`;
    } else if (body === 'none') {
      this.#framing = 'none';
      // To HEAD and in 304 the field speaks of what would be there (RFC 9110 §8.6).
      if (exchange.method === 'HEAD' || status === 304) skip = RESPONSE_SKIP_KEEPING_LENGTH;
      else if (status !== 204) framing = 'Content-Length: 0\r\n';
    } else if (this.#minor === 1) {
      this.#framing = 'chunked';
      skip = RESPONSE_SKIP_CHUNKED;
      framing = 'Transfer-Encoding: chunked\r\n';
    } else {
      this.#framing = 'close';
      this.#keepAlive = false;
    }
    // RFC 9110 §6.6.1: who passes a response on without one adds the time it came.
    if (!response.headers.hasMarked(DATE)) framing += dateLine();
    let connection = '';
    if (!this.#keepAlive) connection = 'Connection: close\r\n';
    else if (this.#minor === 0) connection = 'Connection: keep-alive\r\n';
    this.#out.mark();
    this.#out.hold(
      `HTTP/1.1 ${status} ${response.reason}\r\n${response.headers.lines(skip)}${framing}${connection}\r\n`,
    );
  }

  data(chunk: Buffer): boolean {
    const exchange = this.#exchange;
    if (exchange === null || this.#response !== 'started') return true;
    const size = chunk.length;
    if (size === 0) return true;
    const framing = this.#framing;
    if (framing === 'none') return true;
    exchange.responseBytes += size;
    if (framing === 'length') {
      this.#left -= size;
      if (this.#left < 0) {
        this.abort(new ProxyError('PROXY_INTERNAL', 'a response body longer than announced'));
        return true;
      }
    }
    return this.#out.piece(chunk, framing === 'chunked');
  }

  flush(): void {
    this.#out.flushLater();
  }

  end(trailers: HeaderList | null): void {
    if (this.#response !== 'started') return;
    if (this.#framing === 'length' && this.#left > 0) {
      this.abort(new ProxyError('UPSTREAM_TRUNCATED'));
      return;
    }
    if (this.#framing === 'chunked') {
      this.#out.hold(trailers === null ? '0\r\n\r\n' : `0\r\n${trailers.lines(RESPONSE_SKIP)}\r\n`);
    }
    this.#out.flushLater();
    this.#response = 'ended';
    this.#next();
  }

  retract(): boolean {
    if (this.#exchange === null || this.#response !== 'started' || !this.#out.unwritten) return false;
    this.#out.takeBack();
    this.#response = 'none';
    return true;
  }

  abort(error: ProxyError): void {
    const exchange = this.#exchange;
    if (exchange !== null) {
      exchange.error ??= error;
      const started = this.#response === 'started';
      const reset = started && this.#framing === 'close';
      this.#response = 'ended';
      this.#exchange = null;
      // What of it was not written yet never was: the answers before it go out.
      if (started) this.#out.takeBack();
      exchange.finish();
      // Where the end of the connection ends the body, only a reset says that this was not it.
      if (reset) {
        resetConnection(this.socket);
        return;
      }
    }
    this.#closing = true;
    this.#deadline = after(LINGER_MS);
    this.#out.flush();
    this.socket.destroySoon();
  }

  upgrade(headers: HeaderList): Tunnel | null {
    const exchange = this.#exchange;
    if (exchange === null || this.#response !== 'none' || exchange.upgrade === null) return null;
    const socket = this.socket;
    this.#response = 'ended';
    this.#tunnel = true;
    exchange.started = true;
    exchange.status = 101;
    const head = this.#stash.take();
    socket.removeListener('data', this.#onData);
    socket.removeListener('end', this.#onEnd);
    socket.removeListener('drain', this.#onSocketDrain);
    this.#out.hold(
      `HTTP/1.1 101 Switching Protocols\r\n${headers.lines(RESPONSE_SKIP)}Connection: Upgrade\r\nUpgrade: ${headers.joinKnown(H.UPGRADE) ?? exchange.upgrade}\r\n\r\n`,
    );
    this.#out.handOver();
    return { head, socket };
  }

  // The end of an exchange, and of the connection.

  #next(): void {
    const exchange = this.#exchange;
    if (exchange === null) return;
    if (!this.#bodyDone && this.#keepAlive && !this.#closed) {
      // Read what the client still sends of this request, within bounds.
      if (this.#discarded < 0) {
        this.#discarded = 0;
        this.#bodySink = null;
        this.#bodyQueue = null;
        if (this.#bodyLeft > DISCARD_LIMIT) this.#keepAlive = false;
        else this.#resume();
      }
      if (this.#keepAlive) {
        exchange.finish();
        return;
      }
    }
    this.#exchange = null;
    this.#bodySink = null;
    this.#bodyQueue = null;
    this.onDrain = null;
    exchange.finish();
    // Bytes behind a request for an upgrade that was not granted are no request (they were meant for the other protocol).
    const strayUpgrade = this.#upgradeAsked && !this.#stash.empty;
    if (!this.#keepAlive || strayUpgrade || this.#service.draining) {
      // More may be on its way from a client that did not ask for the close: a reset could take the response from it.
      this.#close(!this.#clientCloses || !this.#stash.empty);
      return;
    }
    this.#deadline = after(this.#service.timeouts.keepAliveMs);
    this.#lastRead = clock.now;
    if (this.#stash.empty) {
      this.#resume();
    } else if (!this.#reading && !this.socket.writableNeedDrain) {
      const stash = this.#stash.take()!;
      this.#resume();
      this.#process(stash);
    }
  }

  /** Closes in good order: what was written goes out, and what the client still sends is read for a while. */
  #close(linger = false): void {
    if (this.#closing || this.#closed) return;
    this.#out.flush();
    this.#closing = true;
    this.#stash.clear();
    const exchange = this.#exchange;
    this.#exchange = null;
    exchange?.finish();
    const socket = this.socket;
    if (this.#bodyDone && !this.#paused && !linger) {
      if (this.#out.pending === 0 && this.peer.tls === null) socket.destroy();
      else socket.destroySoon();
      this.#deadline = after(LINGER_MS);
      return;
    }
    this.#discarded = 0;
    this.#deadline = after(LINGER_MS);
    socket.end();
    this.#paused = false;
    socket.resume();
  }

  #refuse(refusal: Refusal): void {
    const error = new ProxyError(refusal.code, refusal.detail);
    const { status } = ERROR_TABLE[refusal.code];
    this.#service.refused(this.peer, error, status);
    this.#exchange = null;
    this.#head = null;
    this.#stash.clear();
    this.#keepAlive = false;
    // The rest of what came cannot be understood: it is read and thrown away before the close.
    this.#bodyDone = false;
    const text = `${status} ${reasonOf(status)}\n`;
    // RFC 9110 §9.3.2: it says what would be there.
    const body = parser.isHead ? '' : text;
    const allow = status === 405 ? ALLOW_LINE : '';
    this.#out.hold(
      `HTTP/1.1 ${status} ${reasonOf(status)}\r\n${dateLine()}${allow}Content-Type: text/plain; charset=utf-8\r\nContent-Length: ${text.length}\r\nConnection: close\r\n\r\n${body}`,
    );
    this.#close();
  }

  #failExchange(error: ProxyError): void {
    const exchange = this.#exchange;
    if (exchange === null) return;
    this.#bodySink = null;
    this.#bodyQueue = null;
    if (exchange.finished) {
      // It is answered already, and what broke is the rest of a body that nobody wanted.
      this.#close();
      return;
    }
    const cancel = exchange.onCancel;
    exchange.onCancel = null;
    cancel?.(error);
    this.#bodyDone = false;
    exchange.fail(error);
  }

  /** Nobody is there for the answer any more; the code says whose doing that was. */
  #gone(detail: string, code: 'CLIENT_GONE' | 'PROXY_DRAINING' = 'CLIENT_GONE'): void {
    const exchange = this.#exchange;
    // Most connections end between requests: an error, with its stack, is made where there is something to tell.
    if (exchange === null) return;
    this.#exchange = null;
    const error = new ProxyError(code, detail);
    if (!exchange.finished && exchange.error === null) {
      exchange.error = error;
      if (!exchange.started) exchange.status = error.status;
    }
    const cancel = exchange.onCancel;
    exchange.onCancel = null;
    cancel?.(error);
    exchange.finish();
  }

  #onDeadline(): void {
    if (this.#closing) {
      this.socket.destroy();
    } else if (this.#exchange === null && this.#head !== null) {
      // Tells whether the refusal may have a body.
      parser.parse(this.#head.bytes, 0, this.#head.length, this.#service.limits);
      this.#refuse({ code: 'CLIENT_HEADER_TIMEOUT', detail: 'the head did not arrive in time' });
    } else if (this.#exchange === null) {
      this.#close();
    }
  }

  /** The client sends no more. It may still read, but nothing tells that from one that left (nor does Go's server try). */
  readonly #onEnd = (): void => {
    if (!this.#closing) {
      if (this.#exchange === null && this.#head !== null) {
        parser.parse(this.#head.bytes, 0, this.#head.length, this.#service.limits);
        // It may be told (RFC 9112 §8): it is not the end of a request that anybody has begun to work on.
        this.#refuse({ code: 'CLIENT_BAD_REQUEST', detail: 'the connection ended within the head' });
        return;
      }
      // Answers to what it asked before, that this turn has not written yet; of the one under way no more is said.
      if (this.#response === 'started') this.#out.takeBack();
      this.#out.flush();
      this.#gone(CLIENT_CLOSED);
    }
    this.socket.destroySoon();
  };

  readonly #onError = (): void => {
    // Of a tunnel the error is noted by who runs it.
    if (this.#tunnel) return;
    this.#gone('the connection to the client broke');
    this.socket.destroy();
  };

  readonly #onSocketClose = (): void => {
    this.#closed = true;
    if (!this.#tunnel) this.#gone(CLIENT_CLOSED);
    this.#onClose(this);
  };

  readonly #onSocketDrain = (): void => {
    const { onDrain } = this;
    if (this.#exchange !== null) {
      if (onDrain !== null) onDrain();
    } else if (!this.#stash.empty && !this.#closing) {
      const stash = this.#stash.take()!;
      this.#resume();
      this.#process(stash);
    }
  };
}

function copyOf(buf: Buffer, n: number): Buffer {
  return Buffer.from(buf.subarray(0, n));
}

function after(ms: number): number {
  return ms === 0 ? 0 : clock.now + ms;
}

/** @param path in normal form: its encodings are in upper case */
function hasEncoding(path: string, digits: readonly string[]): boolean {
  for (let at = path.indexOf('%'); at >= 0; at = path.indexOf('%', at + 3)) {
    if (digits.includes(path.substring(at + 1, at + 3))) return true;
  }
  return false;
}

/** A forwarded header without a value, or spelled with `_`, would keep the proxy from saying what a backend looks for. */
function saysNothing(name: string, value: string): boolean {
  return value === '' || name.includes('_');
}
