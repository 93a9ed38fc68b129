import type { Socket } from 'node:net';
import { ERROR_TABLE, ProxyError } from '../../core/errors.ts';
import { LARGE_BUFFERS, TLS_BUFFERS } from '../chunk-memory.ts';
import { clock } from '../clock.ts';
import {
  type ClientStream,
  Exchange,
  type Peer,
  type RequestBodySink,
  type ResponseStart,
  type Tunnel,
} from '../exchange.ts';
import { takeConnectionField } from '../headers/connection-field.ts';
import type { HeaderList } from '../headers/header-list.ts';
import { H } from '../headers/known.ts';
import { offeredUpgrade } from '../headers/upgrade.ts';
import { readInto } from '../read-into.ts';
import { SocketWriter } from '../socket-writer.ts';
import { resetConnection } from '../tls/server-socket.ts';
import { type EarlyReader, earlyBytes } from './early-bytes.ts';
import type { Refusal } from './fields.ts';
import type { HeadLimits } from './limits.ts';
import { pipelining, type Waiting } from './pipelining.ts';
import { copyOf, ReadMemory, SHARED_READ } from './read-memory.ts';
import { refusalResponse } from './refusal-response.ts';
import { RequestBody } from './request-body.ts';
import type { RequestHead } from './request-head.ts';
import { RequestReader } from './request-reader.ts';
import { applyRequestRules, type RequestRules, readExpectation } from './request-rules.ts';
import { ResponseWriter } from './response-writer.ts';
import { Stash } from './stash.ts';

/** What the connections of one entry point share. Replaced field by field at a reload. */
export interface Http1Service extends RequestRules {
  readonly entryPoint: string;
  limits: HeadLimits;
  /** Of one connection: requests, and milliseconds after which it serves no further one; 0 = no limit. */
  lifetime: { readonly maxRequests: number; readonly maxAgeMs: number };
  /** Milliseconds, 0 = off. */
  timeouts: { readonly headerMs: number; readonly bodyIdleMs: number; readonly keepAliveMs: number };
  /** Every response that begins says that it is the last of its connection. */
  draining: boolean;
  dispatch(exchange: Exchange): void;
  finished(exchange: Exchange): void;
  /** A head that could not be read, and so became no exchange. */
  refused(peer: Peer, error: ProxyError, status: number): void;
}

/** A request body that nobody wants is read to its end up to this size, so that the connection can be used again. */
const DISCARD_LIMIT = 262_144;
/** Bytes of further requests kept while one is under way. */
const STASH_LIMIT = 65_536;
/** Bytes of a head's part, or of further requests, that any connection may hold and nobody counts. */
const UNCOUNTED = 4_096;
/** How long a closed connection is still read, so that the client sees the response before the reset (RFC 9112 §9.6). */
const LINGER_MS = 2_000;

const CLIENT_CLOSED = 'the client closed the connection';

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
export class ServerConnection implements ClientStream, EarlyReader, Waiting {
  readonly socket: Socket;
  readonly peer: Peer;
  onDrain: (() => void) | null = null;

  readonly #out: SocketWriter;
  readonly #service: Http1Service;
  readonly #onClose: (connection: ServerConnection) => void;
  readonly #openedAt = clock.now;
  #exchange: Exchange | null = null;
  readonly #reader = new RequestReader();
  /** Of the request under way, or the last one; null where it has none. */
  #body: RequestBody | null = null;
  readonly #response: ResponseWriter;
  readonly #stash = new Stash();
  /** Made for the first request with a body. */
  #memory: ReadMemory | null = null;
  #reading = false;
  /** The next request is there, and waits for its turn. */
  #waiting = false;
  /** The client ended its sending side meanwhile. */
  #endWaits = false;
  /** What {@link earlyBytes} knows of. */
  #held = 0;
  /** What comes behind the request under way is thrown away. */
  #shed = false;
  /** What is being read must be copied to be kept. */
  #borrowed = false;
  #paused = false;
  /** Reads come by {@link ServerConnection.#onRead}. */
  readonly #readsInto: boolean;
  #keepAlive = true;
  /** The request under way is the client's last, by its own word. */
  #clientCloses = false;
  /** The request under way asks for another protocol, whatever becomes of that. */
  #upgradeAsked = false;
  #requests = 0;

