import { isIPv6 } from 'node:net';
import type { ErrorCode } from '../../core/errors.ts';
import { HeaderList } from '../headers/header-list.ts';
import { latin1 } from '../latin1.ts';
import { CR, HEX, HOST_LITERAL, HOST_NAME, LF, SP, TARGET, TOKEN } from './chars.ts';
import { FieldParser, type ParseState, type Refusal, transferCoding } from './fields.ts';
import { type HeadLimits, MAX_METHOD_BYTES } from './limits.ts';

/** How the body of a message is delimited. */
export type BodyKind = 'none' | 'length' | 'chunked';

/** A request head that can be read in one way only. */
export interface RequestHead {
  readonly method: string;
  /** Origin form (`/path?query`), or `*` for OPTIONS. */
  readonly target: string;
  readonly minor: 0 | 1;
  readonly headers: HeaderList;
  /** The Host field as received, or the authority of an absolute-form target; empty for HTTP/1.0 without one. */
  readonly authority: string;
  readonly body: BodyKind;
  /** Bytes, where `body` is `length`. */
  readonly length: number;
  /** The target was `https://…`: it must not be answered where anybody may listen (RFC 9110 §7.4). */
  readonly isForTls: boolean;
  readonly hasConnection: boolean;
  readonly hasUpgrade: boolean;
  readonly hasExpect: boolean;
}

/** The common methods as constants: one comparison of bytes instead of a new string. */
const COMMON_METHODS: readonly { readonly text: string; readonly bytes: Uint8Array }[] = [
  'GET',
  'POST',
  'HEAD',
  'PUT',
].map((text) => ({ text, bytes: Buffer.from(`${text} `, 'latin1') }));

const VERSION = Buffer.from('HTTP/1.', 'latin1');

/**
 * Strict parser of request heads (RFC 9112 §2-3, §5-6). One instance serves a whole process: it is synchronous and keeps
 * nothing between calls but its result.
 */
export class RequestParser {
  head: RequestHead | null = null;
  /** Where the head ended. */
  end = 0;
  refusal: Refusal | null = null;
  /** Whether the method, as far as it was read, is HEAD: a refusal must have no body. */
  isHead = false;
  readonly #fields = new FieldParser();

