/**
 * Reads a ClientHello from the first bytes of a connection (RFC 8446 sections 4.1.2 and 5.1, RFC 6066 section 3, RFC 7301),
 * so that certificate and TLS options are chosen by name before OpenSSL sees a byte. What it lets through is parsed again
 * by OpenSSL; only the name and the protocols are taken from here.
 */

/** More than any client sends; post-quantum key shares and a ticket come to some 4 KiB. Raw bytes, record headers included. */
export const CLIENT_HELLO_MAX_BYTES = 32_768;

export type ClientHello =
  /** `need`: the least number of bytes, from the start, with which it is worth asking again. */
  | { readonly state: 'incomplete'; readonly need: number }
  /** The first bytes are no TLS record: plaintext, or something else altogether. */
  | { readonly state: 'not-tls' }
  | { readonly state: 'malformed'; readonly reason: string }
  | {
      readonly state: 'ok';
      /** Lower case, without a trailing dot; null where the client sent none. */
      readonly sni: string | null;
      /** As offered, in the client's order; latin1. */
      readonly alpn: readonly string[];
    };

const RECORD_HEADER = 5;
const HANDSHAKE_HEADER = 4;
const RECORD_HANDSHAKE = 22;
const MESSAGE_CLIENT_HELLO = 1;
/** RFC 8446 section 5.1: 2^14. */
const RECORD_MAX = 16_384;
const EXTENSION_SERVER_NAME = 0;
const EXTENSION_ALPN = 16;

const NO_PROTOCOLS: readonly string[] = Object.freeze([]);

/** Reads what is there so far. Never throws, never reads past the hello, keeps nothing. */
export function parseClientHello(buf: Buffer): ClientHello {
  const message = handshakeMessage(buf);
  if (!Buffer.isBuffer(message)) return message;
  try {
    return readHello(new Reader(message));
  } catch (error) {
    if (error instanceof Malformed) return { state: 'malformed', reason: error.message };
    throw error;
  }
}

/** The body of the ClientHello message, put together from as many records as it was cut into. */
function handshakeMessage(buf: Buffer): Buffer | ClientHello {
  if (buf.length > 0 && buf[0] !== RECORD_HANDSHAKE) return { state: 'not-tls' };
  if (buf.length > 1 && buf[1] !== 3) return { state: 'not-tls' };
  const pieces: Buffer[] = [];
  let have = 0;
  /** Length of the message with its header, once its header is there. */
  let total = -1;
  for (let at = 0; ; ) {
    if (at + RECORD_HEADER > buf.length) return incomplete(at + RECORD_HEADER);
    if (buf[at] !== RECORD_HANDSHAKE || buf[at + 1] !== 3) return malformed('another record cuts into the ClientHello');
    const length = buf.readUInt16BE(at + 3);
    if (length === 0 || length > RECORD_MAX) return malformed(`a record of ${length} bytes`);
    const start = at + RECORD_HEADER;
    const end = start + length;
    if (end > buf.length) return incomplete(end);
    pieces.push(buf.subarray(start, end));
    have += length;
    if (total === -1 && have >= HANDSHAKE_HEADER) {
      const head = pieces.length === 1 ? buf.subarray(start, end) : Buffer.concat(pieces);
      if (head[0] !== MESSAGE_CLIENT_HELLO)
        return malformed(`handshake message ${head[0]} where a ClientHello belongs`);
      total = HANDSHAKE_HEADER + head.readUIntBE(1, 3);
      if (total > CLIENT_HELLO_MAX_BYTES) return malformed(`a ClientHello of ${total} bytes is too large`);
    }
    if (total !== -1 && have >= total) {
      const whole = pieces.length === 1 ? buf.subarray(start, end) : Buffer.concat(pieces);
      return whole.subarray(HANDSHAKE_HEADER, total);
    }
    at = end;
  }
}

