import type { AccessLog } from '../../core/config/static.ts';
import type { Facts } from './facts.ts';
import { type FieldValue, fieldGroups, fieldMode } from './fields.ts';
import { headerFields } from './header-fields.ts';
import type { LineBuffer } from './line-buffer.ts';
import { secondOf } from './timestamps.ts';

/** A format of lines. */
export interface Format {
  /** Reads what may be gone when the line is made, since that is done later. */
  prepare?(facts: Facts): void;
  /** Makes one line, without its line feed. */
  line(facts: Facts, out: LineBuffer): void;
}

/** Texts of routes and of hosts that are kept; when there are more, all are made anew. */
const MAX_KEPT = 1_024;
const MAX_KEPT_LENGTH = 256;
const CLOSING_BRACE = 0x7d;

/** Traefik's JSON access log: one object a line, with fields of the message heads as `request_<Name>` and so on. */
export function jsonFormat(config: AccessLog): Format {
  const groups = fieldGroups(config);
  const mode = fieldMode(config);
  const peer = joined(groups.peer, mode);
  const route = keptByRoute(bytesOf(joined(groups.route, mode)));
  const authority = keptByAuthority(bytesOf(joined(groups.authority, mode)));
  const start = keptByTime(bytesOf(joined(groups.start, mode)));
  const outcomeAnew = bytesOf(joined(groups.outcome, mode));
  const outcome = keptByOutcome(outcomeAnew);
  const error = joined(groups.error, mode);
  const numbers = wanted(groups.numbers, mode);
  const texts = wanted(groups.texts, mode);
  const headers = headerFields(config);
  return {
    // A TLS connection that is closed by then cannot tell of itself.
    prepare(facts) {
      facts.peer.loggedFields ??= peer(facts);
    },
    line(facts, out) {
      const { exchange } = facts;
      out.copy(secondOf(facts.endedAt).json);
      out.text(facts.peer.loggedFields ?? peer(facts));
      out.copy(start(facts));
      if (exchange === null) {
        out.copy(outcomeAnew(facts));
      } else {
        out.copy(route(facts));
        out.copy(authority(facts));
        out.copy(outcome(facts));
      }
      for (let i = 0; i < numbers.length; i++) {
        const { key, value, kept } = numbers[i]!;
        out.copy(key);
        if (kept) out.integer(value(facts));
        else out.text(REDACTED);
      }
      for (let i = 0; i < texts.length; i++) {
        const { key, value, kept } = texts[i]!;
        const text = value(facts);
        if (text === '') continue;
        out.copy(key);
        if (kept) out.quoted(text);
        else out.text(REDACTED);
      }
      if (facts.error !== null) out.text(error(facts));
      if (headers !== null && exchange !== null) out.text(headers(exchange));
      out.byte(CLOSING_BRACE);
    },
  };
}

const REDACTED = '"REDACTED"';

type Make<T = string> = (facts: Facts) => T;
type Mode = ReturnType<typeof fieldMode>;

/** `,"Name":value` of each field that is wanted. */
function joined(fields: Readonly<Record<string, FieldValue>>, mode: Mode): Make {
  const all = wanted(fields, mode);
  return (facts) => {
    let text = '';
    for (const { name, value, kept } of all) {
      const found = value(facts);
      if (found !== '') text += `,"${name}":${kept ? found : REDACTED}`;
    }
    return text;
  };
}

interface Wanted<T> {
  readonly name: string;
  /** `,"Name":` */
  readonly key: Uint8Array;
  readonly value: Make<T>;
  /** Or else redacted. */
  readonly kept: boolean;
}

function wanted<T>(fields: Readonly<Record<string, Make<T>>>, mode: Mode): readonly Wanted<T>[] {
  return Object.entries(fields)
    .filter(([name]) => mode(name) !== 'drop')
    .map(([name, value]) => ({ name, key: Buffer.from(`,"${name}":`), value, kept: mode(name) === 'keep' }));
}

function bytesOf(make: Make): Make<Uint8Array> {
  return (facts) => Buffer.from(make(facts), 'latin1');
}

function keptByRoute(make: Make<Uint8Array>): Make<Uint8Array> {
  interface Kept {
    readonly service: string;
    readonly text: Uint8Array;
  }
  const kept = new Map<string, Map<string, Kept>>();
  let size = 0;
  return (facts) => {
    const { routerName, serviceName, upstreamUrl } = facts.exchange!;
    let byUrl = kept.get(routerName);
    const found = byUrl?.get(upstreamUrl);
    if (found !== undefined && found.service === serviceName) return found.text;
    const text = make(facts);
    if (size >= MAX_KEPT) {
      kept.clear();
      size = 0;
      byUrl = undefined;
    }
    if (byUrl === undefined) {
      byUrl = new Map();
      kept.set(routerName, byUrl);
    }
    if (found === undefined) size++;
    byUrl.set(upstreamUrl, { service: serviceName, text });
    return text;
  };
}

function keptByAuthority(make: Make<Uint8Array>): Make<Uint8Array> {
  const kept = new Map<string, Uint8Array>();
  let last = '';
  let textOfLast: Uint8Array | undefined;
  return (facts) => {
    const { authority } = facts.exchange!;
    if (authority === last && textOfLast !== undefined) return textOfLast;
    const text = kept.get(authority) ?? make(facts);
    if (authority.length > MAX_KEPT_LENGTH) return text;
    last = authority;
    textOfLast = text;
    // Clients make names up.
    if (kept.size >= MAX_KEPT) kept.clear();
    kept.set(authority, text);
    return text;
  };
}

function keptByOutcome(make: Make<Uint8Array>): Make<Uint8Array> {
  interface Kept {
    readonly method: string;
    readonly protocol: string;
    readonly retries: number;
    readonly user: string;
    readonly text: Uint8Array;
  }
  const kept = new Map<number, Kept>();
  return (facts) => {
    const { status } = facts;
    const { method, protocol, retries, user, upstreamStatus } = facts.exchange!;
    // Most methods differ in their length.
    const key = (upstreamStatus * 1_000 + status) * 16 + (method.length & 15);
    const found = kept.get(key);
    if (
      found !== undefined &&
      found.method === method &&
      found.protocol === protocol &&
      found.retries === retries &&
      found.user === user
    ) {
      return found.text;
    }
    const text = make(facts);
    if (method.length + user.length > MAX_KEPT_LENGTH) return text;
    if (kept.size >= MAX_KEPT) kept.clear();
    kept.set(key, { method, protocol, retries, user, text });
    return text;
  };
}

function keptByTime(make: Make<Uint8Array>): Make<Uint8Array> {
  let at = -1;
  let text: Uint8Array = new Uint8Array();
  return (facts) => {
    if (facts.startedAt !== at) {
      at = facts.startedAt;
      text = make(facts);
    }
    return text;
  };
}
