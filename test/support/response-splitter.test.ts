import { describe, expect, it } from 'vitest';
import { splitResponses } from './response-splitter.ts';

const split = (text: string, options = {}) => splitResponses(Buffer.from(text, 'latin1'), options);

describe('splitResponses', () => {
  it('splits responses delimited by length, by chunks and by nothing', () => {
    const { responses, rest } = split(
      'HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc' +
        'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2;x=y\r\nde\r\n1\r\nf\r\n0\r\nX-T: v\r\n\r\n' +
        'HTTP/1.1 304 Not Modified\r\nContent-Length: 99\r\n\r\n',
    );
    expect(responses.map((r) => [r.status, r.framing, r.body.toString(), r.complete])).toEqual([
      [200, 'length', 'abc', true],
      [200, 'chunked', 'def', true],
      [304, 'none', '', true],
    ]);
    expect(responses[1]?.trailers).toEqual([['X-T', 'v']]);
    expect(rest).toHaveLength(0);
  });

  it('says that a message cut short is incomplete', () => {
    expect(split('HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nabc').responses[0]?.complete).toBe(false);
    expect(split('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n').responses[0]?.complete).toBe(
      false,
    );
    expect(split('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n').responses[0]?.complete).toBe(
      false,
    );
  });

  it('takes a body without length as complete only when the connection was closed in order', () => {
    const text = 'HTTP/1.1 200 OK\r\n\r\nabc';
    expect(split(text).responses[0]?.complete).toBe(false);
    expect(split(text, { closed: true }).responses[0]?.complete).toBe(true);
  });

  it('keeps what nobody asked for as rest', () => {
    const text = 'HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\nHTTP/1.1 200 smuggled\r\n\r\n';
    expect(split(text, { methods: ['GET'] }).rest.toString()).toBe('HTTP/1.1 200 smuggled\r\n\r\n');
  });

  it('counts an interim response as no answer', () => {
    const text = 'HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n';
    expect(split(text, { methods: ['GET'] }).responses.map((r) => r.status)).toEqual([103, 200]);
  });

  it.each([
    'HTTP/1.1 200 OK\nContent-Length: 0\r\n\r\n',
    'HTTP/1.1 200 OK\r\nContent-Length : 0\r\n\r\n',
    'HTTP/1.1 200 OK\r\nContent-Length: 0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
    'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n',
    'HTTP/1.1 999 Odd\r\nContent-Length: 0\r\n\r\n',
  ])('refuses %j', (text) => {
    expect(() => split(text)).toThrow();
  });
});