  /** Parses the head that starts at `from`. `incomplete` says nothing about what is there so far. */
  parse(buf: Buffer, from: number, to: number, limits: HeadLimits): ParseState {
    this.refusal = null;
    this.head = null;
    this.isHead = false;
    let pos = from;
    // RFC 9112 §2.2: an empty line before the request line is ignored; one, not any number.
    if (buf[pos] === CR) {
      if (pos + 1 >= to) return 'incomplete';
      if (buf[pos + 1] !== LF) return this.fail('CLIENT_BAD_REQUEST', 'a bare CR before the request line');
      pos += 2;
    }
    const lineStart = pos;
    const methodStart = pos;
    while (pos < to && TOKEN[buf[pos]!] === 1) pos++;
    if (pos - methodStart > MAX_METHOD_BYTES) {
      return this.fail('CLIENT_BAD_REQUEST', `the method is longer than ${MAX_METHOD_BYTES} bytes`);
    }
    if (pos >= to) return 'incomplete';
    const methodEnd = pos;
    if (buf[pos] !== SP || pos === methodStart)
      return this.fail('CLIENT_BAD_REQUEST', 'the request line has no method');
    this.isHead = pos - methodStart === 4 && isHead(buf, methodStart);
    const targetStart = ++pos;
    while (pos < to && TARGET[buf[pos]!] === 1) pos++;
    if (pos - lineStart > limits.maxLineBytes) {
      return this.fail('CLIENT_URI_TOO_LONG', `the request line is longer than ${limits.maxLineBytes} bytes`);
    }
    if (pos >= to) return 'incomplete';
    const targetEnd = pos;
    if (buf[pos] !== SP || targetEnd === targetStart) {
      return this.fail('CLIENT_BAD_REQUEST', targetProblem(buf[pos]!));
    }
    pos++;
    // "HTTP/1.x" CRLF
    const versionStart = pos;
    if (to - pos < 10) {
      // Only a line that ended can be judged: what is there so far may become any version.
      for (let i = pos; i < to; i++) if (buf[i] === LF) return this.#version(buf, versionStart, to);
      return 'incomplete';
    }
    for (let i = 0; i < 7; i++) {
      if (buf[pos + i] !== VERSION[i]) return this.#version(buf, versionStart, to);
    }
    const minor = buf[pos + 7]! - 0x30;
    if ((minor !== 0 && minor !== 1) || buf[pos + 8] !== CR || buf[pos + 9] !== LF) {
      return this.#version(buf, versionStart, to);
    }
    pos += 10;

    const fields = this.#fields;
    const spans: number[] = [];
    const state = fields.parse(buf, pos, to, from, spans, limits.maxFields);
    if (state === 'incomplete') return state;
    if (state === 'failed') {
      this.refusal = fields.refusal;
      return state;
    }
    this.end = fields.end;
    if (fields.end - from > limits.maxHeadBytes) {
      return this.fail('CLIENT_HEADERS_TOO_LARGE', `the head is longer than ${limits.maxHeadBytes} bytes`);
    }
    const source = latin1(buf, from, fields.end);
    return this.#finish(
      buf,
      source,
      spans,
      methodOf(buf, methodStart, source.substring(methodStart - from, methodEnd - from)),
      source.substring(targetStart - from, targetEnd - from),
      minor,
      from,
    );
  }

  #finish(
    buf: Buffer,
    source: string,
    spans: number[],
    method: string,
    received: string,
    minor: 0 | 1,
    from: number,
  ): ParseState {
    const f = this.#fields.framing;
    if (method === 'CONNECT') return this.fail('CLIENT_METHOD_REFUSED', 'CONNECT is not served');

    // Host: exactly one, and readable (RFC 9112 §3.2).
    if (f.hostCount > 1) return this.fail('CLIENT_BAD_REQUEST', 'several Host headers');
    if (f.hostCount === 0 && minor === 1) return this.fail('CLIENT_BAD_REQUEST', 'no Host header');
    if (f.hostCount === 1 && !isAuthority(buf, f.hostStart, f.hostEnd)) {
      return this.fail('CLIENT_BAD_REQUEST', 'the Host header is not a host');
    }
    let authority = f.hostCount === 0 ? '' : source.substring(f.hostStart - from, f.hostEnd - from);

    let target = received;
    let isForTls = false;
    if (target.charCodeAt(0) !== 0x2f) {
      if (target === '*') {
        if (method !== 'OPTIONS') return this.fail('CLIENT_BAD_REQUEST', 'the target * is for OPTIONS alone');
      } else {
        const absolute = splitAbsolute(target, method);
        if (absolute === null) return this.fail('CLIENT_BAD_REQUEST', 'the request target does not start with /');
        // Two parsers could route this by different hosts.
        if (authority !== '' && !isSameAuthority(absolute, authority)) {
          return this.fail('CLIENT_BAD_REQUEST', 'the request target and the Host header disagree');
        }
        authority = absolute.authority;
        target = absolute.path;
        isForTls = absolute.port === ':443';
      }
    }

    let body: BodyKind = 'none';
    if (f.codingCount > 0) {
      if (f.lengthCount > 0) {
        return this.fail('CLIENT_AMBIGUOUS_LENGTH', 'both Content-Length and Transfer-Encoding');
      }
      if (minor === 0) return this.fail('CLIENT_AMBIGUOUS_LENGTH', 'Transfer-Encoding in an HTTP/1.0 request');
      if (f.codingCount > 1) return this.fail('CLIENT_AMBIGUOUS_LENGTH', 'several Transfer-Encoding headers');
      switch (transferCoding(source.substring(f.codingStart - from, f.codingEnd - from))) {
        case 'bad':
          return this.fail('CLIENT_AMBIGUOUS_LENGTH', 'chunked is not the last transfer coding');
        case 'unknown':
          return this.fail('CLIENT_UNKNOWN_CODING', 'a transfer coding other than chunked');
      }
      body = 'chunked';
    } else if (f.lengthCount > 0) {
      if (f.lengthCount > 1) return this.fail('CLIENT_AMBIGUOUS_LENGTH', 'several Content-Length headers');
      if (f.length < 0) return this.fail('CLIENT_AMBIGUOUS_LENGTH', 'the Content-Length is not a number');
      if (f.length > 0) body = 'length';
    }
    if (body !== 'none' && method === 'TRACE') return this.fail('CLIENT_BAD_REQUEST', 'TRACE with a body');

    this.head = {
      method,
      target,
      minor,
      headers: new HeaderList(source, spans),
      authority,
      body,
      length: body === 'length' ? f.length : 0,
      isForTls,
      hasConnection: f.connectionCount > 0,
      hasUpgrade: f.upgradeCount > 0,
      hasExpect: f.expectCount > 0,
    };
    return 'done';
  }

  #version(buf: Buffer, start: number, to: number): ParseState {
    let end = start;
    while (end < to && end - start < 16 && buf[end] !== CR && buf[end] !== LF) end++;
    const text = latin1(buf, start, end);
    const whole = buf[end] === CR && buf[end + 1] === LF;
    if (whole && /^HTTP\/[0-9]\.[0-9]$/.test(text) && !/^HTTP\/1\.[01]$/.test(text)) {
      return this.fail('CLIENT_VERSION', `the version ${text} is not served`);
    }
    return this.fail('CLIENT_BAD_REQUEST', 'the request line does not end with HTTP/1.1 or HTTP/1.0');
  }

  /** Sets {@link refusal}. */
  fail(code: ErrorCode, detail: string): 'failed' {
    this.refusal = { code, detail };
    return 'failed';
  }
}

