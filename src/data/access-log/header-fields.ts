import type { AccessLog } from '../../core/config/static.ts';
import type { Exchange } from '../exchange.ts';
import type { HeaderList } from '../headers/header-list.ts';
import { escapeText } from './escape.ts';
import { headerMode } from './fields.ts';
import type { FieldMode } from './request-path.ts';

/** Header fields of one message that a line shows at most. */
const MAX_HEADERS = 256;
/** Header names whose place in a line is kept. */
const MAX_KNOWN_HEADERS = 512;
const MAX_KNOWN_LENGTH = 64;

/** Calls back for each field of a message. */
type Visit = (visit: (name: string, value: string) => void) => void;
type Section = (fields: Visit) => string;

/**
 * The fields of the heads that the operator wants, each with a comma before it: `request_<Name>` as the request stands after
 * the middlewares, `origin_<Name>` as the upstream sent them, `downstream_<Name>` as the client got them. null where none
 * is wanted: then nobody looks at them.
 */
export function headerFields(config: AccessLog): ((exchange: Exchange) => string) | null {
  const { names, defaultMode } = config.fields.headers;
  if (defaultMode === 'drop' && Object.values(names).every((mode) => mode === 'drop')) return null;
  const mode = headerMode(config);
  const request = section('request_', mode);
  const origin = section('origin_', mode);
  const downstream = section('downstream_', mode);
  return ({ headers, upstreamHeaders, responseHeaders }) => {
    let text = request(all(headers));
    if (upstreamHeaders !== null) text += origin((visit) => upstreamHeaders.forEachReceived(visit));
    if (responseHeaders !== null) text += downstream(all(responseHeaders));
    return text;
  };
}

function all(headers: HeaderList): Visit {
  return (visit) => headers.forEach(visit);
}

function section(prefix: string, mode: (name: string) => FieldMode): Section {
  interface Shown {
    readonly canonical: string;
    readonly key: string;
    readonly mode: FieldMode;
  }
  const known = new Map<string, Shown>();
  const shown = (name: string): Shown => {
    let found = known.get(name);
    if (found !== undefined) return found;
    const canonical = canonicalName(name);
    found = { canonical, key: `,"${prefix}${escapeText(canonical)}":"`, mode: mode(canonical) };
    // Clients make names up; those that are really used come early.
    if (known.size < MAX_KNOWN_HEADERS && name.length <= MAX_KNOWN_LENGTH) known.set(name, found);
    return found;
  };
  return (fields) => {
    // The values of fields that come several times are joined: looked for where a name was seen before, which is rare.
    const names: string[] = [];
    const keys: string[] = [];
    const values: string[] = [];
    fields((name, value) => {
      const header = shown(name);
      if (header.mode === 'drop') return;
      const before = names.indexOf(header.canonical);
      if (before < 0) {
        if (names.length >= MAX_HEADERS) return;
        names.push(header.canonical);
        keys.push(header.key);
        values.push(header.mode === 'redact' ? 'REDACTED' : value);
      } else if (header.mode === 'keep') {
        values[before] += `,${value}`;
      }
    });
    let text = '';
    for (let i = 0; i < keys.length; i++) text += `${keys[i]}${escapeText(values[i]!)}"`;
    return text;
  };
}

/** `user-agent` → `User-Agent`, as Go writes header names. */
export function canonicalName(name: string): string {
  return name.toLowerCase().replace(/(?:^|-)[a-z]/g, (start) => start.toUpperCase());
}