  /** When something must have happened, by `clock.awake` as all that follows; 0 = no deadline. */
  #deadline: number;
  #lastRead: number;
  #stalledAt = 0;
  #stalledLength = 0;
  #closing = false;
  /** Bytes that came since. */
  #lingered = 0;
  #closed = false;
  #tunnel = false;

  constructor(socket: Socket, peer: Peer, service: Http1Service, onClose: (connection: ServerConnection) => void) {
    this.socket = socket;
    this.#out = new SocketWriter(socket);
    this.#response = new ResponseWriter(this.#out);
    this.peer = peer;
    this.#service = service;
    this.#onClose = onClose;
    this.#lastRead = clock.awake;
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
    return this.#exchange !== null || this.#reader.begun || this.#waiting || this.#tunnel;
  }

  /** Closes it where it is idle, and nothing came since `since` of `clock.awake`. */
  closeWhenQuiet(since: number): void {
    if (this.#lastRead <= since && !this.busy && !this.#closing) this.#close();
  }

  /** Ends it at once, whatever is under way. */
  destroy(): void {
    if (!this.#tunnel) this.#gone('the time for what was under way was over', 'PROXY_DRAINING');
    this.#cut();
  }

  /**
   * Called each time the coarse clock advances.
   * @param now its `awake`
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
    if (this.#body?.awaited === true && !this.#paused && now - this.#lastRead > idle) {
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
      this.#cut();
      return true;
    }
    return false;
  }

  // Reading.

  /** Nothing of the request under way is still to come. */
  get #complete(): boolean {
    return this.#body === null || this.#body.complete;
  }

  readonly #nextRead = (): Buffer => (this.#memory === null ? SHARED_READ : this.#memory.next(!this.#complete));

  readonly #onRead = (n: number, buf: Buffer): boolean => {
    const wasPaused = this.#paused;
    if (this.#tunnel) return this.socket.push(copyOf(buf, n));
    const memory = this.#memory;
    if (this.#exchange === null) {
      this.#borrowed = true;
      this.#onData(buf.subarray(0, n));
      this.#borrowed = false;
    } else if (memory === null) {
      this.#onData(copyOf(buf, n));
    } else {
      this.#onData(memory.lend(buf, n));
      memory.settle();
    }
    return !(wasPaused && this.#paused);
  };

  readonly #onData = (chunk: Buffer): void => {
    this.#lastRead = clock.awake;
    if (this.#closing) {
      this.#lingered += chunk.length;
      // A reset would take the response from a client that is still writing: it is left to wait until the deadline.
      if (this.#lingered > DISCARD_LIMIT) this.#pause();
      return;
    }
    if (this.#exchange === null) {
      this.#process(chunk);
      return;
    }
    const body = this.#body;
    if (body === null || body.complete) {
      this.#keepForLater(chunk, 0);
      return;
    }
    const consumed = this.#feed(body, chunk, 0);
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
        if (!pipelining.mayBegin()) {
          this.#waiting = true;
          pipelining.wait(this);
          break;
        }
        next = this.#stash.take();
      }
    }
    this.#reading = false;
    this.#accountFor();
    this.#readOn();
  }

