import type { AccessLog } from '../../core/config/static.ts';
import type { Facts } from './facts.ts';
import { type FieldGroups, type FieldValue, fieldGroups, fieldMode } from './fields.ts';
import { headerFields } from './header-fields.ts';
import { secondOf } from './timestamps.ts';

/** Makes one line, without its line feed; each UTF-16 unit is one byte. */
export type Format = (facts: Facts) => string;

/** Texts of routes and of hosts that are kept; when there are more, all are made anew. */
const MAX_KEPT = 1_024;
const MAX_KEPT_LENGTH = 256;

/** Traefik's JSON access log: one object a line, with fields of the message heads as `request_<Name>` and so on. */
export function jsonFormat(config: AccessLog): Format {
  const groups = fieldGroups(config);
  const mode = fieldMode(config);
  const text = (fields: FieldGroups[keyof FieldGroups]): Format => joined(fields, mode);
  const peer = text(groups.peer);
  const route = keptByRoute(text(groups.route));
  const authority = keptByAuthority(text(groups.authority));
  const start = keptByTime(text(groups.start));
  const rest = text(groups.rest);
  const headers = headerFields(config);
  return (facts) => {
    const { exchange } = facts;
    facts.peer.loggedFields ??= peer(facts);
    let line = `{${facts.peer.loggedFields}${start(facts)}${rest(facts)}`;
    if (exchange !== null) line += route(facts) + authority(facts);
    const { local, zone } = secondOf(facts.endedAt);
    line += `"level":"info","msg":"","time":"${local}${zone}"`;
    if (headers !== null && exchange !== null) line += headers(exchange);
    return `${line}}`;
  };
}

/** `"Name":value,` of each field that is wanted. */
function joined(fields: Readonly<Record<string, FieldValue>>, mode: ReturnType<typeof fieldMode>): Format {
  const keys: string[] = [];
  const values: FieldValue[] = [];
  for (const [name, value] of Object.entries(fields)) {
    const wanted = mode(name);
    if (wanted === 'drop') continue;
    keys.push(`"${name}":`);
    values.push(wanted === 'keep' ? value : (facts) => (value(facts) === '' ? '' : '"REDACTED"'));
  }
  return (facts) => {
    let text = '';
    for (let i = 0; i < values.length; i++) {
      const value = values[i]!(facts);
      if (value !== '') text += `${keys[i]}${value},`;
    }
    return text;
  };
}

function keptByRoute(make: Format): Format {
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

function keptByAuthority(make: Format): Format {
  const kept = new Map<string, string>();
  return (facts) => {
    const { authority } = facts.exchange!;
    const found = kept.get(authority);
    if (found !== undefined) return found;
    const text = make(facts);
    if (authority.length > MAX_KEPT_LENGTH) return text;
    // Clients make names up.
    if (kept.size >= MAX_KEPT) kept.clear();
    kept.set(authority, text);
    return text;
  };
}

function keptByTime(make: Format): Format {
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