function isHead(buf: Buffer, at: number): boolean {
  return buf[at] === 0x48 && buf[at + 1] === 0x45 && buf[at + 2] === 0x41 && buf[at + 3] === 0x44;
}

function methodOf(buf: Buffer, start: number, text: string): string {
  for (const candidate of COMMON_METHODS) {
    const bytes = candidate.bytes;
    let i = 0;
    while (i < bytes.length && buf[start + i] === bytes[i]) i++;
    if (i === bytes.length) return candidate.text;
  }
  return text;
}

function targetProblem(byte: number): string {
  if (byte === CR || byte === LF) return 'the request line has no version (HTTP/0.9 is not served)';
  if (byte === 0x23) return 'the request target has a fragment';
  if (byte === SP) return 'the request line has an empty target';
  return 'an invalid character in the request target';
}

/** `host[:port]` (RFC 9110 §7.2), without userinfo, path or list. */
function isAuthority(buf: Buffer, start: number, end: number): boolean {
  if (start >= end) return false;
  let pos = start;
  if (buf[pos] === 0x5b) {
    pos++;
    const inside = pos;
    while (pos < end && HOST_LITERAL[buf[pos]!] === 1) pos++;
    if (pos >= end || buf[pos] !== 0x5d || !isIPv6(latin1(buf, inside, pos))) return false;
    pos++;
  } else {
    for (; pos < end && HOST_NAME[buf[pos]!] === 1; pos++) {
      if (buf[pos] === 0x25 && !(pos + 2 < end && HEX[buf[pos + 1]!] !== 255 && HEX[buf[pos + 2]!] !== 255))
        return false;
    }
    if (pos === start) return false;
  }
  if (pos === end) return true;
  if (buf[pos] !== 0x3a) return false;
  pos++;
  if (end - pos > 5) return false;
  let port = 0;
  for (; pos < end; pos++) {
    const digit = buf[pos]! - 0x30;
    if (digit < 0 || digit > 9) return false;
    port = port * 10 + digit;
  }
  return port <= 65_535;
}

/** RFC 9110 §4.2.3: case does not count, nor whether the scheme's own port is written out. */
function isSameAuthority({ authority, port }: Absolute, other: string): boolean {
  return withoutPort(authority, port) === withoutPort(other, port);
}

function withoutPort(authority: string, port: string): string {
  const lower = authority.toLowerCase();
  if (lower.endsWith(port)) return lower.slice(0, -port.length);
  return lower.endsWith(':') ? lower.slice(0, -1) : lower;
}

interface Absolute {
  readonly authority: string;
  readonly path: string;
  /** The port that its scheme has unless another is written, with its colon. */
  readonly port: ':80' | ':443';
}

/** RFC 9112 §3.2.2. `null`: not an absolute http(s) URI with a plain authority. */
function splitAbsolute(target: string, method: string): Absolute | null {
  const scheme = /^https?:\/\//i.exec(target);
  if (scheme === null) return null;
  let end = scheme[0].length;
  while (end < target.length && target[end] !== '/' && target[end] !== '?') end++;
  const authority = target.substring(scheme[0].length, end);
  const bytes = Buffer.from(authority, 'latin1');
  if (!isAuthority(bytes, 0, bytes.length)) return null;
  const rest = target.substring(end);
  const port = scheme[0].length === 8 ? ':443' : ':80';
  // RFC 9112 §3.2.4: OPTIONS for the server as a whole, in the form a proxy gets it.
  if (rest === '' && method === 'OPTIONS') return { authority, path: '*', port };
  return { authority, path: rest.charCodeAt(0) === 0x2f ? rest : `/${rest}`, port };
}
