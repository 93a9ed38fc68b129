import type { Socket } from 'node:net';
import type { TLSSocket } from 'node:tls';
import { ProxyError } from '../../core/errors.ts';
import { LARGE_BUFFERS, takeKept } from '../chunk-memory.ts';
import { awakeNow } from '../clock.ts';
import { takeConnectionField } from '../headers/connection-field.ts';
import type { HeaderList } from '../headers/header-list.ts';
import { ChunkedDecoder } from '../http1/chunked.ts';
import { HeadBuffer } from '../http1/head-buffer.ts';
import { MAX_INFORMATIONAL, RESPONSE_LIMITS } from '../http1/limits.ts';
import { ResponseParser, type UpstreamHead } from '../http1/response-head.ts';
import { COPY_LIMIT, SocketWriter } from '../socket-writer.ts';
import { canStillRead } from './keep-reading.ts';

/** Who gets what an upstream says. Each call is made at most as often as the protocol allows; `onFail` ends everything. */
export interface UpstreamReceiver {
  /** On whose behalf it asks: what {@link UpstreamConnection.waitsFor} compares with. */
  readonly state: object | null;
  /** 1xx but 101. */
  onInform(head: UpstreamHead): void;
  onHead(head: UpstreamHead): void;
  /** 101: the socket is the receiver's from now on. `rest` are the bytes behind the head. */
  onUpgrade(head: UpstreamHead, socket: Socket, rest: Buffer | null): void;
  /** Valid until the call returns, see chunk-memory.ts. */
  onBody(chunk: Buffer): void;
  /** Nothing more comes for now. */
  onPause(): void;
  onEnd(trailers: HeaderList | null): void;
  onDrain(): void;
  /**
   * @param silent whether no byte of a response had come
   * @param unsent whether no byte of the request had gone: it may be repeated whatever it asks for
   */
  onFail(error: ProxyError, silent: boolean, unsent: boolean): void;
}

/** What a connection tells the pool it belongs to. */
export interface ConnectionOwner {
  /** The response is complete and the connection can serve another request. */
  released(connection: UpstreamConnection): void;
  closed(connection: UpstreamConnection): void;
}

type State = 'idle' | 'head' | 'body' | 'closed' | 'given-away';

const parser = new ResponseParser();

/** A head in pieces is parsed anew at each of them while it is this short; later only as lines end. */
const EAGER_LIMIT = 4_096;
/** An upstream that takes nothing of a body for so long, where no timeout is configured: nginx has the same (proxy_send_timeout). */
const UPLOAD_STALL_MS = 60_000;
/** First read buffer of a connection: large ones are for those that are reading a large body. */
const SMALL_READ = 16_384;

/** The read buffer of one connection, for `onread`: reused for every read while nobody downstream keeps it. */
export class ReadBuffer {
  #current: Buffer = Buffer.allocUnsafeSlow(SMALL_READ);
  #large = false;

  readonly next = (): Buffer => this.#current;

  /**
   * After a read of `n` bytes was delivered.
   * @param kept somebody still needs the bytes
   * @param idle the response is complete: back to a small buffer
   */
  settle(n: number, kept: boolean, idle: boolean): void {
    const full = n === this.#current.length;
    if (idle && this.#large) {
      if (!kept) LARGE_BUFFERS.give(this.#current);
      this.#large = false;
      this.#current = Buffer.allocUnsafeSlow(SMALL_READ);
    } else if (!idle && !this.#large && full) {
      this.#large = true;
      this.#current = LARGE_BUFFERS.take();
    } else if (kept) {
      this.#current = this.#large ? LARGE_BUFFERS.take() : Buffer.allocUnsafeSlow(SMALL_READ);
    }
  }
}

/** One HTTP/1.1 connection to an upstream: one request at a time. */
export class UpstreamConnection {
  readonly socket: Socket | TLSSocket;
  /** How many requests it has carried. */
  uses = 0;
  /** On the coarse clock, for the pool: since when it is idle. */
  idleSince = 0;
  /** Which of the addresses of its name, as they changed, it belongs to; see Addresses. */
  addressVersion = 0;

