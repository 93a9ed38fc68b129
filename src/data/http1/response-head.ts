import { HeaderList } from '../headers/header-list.ts';
import { latin1 } from '../latin1.ts';
import { CR, LF, SP, VALUE } from './chars.ts';
import { FieldParser, type ParseState, transferCoding } from './fields.ts';
import type { HeadLimits } from './limits.ts';

/** How the body of a response is delimited; `close`: by the end of the connection. */
export type ResponseBodyKind = 'none' | 'length' | 'chunked' | 'close';

export interface UpstreamHead {
  readonly status: number;
  readonly reason: string;
  readonly minor: 0 | 1;
  readonly headers: HeaderList;
  readonly body: ResponseBodyKind;
  /** Bytes, where `body` is `length`. For HEAD and 304 the Content-Length field is passed on as it is. */
  readonly length: number;
  readonly hasConnection: boolean;
}

/**
 * Strict parser of response heads (RFC 9112 §4, §6). A response that can be read two ways is refused: its bytes would
 * become somebody else's response.
 */
export class ResponseParser {
  head: UpstreamHead | null = null;
  end = 0;
  /** Why `parse` returned `failed`. */
  problem = '';
  readonly #fields = new FieldParser();

  /** @param method of the request, because HEAD has no body whatever the head says */
  parse(buf: Buffer, from: number, to: number, limits: HeadLimits, method: string): ParseState {
    this.head = null;
    // "HTTP/1.x SSS " reason CRLF
    const available = to - from;
    const prefix = 'HTTP/1.';
    for (let i = 0; i < 7 && i < available; i++) {
      if (buf[from + i] !== prefix.charCodeAt(i)) return this.#fail('the status line does not start with HTTP/1.');
    }
    if (available < 13) {
      for (let i = 7; i < available; i++) if (buf[from + i] === LF) return this.#fail('the status line ends too early');
      return 'incomplete';
    }
    const minor = buf[from + 7]! - 0x30;
    if (minor !== 0 && minor !== 1) return this.#fail('the version is not HTTP/1.0 or HTTP/1.1');
    if (buf[from + 8] !== SP) return this.#fail('no space behind the version');
    const d1 = buf[from + 9]! - 0x30;
    const d2 = buf[from + 10]! - 0x30;
    const d3 = buf[from + 11]! - 0x30;
    if (d1 < 1 || d1 > 5 || d2 < 0 || d2 > 9 || d3 < 0 || d3 > 9) return this.#fail('the status is not 100 to 599');
    const status = d1 * 100 + d2 * 10 + d3;
    let pos = from + 12;
    if (buf[pos] === SP) pos++;
    else if (buf[pos] !== CR) return this.#fail('no space behind the status');
    const reasonStart = pos;
    while (pos < to && VALUE[buf[pos]!] === 1) pos++;
    if (pos - from > limits.maxLineBytes) return this.#fail('the status line is too long');
    if (pos + 1 >= to) {
      if (pos < to && buf[pos] !== CR) return this.#fail('a control character in the status line');
      return 'incomplete';
    }
    if (buf[pos] !== CR || buf[pos + 1] !== LF) return this.#fail('a control character in the status line');
    const reasonEnd = pos;
    pos += 2;

    const fields = this.#fields;
    const spans: number[] = [];
    const state = fields.parse(buf, pos, to, from, spans, limits.maxFields);
    if (state === 'incomplete') return state;
    if (state === 'failed') return this.#fail(fields.refusal?.detail ?? 'unreadable fields');
    if (fields.end - from > limits.maxHeadBytes) return this.#fail('the head is too large');
    this.end = fields.end;
    const source = latin1(buf, from, fields.end);

    const f = fields.framing;
    let body: ResponseBodyKind = 'close';
    if (f.codingCount > 0) {
      if (f.lengthCount > 0) return this.#fail('both Content-Length and Transfer-Encoding');
      if (minor === 0) return this.#fail('Transfer-Encoding in an HTTP/1.0 response');
      if (f.codingCount > 1) return this.#fail('several Transfer-Encoding headers');
      if (transferCoding(source.substring(f.codingStart - from, f.codingEnd - from)) !== 'chunked') {
        return this.#fail('a transfer coding other than chunked');
      }
      body = 'chunked';
    } else if (f.lengthCount > 0) {
      if (f.lengthCount > 1) return this.#fail('several Content-Length headers');
      if (f.length < 0) return this.#fail('the Content-Length is not a number');
      body = f.length > 0 ? 'length' : 'none';
    }
    if (status < 200 || status === 204) {
      // RFC 9110 §8.6, RFC 9112 §6.1: neither field may be there; a body that another reader would see must not be.
      if (body === 'chunked' || body === 'length') return this.#fail(`a ${status} response with a body`);
      body = 'none';
    } else if (status === 304 || method === 'HEAD') {
      body = 'none';
    }
    this.head = {
      status,
      reason: source.substring(reasonStart - from, reasonEnd - from),
      minor,
      headers: new HeaderList(source, spans),
      body,
      length: body === 'length' ? f.length : 0,
      hasConnection: f.connectionCount > 0,
    };
    return 'done';
  }

  #fail(problem: string): 'failed' {
    this.problem = problem;
    return 'failed';
  }
}
