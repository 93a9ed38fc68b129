import { readRequestPath } from '../../core/request-path.ts';
import type { Exchange } from '../exchange.ts';
import { mark } from '../headers/header-list.ts';
import { FORWARDED, H } from '../headers/known.ts';
import type { Refusal } from './fields.ts';
import type { RequestHead } from './request-head.ts';

/** What an entry point wants of a request that can be read. */
export interface RequestRules {
  sanitizePath: boolean;
  underscoreHeaders: 'keep' | 'delete' | 'reject';
  /** Digits behind a percent sign that a path may not have. */
  refusedEncodings: readonly string[];
}

const FORWARDED_SERVER = mark(H.X_FORWARDED_SERVER);

const BAD_ENCODING: Refusal = {
  code: 'CLIENT_BAD_REQUEST',
  detail: 'the request target has an invalid encoding',
};
const REFUSED_ENCODING: Refusal = {
  code: 'CLIENT_BAD_REQUEST',
  detail: 'the path has an encoded character that is not allowed',
};
const NOT_SECURE: Refusal = {
  code: 'CLIENT_BAD_REQUEST',
  detail: 'the request target is https, and the connection is not',
};
const UNDERSCORE: Refusal = { code: 'CLIENT_BAD_REQUEST', detail: 'a header name with an underscore' };
const EXPECTATION: Refusal = { code: 'CLIENT_EXPECTATION', detail: 'an expectation other than 100-continue' };

/** Brings target and fields of a request into the form that routers and upstreams get. @returns why it is refused, or null */
export function applyRequestRules(rules: RequestRules, head: RequestHead, exchange: Exchange): Refusal | null {
  // A trusted peer may have ended the TLS of its client.
  if (head.isForTls && !exchange.secure && !exchange.peer.trusted) return NOT_SECURE;
  const path = readRequestPath(head.target, rules.sanitizePath);
  if (path === undefined) return BAD_ENCODING;
  if (rules.refusedEncodings.length > 0 && hasEncoding(path.path, rules.refusedEncodings)) return REFUSED_ENCODING;
  exchange.setRequestPath(path);
  const { headers } = head;
  if (rules.underscoreHeaders !== 'keep' && headers.deleteUnderscored() && rules.underscoreHeaders === 'reject') {
    return UNDERSCORE;
  }
  // What says who the client was is believed from trusted peers only; which server this is, from nobody.
  if (exchange.peer.trusted) {
    headers.deleteMarked(FORWARDED_SERVER);
    headers.deleteMarkedIf(FORWARDED, saysNothing);
  } else {
    headers.deleteMarked(FORWARDED);
  }
  return null;
}

/** Reads the Expect field (RFC 9110 §10.1.1). @returns why the request is refused, or null */
export function readExpectation(head: RequestHead, exchange: Exchange): Refusal | null {
  // An HTTP/1.0 client cannot mean it.
  if (head.minor === 1) {
    const value = head.headers.joinKnown(H.EXPECT);
    if (value?.toLowerCase() !== '100-continue') return EXPECTATION;
    exchange.expectsContinue = head.body !== 'none';
  }
  if (!exchange.expectsContinue) head.headers.delete('expect');
  return null;
}

/** @param path in normal form: its encodings are in upper case */
function hasEncoding(path: string, digits: readonly string[]): boolean {
  for (let at = path.indexOf('%'); at >= 0; at = path.indexOf('%', at + 3)) {
    if (digits.includes(path.substring(at + 1, at + 3))) return true;
  }
  return false;
}

/** A forwarded header without a value, or spelled with `_`, would keep the proxy from saying what a backend looks for. */
function saysNothing(name: string, value: string): boolean {
  return value === '' || name.includes('_');
}