  readonly #out: SocketWriter;
  readonly #owner: ConnectionOwner;
  readonly #buffer: ReadBuffer | null;
  #state: State = 'idle';
  #receiver: UpstreamReceiver | null = null;
  #method = '';
  #upgrade = false;
  #head: HeadBuffer | null = null;
  #kind: UpstreamHead['body'] = 'none';
  #left = 0;
  #chunked: ChunkedDecoder | null = null;
  #reusable = true;
  #silent = true;
  #informed = 0;
  /** Whether the request is written completely. */
  #sent = true;
  #withBody = false;
  #chunkedRequest = false;
  /** Nothing more can be written; the response may be on its way. */
  #deaf = false;
  #paused = false;
  /** Milliseconds, 0 = no limit: until the response begins, and between two pieces of it. */
  #firstByteMs = 0;
  #idleMs = 0;
  /** `clock.awake` from which it is too late to begin, or to go on; 0 = no limit. Looked at when the coarse clock advances: never early. */
  #deadline = 0;
  /** Bytes of the request that wait to be written, and since when by `clock.awake` they are as many. */
  #stalledLength = 0;
  #stalledAt = 0;

  /** @param buffer set where the socket was made with `onread`; reads then come by {@link read} */
  constructor(socket: Socket | TLSSocket, owner: ConnectionOwner, buffer: ReadBuffer | null) {
    this.socket = socket;
    this.#out = new SocketWriter(socket);
    this.#owner = owner;
    this.#buffer = buffer;
    if (buffer === null) socket.on('data', (chunk: Buffer) => this.#onBytes(chunk, chunk.length));
    socket.on('end', () => this.#onEnd());
    socket.on('error', (error: Error) => this.#onError(error));
    socket.on('close', () => this.#close(new ProxyError('UPSTREAM_CLOSED')));
    socket.on('drain', () => this.#receiver?.onDrain());
  }

  get usable(): boolean {
    return this.#state === 'idle' && !this.socket.destroyed;
  }

  get busy(): boolean {
    return this.#receiver !== null;
  }

  /** Whether it has sent a request of `state` and has got no byte of the response yet. */
  waitsFor(state: object): boolean {
    return this.#receiver !== null && this.#receiver.state === state && this.#silent;
  }

  /** The callback of `onread`. */
  read(n: number, buf: Buffer): boolean {
    this.#onBytes(buf, n);
    this.#buffer!.settle(n, takeKept(), this.#state === 'idle');
    return true;
  }

  /**
   * Sends a request's head. It is written at the end of the turn, or of a request with a body after {@link flush}: with the
   * body bytes that have come by then, so that a small request is one write.
   */
  request(
    receiver: UpstreamReceiver,
    method: string,
    head: string,
    body: 'none' | 'length' | 'chunked',
    upgrade: boolean,
  ): void {
    this.#receiver = receiver;
    this.#state = 'head';
    this.#method = method;
    this.#upgrade = upgrade;
    this.#head = null;
    this.#chunked = null;
    this.#reusable = true;
    this.#silent = true;
    this.#informed = 0;
    this.#withBody = body !== 'none';
    this.#chunkedRequest = body === 'chunked';
    this.#sent = body === 'none';
    this.#firstByteMs = 0;
    this.#idleMs = 0;
    this.#deadline = 0;
    this.#stalledLength = 0;
    this.uses++;
    this.#out.mark();
    this.#out.hold(head);
    if (body === 'none') this.#out.flushLater();
  }

  /** Limits the silence of the response, in milliseconds; the first byte counts from the end of the request. */
  limit(firstByteMs: number, idleMs: number): void {
    this.#firstByteMs = firstByteMs;
    this.#idleMs = idleMs;
    if (this.#sent && firstByteMs > 0) this.#deadline = awakeNow() + firstByteMs;
  }

  /** @returns false when the upstream does not take it as fast as it comes */
  writeBody(chunk: Buffer): boolean {
    if (this.#deaf) return true;
    const more = this.#out.piece(chunk, this.#chunkedRequest);
    // What is held behind a large piece can wait for the next one.
    if (chunk.length <= COPY_LIMIT) this.#out.flushLater();
    return more;
  }

  endBody(trailers: string): void {
    this.#sent = true;
    if (this.#firstByteMs > 0 && this.#state === 'head') this.#deadline = awakeNow() + this.#firstByteMs;
    if (this.#deaf) return;
    if (this.#chunkedRequest) this.#out.hold(`0\r\n${trailers}\r\n`);
    this.#out.flushLater();
  }

  /** Lets what is held be written. */
  flush(): void {
    this.#out.flushLater();
  }

  pause(): void {
    this.#paused = true;
    // Now it is the client that is slow, and the client's codec that watches it.
    this.#deadline = 0;
    this.socket.pause();
  }

  resume(): void {
    this.#paused = false;
    if (this.#idleMs > 0 && this.#state === 'body') this.#deadline = awakeNow() + this.#idleMs;
    this.socket.resume();
  }

  /** Breaks the connection: the exchange was cancelled. Nothing is reported. */
  destroy(): void {
    this.#receiver = null;
    this.#state = 'closed';
    this.socket.destroy();
  }

  /** Called each time the coarse clock advances: the response did not begin, or go on, in time. @param now its `awake` */
  tick(now: number, address: string): void {
    if (this.#state === 'head' && !this.#sent) this.#watchUpload(now, address);
    if (this.#deadline === 0 || now < this.#deadline) return;
    this.fail(
      this.#state === 'body'
        ? new ProxyError('UPSTREAM_IDLE_TIMEOUT', `${address} was silent for ${this.#idleMs} ms within its response`)
        : new ProxyError('UPSTREAM_RESPONSE_TIMEOUT', `${address} did not answer within ${this.#firstByteMs} ms`),
    );
  }

  /** Until it answers, an upstream must go on taking the body: the client that waits for it is not watched meanwhile. */
  #watchUpload(now: number, address: string): void {
    const { pending } = this.#out;
    if (pending === 0 || pending !== this.#stalledLength) {
      this.#stalledLength = pending;
      this.#stalledAt = now;
      return;
    }
    const limit = Math.max(this.#firstByteMs, this.#idleMs) || UPLOAD_STALL_MS;
    if (now - this.#stalledAt <= limit) return;
    this.fail(
      new ProxyError('UPSTREAM_RESPONSE_TIMEOUT', `${address} took nothing of the request's body for ${limit} ms`),
    );
  }

  /** Breaks the connection and tells who waits. */
  fail(error: ProxyError): void {
    this.#close(error);
  }

  #onBytes(buf: Buffer, n: number): void {
    // An answer to nothing: whoever came next would get it (CVE-2026-48931). There is no good use of this socket.
    if (this.#state === 'idle' || this.#receiver === null) {
      this.#state = 'closed';
      this.socket.destroy();
      return;
    }
    if (this.#out.unwritten) {
      this.#close(new ProxyError('UPSTREAM_CLOSED', 'the upstream spoke before it was asked'));
      return;
    }
    this.#silent = false;
    let pos = 0;
    if (this.#state === 'head') {
      pos = this.#readHead(buf, n);
      if (pos < 0) return;
    }
    if (this.#state === 'body') {
      if (this.#idleMs > 0) this.#deadline = awakeNow() + this.#idleMs;
      this.#readBody(buf, pos, n);
    }
    this.#receiver?.onPause();
  }

  /** Returns where the body starts, or -1 when there is nothing left to read in `buf`. */
  #readHead(chunk: Buffer, n: number): number {
    let buf = chunk;
    let from = 0;
    let to = n;
    for (;;) {
      if (this.#head !== null) {
        const held = this.#head.length;
        const { lines } = this.#head;
        const progress = this.#head.push(buf.subarray(from, to), RESPONSE_LIMITS.maxHeadBytes);
        if (progress === 'incomplete') return this.#judge(this.#head, lines);
        if (progress !== 'complete') {
          return this.#bad(progress === 'bare-lf' ? 'a bare LF in the head' : 'the head is too large');
        }
        // Continue in the collected bytes; what follows the head is in there too.
        buf = this.#head.bytes;
        to = this.#head.length;
        from = 0;
        this.#head = null;
        const end = this.#parse(buf, from, to);
        if (end === -2) return this.#bad(parser.problem === '' ? 'the head cannot be read' : parser.problem);
        if (end < 0) return -1;
        if (this.#state === 'head') {
          // It was informational: the rest of this read is behind it.
          buf = Buffer.from(buf.subarray(end, to));
          from = 0;
          to = buf.length;
          if (to === 0) return -1;
          continue;
        }
        // Positions count in the chunk that came: the held bytes are gone.
        return end - held;
      }
      const end = this.#parse(buf, from, to);
      if (end === -1) return -1;
      if (end === -2) {
        if (parser.problem !== '') return this.#bad(parser.problem);
        this.#head = new HeadBuffer();
        continue;
      }
      if (this.#state === 'head') {
        from = end;
        if (from >= to) return -1;
        continue;
      }
      if (buf !== chunk) {
        if (this.#state === 'body') this.#readBody(buf, end, to);
        this.#receiver?.onPause();
        return -1;
      }
      return end;
    }
  }

  /** What is wrong by now with a head in pieces is refused now: the rest may never come. Each line as it ends, a short head at once. */
  #judge(head: HeadBuffer, linesBefore: number): -1 {
    if (head.lines === linesBefore && head.length >= EAGER_LIMIT) return -1;
    const state = parser.parse(head.bytes, 0, head.length, RESPONSE_LIMITS, this.#method);
    return state === 'failed' ? this.#bad(parser.problem) : -1;
  }

  /** Parses one head and tells the receiver. Returns its end, -1 when the connection is no longer ours, -2 when incomplete or bad. */
  #parse(buf: Buffer, from: number, to: number): number {
    parser.problem = '';
    const state = parser.parse(buf, from, to, RESPONSE_LIMITS, this.#method);
    if (state !== 'done') return -2;
    const head = parser.head!;
    const end = parser.end;
    const receiver = this.#receiver!;
    if (head.status === 101) {
      if (!this.#upgrade) return this.#bad('101 (Switching Protocols) that nobody asked for');
      // A client would get the fields that make it whole from us, and take for an agreement what is none (RFC 9110 §7.8).
      if (head.minor === 0) return this.#bad('101 (Switching Protocols) of HTTP/1.0');
      if (!takeConnectionField(head.headers).upgrade) return this.#bad('101 whose Connection does not name Upgrade');
      this.#giveAway(receiver, head, end < to ? Buffer.from(buf.subarray(end, to)) : null);
      return -1;
    }
    if (head.status < 200) {
      if (++this.#informed > MAX_INFORMATIONAL) return this.#bad('too many informational responses');
      // What it names is for this hop; whether the connection closes is for the final response to say.
      if (head.hasConnection) takeConnectionField(head.headers);
      receiver.onInform(head);
      return this.#receiver === receiver ? end : -1;
    }
    this.#deadline = this.#idleMs > 0 ? awakeNow() + this.#idleMs : 0;
    this.#kind = head.body;
    this.#left = head.length;
    this.#state = 'body';
    if (head.hasConnection) {
      const connection = takeConnectionField(head.headers);
      this.#reusable = head.minor === 1 ? !connection.close : connection.keepAlive;
    } else {
      this.#reusable = head.minor === 1;
    }
    if (this.#deaf || head.body === 'close') this.#reusable = false;
    if (head.body === 'chunked') this.#chunked = new ChunkedDecoder();
    receiver.onHead(head);
    if (this.#receiver !== receiver) return -1;
    if (head.body === 'none') this.#complete(null, to - end);
    return end;
  }

  #readBody(buf: Buffer, from: number, to: number): void {
    switch (this.#kind) {
      case 'length': {
        const available = to - from;
        if (available === 0) return;
        const take = Math.min(available, this.#left);
        this.#left -= take;
        this.#receiver!.onBody(buf.subarray(from, from + take));
        if (this.#left === 0 && this.#receiver !== null) this.#complete(null, available - take);
        return;
      }
      case 'chunked': {
        const decoder = this.#chunked!;
        const end = decoder.feed(buf, from, to, this);
        if (this.#receiver === null) return;
        if (decoder.failed) this.#bad(decoder.problem);
        else if (decoder.done) this.#complete(decoder.trailers, to - end);
        return;
      }
      case 'close':
        if (to > from) this.#receiver!.onBody(buf.subarray(from, to));
        return;
    }
  }

  /** A piece of a chunked body. */
  onChunk(payload: Buffer): void {
    this.#receiver?.onBody(payload);
  }

  /**
   * Whether the request has left as a whole: what is still to be written would come before the next one. A socket that was made
   * to be given away by an upgrade is not kept: the others are made to deliver an early answer (see keep-reading.ts).
   */
  get #written(): boolean {
    return this.#sent && !this.#upgrade && !this.#out.holds && (!this.#withBody || this.#out.pending === 0);
  }

  #complete(trailers: HeaderList | null, extra: number): void {
    const receiver = this.#receiver!;
    this.#receiver = null;
    // The last piece may have been one too many for the client: who uses the connection next must not find it deaf.
    if (this.#paused) this.resume();
    this.#deadline = 0;
    if (this.#reusable && this.#written && extra === 0 && !this.socket.destroyed) {
      this.#state = 'idle';
      this.#owner.released(this);
    } else {
      this.#state = 'closed';
      this.socket.destroy();
    }
    receiver.onEnd(trailers);
  }

  #giveAway(receiver: UpstreamReceiver, head: UpstreamHead, rest: Buffer | null): void {
    this.#receiver = null;
    this.#state = 'given-away';
    this.#deadline = 0;
    this.#owner.closed(this);
    receiver.onUpgrade(head, this.socket, rest);
  }

  #bad(problem: string): -1 {
    this.#close(new ProxyError('UPSTREAM_BAD_RESPONSE', problem));
    return -1;
  }

  /** An upstream that refuses a body may answer and close before it has read it all (RFC 9112 §9.6). */
  #onError(error: Error): void {
    if (this.#receiver !== null && this.#withBody && !this.#out.unwritten && canStillRead(this.socket, error)) {
      this.#deaf = true;
      this.#reusable = false;
      this.#out.drop();
      // Who waits for room to write waits no longer: the rest of the body has no reader.
      this.#receiver.onDrain();
      return;
    }
    this.#close(new ProxyError('UPSTREAM_CLOSED', error.message, error));
  }

  #onEnd(): void {
    if (this.#state === 'given-away') return;
    if (this.#state === 'body' && this.#kind === 'close' && this.#receiver !== null) {
      this.#complete(null, 0);
      return;
    }
    this.#close(new ProxyError(this.#state === 'body' ? 'UPSTREAM_TRUNCATED' : 'UPSTREAM_CLOSED'));
  }

  #close(error: ProxyError): void {
    if (this.#state === 'given-away') return;
    const receiver = this.#receiver;
    const wasBody = this.#state === 'body';
    this.#receiver = null;
    this.#state = 'closed';
    const unsent = this.#out.unwritten;
    if (unsent) this.#out.drop();
    if (!this.socket.destroyed) this.socket.destroy();
    this.#owner.closed(this);
    if (receiver !== null) {
      receiver.onFail(
        wasBody && error.code === 'UPSTREAM_CLOSED'
          ? new ProxyError('UPSTREAM_TRUNCATED', error.message, error)
          : error,
        this.#silent,
        unsent,
      );
    }
  }
}
