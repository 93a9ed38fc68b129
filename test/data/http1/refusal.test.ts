import { describe, expect, it } from 'vitest';
import { runCodec } from './fake-socket.ts';

const LONG = 'a'.repeat(20_000);

describe('a refused request', () => {
  it.each([
    ['no Host', 'HEAD / HTTP/1.1\r\n\r\n', '400'],
    ['a bad field', 'HEAD / HTTP/1.1\r\nHost: a\r\nX : b\r\n\r\n', '400'],
    ['a bare LF', 'HEAD / HTTP/1.1\nHost: a\r\n\r\n', '400'],
    ['a bad encoding', 'HEAD /%zz HTTP/1.1\r\nHost: a\r\n\r\n', '400'],
    ['another version', 'HEAD / HTTP/3.0\r\nHost: a\r\n\r\n', '505'],
    ['an unknown coding', 'HEAD / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n', '501'],
    ['an expectation', 'HEAD / HTTP/1.1\r\nHost: a\r\nExpect: x\r\n\r\n', '417'],
    ['a target too long', `HEAD /${LONG} HTTP/1.1\r\nHost: a\r\n\r\n`, '414'],
    ['a field too long', `HEAD / HTTP/1.1\r\nHost: a\r\nX: ${LONG}\r\n\r\n`, '431'],
  ])('by HEAD is answered without a body (RFC 9110 section 9.3.2): %s', (_, text, status) => {
    const bytes = Buffer.from(text, 'latin1');
    const pieces = Array.from({ length: Math.ceil(bytes.length / 7) }, (_, i) => bytes.subarray(i * 7, i * 7 + 7));
    for (const way of [[bytes], pieces]) {
      const { statuses, output, closed } = runCodec(way);
      expect(statuses).toEqual([status]);
      expect(output).toMatch(/\r\nContent-Length: [1-9]\d*\r\n/);
      expect(output.endsWith('\r\n\r\n')).toBe(true);
      expect(closed).toBe(true);
    }
  });

  it('by another method has one', () => {
    for (const method of ['GET', 'HEADS', 'HEA', 'head']) {
      const { output } = runCodec([Buffer.from(`${method} / HTTP/1.1\r\n\r\n`)]);
      expect(output.endsWith('\r\n\r\n400 Bad Request\n')).toBe(true);
    }
  });

  it('says so behind a good HEAD as well', () => {
    const { output } = runCodec([Buffer.from('HEAD / HTTP/1.1\r\nHost: a\r\n\r\nGET / HTTP/1.1\r\n\r\n')]);
    expect(output.endsWith('\r\n\r\n400 Bad Request\n')).toBe(true);
  });
});