function incomplete(need: number): ClientHello {
  // Records may be cut as small as one byte, so that the limit is on what arrives, not on the message alone.
  return need > CLIENT_HELLO_MAX_BYTES ? malformed('the ClientHello is too large') : { state: 'incomplete', need };
}

function malformed(reason: string): ClientHello {
  return { state: 'malformed', reason };
}

function readHello(hello: Reader): ClientHello {
  hello.skip(2 + 32); // legacy_version, random
  hello.vector8(); // legacy_session_id
  hello.vector16(); // cipher_suites
  hello.vector8(); // legacy_compression_methods
  let sni: string | null = null;
  let alpn = NO_PROTOCOLS;
  // TLS 1.2 allows a hello without extensions (RFC 5246 section 7.4.1.2).
  if (hello.left === 0) return { state: 'ok', sni, alpn };
  const extensions = hello.vector16();
  if (hello.left !== 0) throw new Malformed('bytes after the extensions');
  let sawName = false;
  let sawAlpn = false;
  while (extensions.left > 0) {
    const type = extensions.uint16();
    const data = extensions.vector16();
    if (type === EXTENSION_SERVER_NAME) {
      if (sawName) throw new Malformed('two server_name extensions');
      sawName = true;
      sni = readServerName(data);
    } else if (type === EXTENSION_ALPN) {
      if (sawAlpn) throw new Malformed('two ALPN extensions');
      sawAlpn = true;
      alpn = readAlpn(data);
    }
  }
  return { state: 'ok', sni, alpn };
}

function readServerName(data: Reader): string {
  const names = data.vector16();
  if (data.left !== 0) throw new Malformed('bytes after the server name');
  const type = names.uint8();
  const name = names.vector16();
  // RFC 6066 allows one name of each type and defines one type; OpenSSL refuses anything else, too.
  if (type !== 0 || names.left !== 0) throw new Malformed('a server_name extension with other than one host name');
  return normalizeServerName(name.text());
}

/** Letters, digits, `-`, `_`, dots; colons too, as some clients put an IPv6 address where RFC 6066 wants none. */
const SERVER_NAME = /^[a-z0-9_](?:[a-z0-9_.:-]*[a-z0-9_:-])?$/;

function normalizeServerName(raw: string): string {
  const name = (raw.endsWith('.') ? raw.slice(0, -1) : raw).toLowerCase();
  if (name.length > 253 || name.includes('..') || !(SERVER_NAME.test(name) || name.startsWith('::'))) {
    throw new Malformed('the server name is no host name');
  }
  return name;
}

function readAlpn(data: Reader): readonly string[] {
  const list = data.vector16();
  if (data.left !== 0 || list.left === 0) throw new Malformed('the ALPN extension has a wrong length');
  const protocols: string[] = [];
  while (list.left > 0) {
    const name = list.vector8();
    if (name.left === 0) throw new Malformed('an empty ALPN protocol');
    protocols.push(name.text());
  }
  return protocols;
}

/** Thrown and caught in this file alone. */
class Malformed extends Error {}

/** A cursor over one length-delimited piece: whatever would pass its end is malformed. */
class Reader {
  readonly #buf: Buffer;
  #at = 0;

  constructor(buf: Buffer) {
    this.#buf = buf;
  }

  get left(): number {
    return this.#buf.length - this.#at;
  }

  skip(count: number): void {
    if (this.left < count) throw new Malformed('the ClientHello ends early');
    this.#at += count;
  }

  uint8(): number {
    this.skip(1);
    return this.#buf.readUInt8(this.#at - 1);
  }

  uint16(): number {
    this.skip(2);
    return this.#buf.readUInt16BE(this.#at - 2);
  }

  vector8(): Reader {
    return this.#take(this.uint8());
  }

  vector16(): Reader {
    return this.#take(this.uint16());
  }

  text(): string {
    return this.#buf.toString('latin1', this.#at);
  }

  #take(length: number): Reader {
    this.skip(length);
    return new Reader(this.#buf.subarray(this.#at - length, this.#at));
  }
}