  /** More is read where there is room: what waits for its turn does not grow by a read with each request that is taken from it. */
  #readOn(): void {
    if (this.#closing || this.#closed || this.#stash.length > STASH_LIMIT) return;
    if (this.#exchange === null || this.#body?.blocked !== true) this.#resume();
  }

  goOn(): void {
    this.#waiting = false;
    this.#readStash();
    if (this.#endWaits && !this.#waiting) this.#onEnd();
  }

  /** Goes on with what waits, where it is its turn. */
  #readStash(): void {
    if (this.#waiting || this.#exchange !== null || this.#stash.empty || this.#closing || this.#closed) return;
    if (this.socket.writableNeedDrain) return;
    this.#process(this.#stash.take()!);
  }

  #readHead(chunk: Buffer): void {
    const { limits, timeouts } = this.#service;
    const reader = this.#reader;
    const { begun } = reader;
    const state = reader.read(chunk, limits);
    if (state === 'done') this.#begin(reader.head, reader.bytes, reader.end);
    else if (state === 'failed') this.#refuse(reader.refusal);
    else if (!begun && reader.begun && this.#requests > 0) this.#deadline = after(timeouts.headerMs);
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
    this.#response.begin(head.minor);
    this.#body = null;
    if (head.body !== 'none') {
      this.#body = new RequestBody(exchange);
      this.#memory ??= new ReadMemory(this.peer.tls === null ? LARGE_BUFFERS : TLS_BUFFERS);
    }
    this.#keepAlive = head.minor === 1;

    const refusal = applyRequestRules(service, head, exchange);
    if (refusal !== null) {
      this.#refuse(refusal);
      return;
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
    if (wantsUpgrade && head.hasUpgrade && this.#complete) {
      exchange.upgrade = offeredUpgrade(head.method, head.headers.joinKnown(H.UPGRADE) ?? '');
    }
    if (head.hasExpect) {
      const unexpected = readExpectation(head, exchange);
      if (unexpected !== null) {
        this.#refuse(unexpected);
        return;
      }
    }

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
      if (this.#body !== null) rest = this.#feed(this.#body, bytes, rest);
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

  /** Takes body bytes. Returns how far it came, or -1 when the exchange failed over them. */
  #feed(body: RequestBody, buf: Buffer, from: number): number {
    const exchange = this.#exchange;
    const end = body.feed(buf, from);
    // It may have ended over what came, and a body with it.
    if (exchange !== this.#exchange) return end;
    if (end < 0) {
      this.#keepAlive = false;
      this.#failExchange(new ProxyError('CLIENT_BAD_CHUNK', body.problem));
    } else if (body.discarding) {
      if (body.complete) this.#next();
      else if (body.discarded > DISCARD_LIMIT) this.#close();
    } else if (body.blocked) {
      this.#pause();
    }
    return end;
  }

  readBody(sink: RequestBodySink): void {
    const body = this.#body;
    if (body === null) {
      sink.end(null);
      return;
    }
    body.readBy(sink);
    if (body.hungry) this.#resume();
  }

  resumeBody(): void {
    const body = this.#body;
    if (body === null) return;
    body.resume();
    if (body.hungry) this.#resume();
  }

  #keepForLater(buf: Buffer, from: number): void {
    if (this.#shed) {
      this.#pause();
      return;
    }
    this.#stash.push(from === 0 ? buf : buf.subarray(from), this.#borrowed);
    this.#accountFor();
    if (this.#stash.length > STASH_LIMIT) this.#pause();
  }

  /** What it holds of later requests has changed. */
  #accountFor(): void {
    const held = this.#closed ? 0 : this.#reader.held + this.#stash.held;
    const counted = held > UNCOUNTED ? held : 0;
    if (counted === this.#held) return;
    this.#held = counted;
    earlyBytes.hold(this, counted);
  }

  shed(): void {
    this.#held = 0;
    if (this.#exchange === null && this.#reader.begun) {
      this.#reader.abandon(this.#service.limits);
      this.#refuse({
        code: 'CLIENT_HEADER_TIMEOUT',
        detail: 'the oldest of the unfinished heads when their memory was full',
      });
      return;
    }
    const detail = 'pipelined requests that had waited longest when the memory for them was full';
    this.#service.refused(this.peer, new ProxyError('PROXY_OVERLOADED', detail), 0);
    this.#stash.clear();
    this.#shed = true;
    this.#keepAlive = false;
    if (this.#exchange === null) this.#close(true);
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
    this.#lastRead = clock.awake;
    this.socket.resume();
  }

  // Writing.

  inform(status: number, reason: string, headers: HeaderList): void {
    if (!this.#closed) this.#response.inform(status, reason, headers, this.#exchange?.expectsContinue === true);
  }

  start(response: ResponseStart): void {
    const exchange = this.#exchange;
    const writer = this.#response;
    if (exchange === null || writer.state !== 'none') return;
    if (this.#service.draining || writer.needsClose(response)) this.#keepAlive = false;
    // The client may or may not send the body it announced: nobody could tell it from a next request.
    if (exchange.expectsContinue && !writer.continued && !this.#complete && exchange.requestBytes === 0) {
      this.#keepAlive = false;
    }
    writer.start(response, exchange.method, this.#keepAlive);
  }

  data(chunk: Buffer): boolean {
    const exchange = this.#exchange;
    const writer = this.#response;
    const size = chunk.length;
    if (exchange === null || writer.state !== 'started' || size === 0 || !writer.hasBody) return true;
    exchange.responseBytes += size;
    if (!writer.spend(size)) {
      this.abort(new ProxyError('PROXY_INTERNAL', 'a response body longer than announced'));
      return true;
    }
    return writer.data(chunk);
  }

  flush(): void {
    this.#out.flushLater();
  }

  end(trailers: HeaderList | null): void {
    const writer = this.#response;
    if (writer.state !== 'started') return;
    if (!writer.whole) {
      this.abort(new ProxyError('UPSTREAM_TRUNCATED'));
      return;
    }
    writer.end(trailers);
    this.#next();
  }

  retract(): boolean {
    return this.#exchange !== null && this.#response.retract();
  }

  abort(error: ProxyError): void {
    const exchange = this.#exchange;
    if (exchange !== null) {
      exchange.error ??= error;
      const unended = this.#unended;
      this.#response.breakOff();
      this.#leave();
      exchange.finish();
      if (unended) {
        resetConnection(this.socket);
        return;
      }
    }
    this.#closing = true;
    this.#stalledLength = 0;
    this.#stash.clear();
    this.#accountFor();
    this.#deadline = after(LINGER_MS);
    this.#out.flush();
    this.socket.destroySoon();
  }

  upgrade(headers: HeaderList): Tunnel | null {
    const exchange = this.#exchange;
    if (exchange === null || this.#response.state !== 'none' || exchange.upgrade === null || this.#shed) return null;
    const socket = this.socket;
    this.#tunnel = true;
    exchange.started = true;
    exchange.status = 101;
    const head = this.#stash.take();
    this.#accountFor();
    socket.removeListener('data', this.#onData);
    socket.removeListener('end', this.#onEnd);
    socket.removeListener('drain', this.#onSocketDrain);
    this.#response.switchProtocols(headers, headers.joinKnown(H.UPGRADE) ?? exchange.upgrade);
    return { head, socket };
  }

  // The end of an exchange, and of the connection.

  #next(): void {
    const exchange = this.#exchange;
    if (exchange === null) return;
    const body = this.#body;
    if (body !== null && !body.complete && this.#keepAlive && !this.#closed) {
      // Read what the client still sends of this request, within bounds.
      if (!body.discarding) {
        if (body.discard(DISCARD_LIMIT)) this.#resume();
        else this.#keepAlive = false;
      }
      if (this.#keepAlive) {
        exchange.finish();
        return;
      }
    }
    this.#leave();
    this.onDrain = null;
    exchange.finish();
    // Bytes behind a request for an upgrade that was not granted are no request (they were meant for the other protocol).
    const strayUpgrade = this.#upgradeAsked && !this.#stash.empty;
    // Also while everything ends: who was not told by this answer that it was the last may have asked again.
    if (!this.#keepAlive || strayUpgrade) {
      // More may be on its way from a client that did not ask for the close: a reset could take the response from it.
      this.#close(!this.#clientCloses || !this.#stash.empty);
      return;
    }
    this.#body = null;
    this.#deadline = after(this.#service.timeouts.keepAliveMs);
    this.#lastRead = clock.awake;
    if (this.#stash.empty) this.#resume();
    else if (!this.#reading) this.#readStash();
  }

  /** Closes in good order: what was written goes out, and what the client still sends is read for a while. */
  #close(linger = false): void {
    if (this.#closing || this.#closed) return;
    this.#out.flush();
    this.#closing = true;
    this.#stalledLength = 0;
    this.#stash.clear();
    this.#accountFor();
    const exchange = this.#exchange;
    this.#leave();
    exchange?.finish();
    const socket = this.socket;
    if (this.#complete && !this.#paused && !linger) {
      if (this.#out.pending === 0 && this.peer.tls === null) socket.destroy();
      else socket.destroySoon();
      this.#deadline = after(LINGER_MS);
      return;
    }
    this.#deadline = after(LINGER_MS);
    socket.end();
    this.#paused = false;
    socket.resume();
  }

  /** A response is under way that the end of the connection ends: only a reset says that this was not it. */
  get #unended(): boolean {
    return this.#response.state === 'started' && this.#response.endsByClose;
  }

  /** Ends the connection at once, whatever is under way or still to be written. */
  #cut(): void {
    if (this.#unended || (this.#response.endsByClose && this.#out.pending > 0)) resetConnection(this.socket);
    else this.socket.destroy();
  }

  #refuse(refusal: Refusal): void {
    const error = new ProxyError(refusal.code, refusal.detail);
    const { status } = ERROR_TABLE[refusal.code];
    this.#service.refused(this.peer, error, status);
    this.#leave();
    this.#reader.clear();
    this.#stash.clear();
    this.#keepAlive = false;
    this.#out.hold(refusalResponse(status, this.#reader.isHead));
    // The rest of what came cannot be understood: it is read and thrown away before the close.
    this.#close(true);
  }

  #failExchange(error: ProxyError): void {
    const exchange = this.#exchange;
    if (exchange === null) return;
    this.#body?.dropReader();
    if (exchange.finished) {
      // It is answered already, and what broke is the rest of a body that nobody wanted.
      this.#close();
      return;
    }
    const cancel = exchange.onCancel;
    exchange.onCancel = null;
    cancel?.(error);
    exchange.fail(error);
  }

  /** The exchange is none of this connection's any more, nor its body. */
  #leave(): void {
    this.#exchange = null;
    this.#body?.release();
  }

  /** Nobody is there for the answer any more; the code says whose doing that was. */
  #gone(detail: string, code: 'CLIENT_GONE' | 'PROXY_DRAINING' = 'CLIENT_GONE'): void {
    const exchange = this.#exchange;
    // Most connections end between requests: an error, with its stack, is made where there is something to tell.
    if (exchange === null) return;
    this.#leave();
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
      this.#endClosing();
    } else if (this.#exchange === null && this.#reader.begun) {
      this.#reader.abandon(this.#service.limits);
      this.#refuse({ code: 'CLIENT_HEADER_TIMEOUT', detail: 'the head did not arrive in time' });
    } else if (this.#exchange === null) {
      this.#close();
    }
  }

  /** The time of a closing connection is over, unless a slow client is still being given the end of its answer. */
  #endClosing(): void {
    const { pending } = this.#out;
    if (pending === 0) {
      this.socket.destroy();
      return;
    }
    if (pending !== this.#stalledLength) {
      this.#stalledLength = pending;
      this.#stalledAt = clock.awake;
    }
    const idle = this.#service.timeouts.bodyIdleMs;
    if (idle === 0 || clock.awake - this.#stalledAt <= idle) this.#deadline = after(LINGER_MS);
    // A FIN would say that this was all.
    else resetConnection(this.socket);
  }

  /** The client sends no more. It may still read, but nothing tells that from one that left (nor does Go's server try). */
  readonly #onEnd = (): void => {
    if (this.#waiting) {
      // What it asked before is answered first, as far as that needs nobody else.
      this.#endWaits = true;
      return;
    }
    if (!this.#closing) {
      if (this.#exchange === null && this.#reader.begun) {
        this.#reader.abandon(this.#service.limits);
        // It may be told (RFC 9112 §8): it is not the end of a request that anybody has begun to work on.
        this.#refuse({ code: 'CLIENT_BAD_REQUEST', detail: 'the connection ended within the head' });
        return;
      }
      // Answers to what it asked before, that this turn has not written yet; of the one under way no more is said.
      const unended = this.#unended;
      this.#response.breakOff();
      this.#out.flush();
      this.#gone(CLIENT_CLOSED);
      if (unended) {
        resetConnection(this.socket);
        return;
      }
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
    this.#accountFor();
    if (!this.#tunnel) this.#gone(CLIENT_CLOSED);
    this.#onClose(this);
  };

  readonly #onSocketDrain = (): void => {
    const { onDrain } = this;
    if (this.#exchange === null) this.#readStash();
    else if (onDrain !== null) onDrain();
  };
}

function after(ms: number): number {
  return ms === 0 ? 0 : clock.awake + ms;
}
