import { describe, expect, it } from 'vitest';
import { takeKept } from '../../../src/data/chunk-memory.ts';
import type { Exchange, RequestBodySink } from '../../../src/data/exchange.ts';
import { RequestBody } from '../../../src/data/http1/request-body.ts';

/** What a body needs of its request. */
function request(body: 'length' | 'chunked', length = 0): Exchange {
  return { body, length, requestBytes: 0 } as Exchange;
}

/** A reader that says no after `room` bytes, until it is given more. */
class Reader implements RequestBodySink {
  text = '';
  ended = 0;
  room: number;

  constructor(room = Number.POSITIVE_INFINITY) {
    this.room = room;
  }
  data(chunk: Buffer): boolean {
    this.text += chunk.toString('latin1');
    return this.text.length < this.room;
  }
  end(): void {
    this.ended++;
  }
}

const bytes = (text: string): Buffer => Buffer.from(text, 'latin1');

describe('a request body', () => {
  it('goes straight through to who reads it, and ends where its length says', () => {
    const exchange = request('length', 5);
    const body = new RequestBody(exchange);
    const reader = new Reader();
    body.readBy(reader);
    expect([body.complete, body.awaited, body.hungry]).toEqual([false, true, true]);
    expect(body.feed(bytes('abc'), 0)).toBe(3);
    expect(body.feed(bytes('xdeGET /'), 1)).toBe(3);
    expect([reader.text, reader.ended, body.complete, exchange.requestBytes]).toEqual(['abcde', 1, true, 5]);
    expect([body.awaited, body.hungry, body.blocked]).toEqual([false, false, false]);
  });

  it('waits until somebody reads it, and its memory is kept', () => {
    const body = new RequestBody(request('length', 4));
    takeKept();
    body.feed(bytes('ab'), 0);
    expect([takeKept(), body.blocked, body.awaited]).toEqual([true, true, false]);
    body.feed(bytes('cd'), 0);
    const reader = new Reader();
    body.readBy(reader);
    expect([reader.text, reader.ended]).toEqual(['abcd', 1]);
  });

  it('waits in few pieces, however small a client made them, and goes on without delay', () => {
    const count = 60_000;
    const body = new RequestBody(request('chunked'));
    for (let i = 0; i < count; i += 10_000) body.feed(bytes('1\r\na\r\n'.repeat(10_000)), 0);
    let pieces = 0;
    let length = 0;
    const since = performance.now();
    body.readBy({
      data(piece) {
        pieces++;
        length += piece.length;
        return true;
      },
      end: () => undefined,
    });
    expect(length).toBe(count);
    expect(pieces).toBeLessThan(20);
    // One by one they took seconds.
    expect(performance.now() - since).toBeLessThan(500);
  });

  it('its trailers modify no request and control no response (RFC 9110 section 6.5.1)', () => {
    const body = new RequestBody(request('chunked'));
    let names = '';
    body.readBy({
      data: () => true,
      end: (trailers) =>
        trailers?.forEach((name) => {
          names += name;
        }),
    });
    body.feed(bytes('0\r\nRange: bytes=0-\r\nIf-Match: a\r\nX-Sum: 1\r\nLocation: /\r\nmax-forwards: 0\r\n\r\n'), 0);
    expect(names).toBe('X-Sum');
  });

  it('what comes while some of it waits is behind it', () => {
    const body = new RequestBody(request('chunked'));
    const reader = new Reader(1);
    body.readBy(reader);
    let expected = '';
    for (let i = 0; i < 2_000; i++) {
      const text = String(i % 10).repeat(1 + (i % 3));
      body.feed(bytes(`${text.length}\r\n${text}\r\n`), 0);
      expected += text;
      if (i % 7 === 0) {
        reader.room = reader.text.length + 5;
        body.resume();
      }
    }
    reader.room = Number.POSITIVE_INFINITY;
    body.resume();
    body.feed(bytes('0\r\n\r\n'), 0);
    expect(reader.text).toBe(expected);
    expect(reader.ended).toBe(1);
  });

  it('stops at a reader that has had enough, and goes on where it was', () => {
    const body = new RequestBody(request('chunked'));
    const reader = new Reader(2);
    body.readBy(reader);
    body.feed(bytes('2\r\nab\r\n2\r\ncd\r\n'), 0);
    expect([reader.text, body.blocked, body.hungry]).toEqual(['ab', true, false]);
    reader.room = 100;
    body.resume();
    expect([reader.text, body.blocked, body.hungry, reader.ended]).toEqual(['abcd', false, true, 0]);
    expect(body.feed(bytes('0\r\n\r\n'), 0)).toBe(5);
    expect(reader.ended).toBe(1);
    body.resume();
    expect(reader.ended).toBe(1);
  });

  it('that is complete holds nobody up, though its reader has had enough', () => {
    const body = new RequestBody(request('length', 2));
    const reader = new Reader(1);
    body.readBy(reader);
    body.feed(bytes('ab'), 0);
    expect([body.complete, body.blocked, reader.ended]).toEqual([true, false, 1]);
  });

  it('says once that it is malformed, and takes no more', () => {
    const body = new RequestBody(request('chunked'));
    const reader = new Reader();
    body.readBy(reader);
    expect(body.feed(bytes('2\r\nab\r\nx'), 0)).toBe(-1);
    expect(body.problem).not.toBe('');
    expect(body.feed(bytes('2\r\ncd\r\n'), 0)).toBe(7);
    expect([reader.text, reader.ended, body.complete]).toEqual(['ab', 0, false]);
  });

  it('that nobody wants is counted and thrown away', () => {
    const body = new RequestBody(request('length', 10));
    body.feed(bytes('abc'), 0);
    expect(body.discard(7)).toBe(true);
    expect(body.awaited).toBe(true);
    body.feed(bytes('defg'), 0);
    expect([body.discarded, body.complete, body.blocked]).toEqual([4, false, false]);
    body.feed(bytes('hij'), 0);
    expect([body.discarded, body.complete]).toEqual([7, true]);
  });

  it('that nobody wants any more holds nobody up, though its reader had had enough', () => {
    const body = new RequestBody(request('length', 100));
    body.readBy(new Reader(1));
    body.feed(bytes('ab'), 0);
    expect(body.blocked).toBe(true);
    body.discard(1_000);
    body.feed(bytes('cd'), 0);
    expect([body.blocked, body.awaited, body.discarded]).toEqual([false, true, 2]);
  });

  it('that its reader gives up as it says no holds nobody up either', () => {
    const body = new RequestBody(request('length', 100));
    body.readBy({
      data: () => {
        body.discard(1_000);
        return false;
      },
      end: () => undefined,
    });
    body.feed(bytes('ab'), 0);
    expect([body.blocked, body.discarding]).toEqual([false, true]);
  });

  it('of which more is to come than is worth reading says so', () => {
    expect(new RequestBody(request('length', 10)).discard(9)).toBe(false);
    expect(new RequestBody(request('chunked')).discard(9)).toBe(true);
  });

  it('gives nothing to a reader that has left, also in the middle of a piece', () => {
    const exchange = request('chunked');
    const body = new RequestBody(exchange);
    let got = '';
    let ended = false;
    body.readBy({
      data: (chunk) => {
        got += chunk.toString('latin1');
        body.release();
        return true;
      },
      end: () => {
        ended = true;
      },
    });
    body.feed(bytes('1\r\na\r\n1\r\nb\r\n0\r\n\r\n'), 0);
    expect([got, ended, exchange.requestBytes]).toEqual(['a', false, 1]);
  });

  it('goes on at another reader that takes the place of the first', () => {
    const body = new RequestBody(request('length', 3));
    body.feed(bytes('a'), 0);
    const second = new Reader();
    const first = new Reader();
    first.data = (chunk) => {
      first.text += chunk.toString('latin1');
      body.readBy(second);
      return true;
    };
    body.readBy(first);
    body.feed(bytes('bc'), 0);
    expect([first.text, second.text, first.ended, second.ended]).toEqual(['a', 'bc', 0, 1]);
  });
});
