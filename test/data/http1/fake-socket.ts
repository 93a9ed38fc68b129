import { EventEmitter } from 'node:events';
import type { Socket } from 'node:net';
import type { Exchange, Peer } from '../../../src/data/exchange.ts';
import { HeaderList } from '../../../src/data/headers/header-list.ts';
import type { HeadLimits } from '../../../src/data/http1/limits.ts';
import { pipelining } from '../../../src/data/http1/pipelining.ts';
import { type Http1Service, ServerConnection } from '../../../src/data/http1/server-connection.ts';
import { turn } from '../../../src/data/turn.ts';

/** As much of a socket as a codec touches, without a kernel: what is written is kept. */
export class FakeSocket extends EventEmitter {
  readonly written: Buffer[] = [];
  writableLength = 0;
  readonly writableNeedDrain = false;
  destroyed = false;
  ended = false;
  paused = false;

  write(data: string | Buffer, encoding?: BufferEncoding): boolean {
    this.written.push(typeof data === 'string' ? Buffer.from(data, encoding) : Buffer.from(data));
    return true;
  }
  cork(): void {}
  uncork(): void {}
  pause(): void {
    this.paused = true;
  }
  resume(): void {
    this.paused = false;
  }
  /** No more is written; what still comes is read for a while. */
  end(): void {
    this.ended = true;
  }
  destroySoon(): void {
    this.destroy();
  }
  resetAndDestroy(): void {
    this.destroy();
  }
  destroy(): void {
    if (this.destroyed) return;
    this.destroyed = true;
    this.emit('close');
  }

  get output(): string {
    return Buffer.concat(this.written).toString('latin1');
  }
}

/** One request as it came out of the codec, complete. */
export interface SeenRequest {
  readonly method: string;
  readonly target: string;
  readonly headers: readonly string[];
  readonly body: string;
}

export interface CodecRun {
  readonly seen: readonly SeenRequest[];
  /** Status codes answered, in order. */
  readonly statuses: readonly string[];
  readonly closed: boolean;
  /** All that was written, latin1, without the time. */
  readonly output: string;
}

/** A plain client. */
export const PEER: Peer = {
  address: '192.0.2.1',
  port: 1,
  localAddress: '192.0.2.2',
  localPort: 80,
  tls: null,
  trusted: true,
  forwardedLines: null,
};

const SMALL: HeadLimits = { maxHeadBytes: 16_384, maxLineBytes: 8_192, maxFields: 100 };

/** A service without time limits that does nothing by itself. */
export function serviceThat(dispatch: Http1Service['dispatch'], more: Partial<Http1Service> = {}): Http1Service {
  return {
    entryPoint: 'web',
    limits: SMALL,
    lifetime: { maxRequests: 0, maxAgeMs: 0 },
    timeouts: { headerMs: 0, bodyIdleMs: 0, keepAliveMs: 0 },
    sanitizePath: false,
    underscoreHeaders: 'keep',
    refusedEncodings: [],
    draining: false,
    finished: () => undefined,
    refused: () => undefined,
    dispatch,
    ...more,
  };
}

/** Feeds a byte stream in the given pieces; every complete request is answered 200. */
export function runCodec(pieces: readonly Buffer[], limits: HeadLimits = SMALL): CodecRun {
  const socket = new FakeSocket();
  const seen: SeenRequest[] = [];
  const service = serviceThat((exchange) => collect(exchange, seen), { limits });
  new ServerConnection(socket as unknown as Socket, PEER, service, () => {});
  for (const piece of pieces) if (!socket.destroyed) socket.emit('data', piece);
  while (pipelining.nextTurn());
  turn.end();
  const statuses = [...socket.output.matchAll(/HTTP\/1\.1 (\d{3}) /g)].map((match) => match[1]!);
  return {
    seen,
    statuses,
    closed: socket.destroyed || socket.ended,
    output: socket.output.replace(/^Date: .*\r\n/gm, ''),
  };
}

function collect(exchange: Exchange, seen: SeenRequest[]): void {
  const body: Buffer[] = [];
  const finish = (): void => {
    const headers: string[] = [];
    exchange.headers.forEach((name, value) => {
      headers.push(`${name}: ${value}`);
    });
    seen.push({
      method: exchange.method,
      target: exchange.target,
      headers,
      body: Buffer.concat(body).toString('latin1'),
    });
    exchange.reply(200, new HeaderList('', []), '');
  };
  if (exchange.body === 'none') {
    finish();
    return;
  }
  exchange.client.readBody({
    data: (chunk) => {
      body.push(Buffer.from(chunk));
      return true;
    },
    end: finish,
  });
}
