import { ChunkedDecoder } from '../../../src/data/http1/chunked.ts';
import { RESPONSE_LIMITS } from '../../../src/data/http1/limits.ts';
import { ResponseParser } from '../../../src/data/http1/response-head.ts';

/**
 * Where the final response to a GET ends, as the proxy's own parsers say: what stands behind it is thrown away, and is not to
 * be read by others either. The whole length where the end of the connection ends it, or where it cannot be read.
 */
export function responseEnd(bytes: Buffer): number {
  const parser = new ResponseParser();
  let from = 0;
  for (;;) {
    if (parser.parse(bytes, from, bytes.length, RESPONSE_LIMITS, 'GET') !== 'done') return bytes.length;
    const head = parser.head!;
    from = parser.end;
    if (head.status < 200) continue;
    switch (head.body) {
      case 'none':
        return from;
      case 'length':
        return Math.min(bytes.length, from + head.length);
      case 'chunked':
        return new ChunkedDecoder().feed(bytes, from, bytes.length, { onChunk: () => {} });
      case 'close':
        return bytes.length;
    }
  }
}
