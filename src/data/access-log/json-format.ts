import type { AccessLog } from '../../core/config/static.ts';
import type { Facts } from './facts.ts';
import { type FieldGroups, type FieldValue, fieldGroups, fieldMode } from './fields.ts';
import { headerFields } from './header-fields.ts';
import { secondOf } from './timestamps.ts';

/** A format of lines. */
export interface Format {
  /** Reads what may be gone when the line is made, since that is done later. */
  prepare?(facts: Facts): void;
  /** Makes one line, without its line feed; each UTF-16 unit is one byte. */
  line(facts: Facts): string;
}

/** Texts of routes and of hosts that are kept; when there are more, all are made anew. */
const MAX_KEPT = 1_024;
const MAX_KEPT_LENGTH = 256;

/** Traefik's JSON access log: one object a line, with fields of the message heads as `request_<Name>` and so on. */
export function jsonFormat(config: AccessLog): Format {
  const groups = fieldGroups(config);
  const mode = fieldMode(config);
  const text = (fields: FieldGroups[keyof FieldGroups]): Make => joined(fields, mode);
  const peer = flat(text(groups.peer));
  const route = keptByRoute(flat(text(groups.route)));
  const authority = keptByAuthority(flat(text(groups.authority)));
  const start = keptByTime(text(groups.start));
  const rest = text(groups.rest);
  const headers = headerFields(config);
  const line: Make = (facts) => {
    const { exchange } = facts;
    facts.peer.loggedFields ??= peer(facts);
    const made = secondOf(facts.endedAt).json + facts.peer.loggedFields + start(facts);
    if (exchange === null) return `${made}${rest(facts)}}`;
    const all = made + route(facts) + authority(facts) + rest(facts);
    return headers === null ? `${all}}` : `${all}${headers(exchange)}}`;
  };
  return {
    // A TLS connection that is closed by then cannot tell of itself.
    prepare(facts) {
      facts.peer.loggedFields ??= peer(facts);
    },
    line,
  };
}

type Make = (facts: Facts) => string;

/** `,"Name":value` of each field that is wanted. */
function joined(fields: Readonly<Record<string, FieldValue>>, mode: ReturnType<typeof fieldMode>): Make {
  const keys: string[] = [];
  const values: FieldValue[] = [];
  for (const [name, value] of Object.entries(fields)) {
    const wanted = mode(name);
    if (wanted === 'drop') continue;
    keys.push(`,"${name}":`);
    values.push(wanted === 'keep' ? value : (facts) => (value(facts) === '' ? '' : '"REDACTED"'));
  }
  return (facts) => {
    let text = '';
    for (let i = 0; i < values.length; i++) {
      const value = values[i]!(facts);
      if (value !== '') text += keys[i]! + value;
    }
    return text;
  };
}

/** Joined strings stay trees of their parts; one that goes into many lines is better copied once. */
function flat(make: Make): Make {
  return (facts) => Buffer.from(make(facts), 'latin1').toString('latin1');
}

function keptByRoute(make: Make): Make {
  interface Kept {
    readonly service: string;
    readonly url: string;
    readonly text: string;
  }
  const kept = new Map<string, Kept>();
  return (facts) => {
    const { routerName, serviceName, upstreamUrl } = facts.exchange!;
    const found = kept.get(routerName);
    if (found !== undefined && found.service === serviceName && found.url === upstreamUrl) return found.text;
    const text = make(facts);
    if (kept.size >= MAX_KEPT) kept.clear();
    kept.set(routerName, { service: serviceName, url: upstreamUrl, text });
    return text;
  };
}

function keptByAuthority(make: Make): Make {
  const kept = new Map<string, string>();
  let last = '';
  let textOfLast: string | undefined;
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

function keptByTime(make: Make): Make {
  let at = -1;
  let text = '';
  return (facts) => {
    if (facts.startedAt !== at) {
      at = facts.startedAt;
      text = make(facts);
    }
    return text;
  };
}
