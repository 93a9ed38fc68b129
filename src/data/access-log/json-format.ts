import type { AccessLog } from '../../core/config/static.ts';
import type { HeaderList } from '../headers/header-list.ts';
import { escapeText } from './escape.ts';
import type { Facts } from './facts.ts';
import { fieldMode, fieldValues, headerMode } from './fields.ts';
import type { FieldMode } from './request-path.ts';
import { secondOf } from './timestamps.ts';

/** Makes one line, without its line feed. */
export type Format = (facts: Facts) => string;

/** Headers of one request that a line shows at most. */
const MAX_HEADERS = 256;
/** Header names whose place in a line is kept. */
const MAX_KNOWN_HEADERS = 512;
const MAX_KNOWN_LENGTH = 64;

/** Traefik's JSON access log: one object a line, request headers as `request_<Name>`. */
export function jsonFormat(config: AccessLog): Format {
  const mode = fieldMode(config);
  const keys: string[] = [];
  const values: ((facts: Facts) => string)[] = [];
  for (const [name, value] of Object.entries(fieldValues(config))) {
    const wanted = mode(name);
    if (wanted === 'drop') continue;
    keys.push(`"${name}":`);
    values.push(wanted === 'keep' ? value : (facts) => (value(facts) === '' ? '' : '"REDACTED"'));
  }
  const headers = requestHeaders(config);
  return (facts) => {
    let line = '{';
    for (let i = 0; i < values.length; i++) {
      const value = values[i]!(facts);
      if (value !== '') line += `${keys[i]}${value},`;
    }
    const { local, zone } = secondOf(facts.endedAt);
    line += `"level":"info","msg":"","time":"${local}${zone}"`;
    if (headers !== null && facts.exchange !== null) line += headers(facts.exchange.headers);
    return `${line}}`;
  };
}

/** null where no header is wanted: then nobody looks at them. */
function requestHeaders(config: AccessLog): ((headers: HeaderList) => string) | null {
  const { names, defaultMode } = config.fields.headers;
  const mode = headerMode(config);
  if (defaultMode === 'drop') {
    const wanted = Object.keys(names).filter((name) => mode(name) !== 'drop');
    if (wanted.length === 0) return null;
    const list = wanted.map((name) => ({
      lower: name.toLowerCase(),
      key: `,"request_${escapeText(canonicalName(name))}":"`,
      redact: mode(name) === 'redact',
    }));
    return (headers) => {
      let out = '';
      for (const { lower, key, redact } of list) {
        const values = headers.getAll(lower);
        if (values.length > 0) out += `${key}${redact ? 'REDACTED' : escapeText(values.join(','))}"`;
      }
      return out;
    };
  }
  const known = new Map<string, ShownHeader>();
  const shown = (name: string): ShownHeader => {
    let found = known.get(name);
    if (found !== undefined) return found;
    const canonical = canonicalName(name);
    found = { canonical, key: `,"request_${escapeText(canonical)}":"`, mode: mode(canonical) };
    // Clients make names up; those that are really used come early.
    if (known.size < MAX_KNOWN_HEADERS && name.length <= MAX_KNOWN_LENGTH) known.set(name, found);
    return found;
  };
  return (headers) => {
    const values = new Map<string, { readonly key: string; value: string }>();
    headers.forEach((name, value) => {
      const header = shown(name);
      if (header.mode === 'drop') return;
      const before = values.get(header.canonical);
      if (before === undefined) {
        if (values.size >= MAX_HEADERS) return;
        values.set(header.canonical, { key: header.key, value: header.mode === 'redact' ? 'REDACTED' : value });
      } else if (header.mode === 'keep') {
        before.value += `,${value}`;
      }
    });
    let out = '';
    for (const { key, value } of values.values()) out += `${key}${escapeText(value)}"`;
    return out;
  };
}

interface ShownHeader {
  readonly canonical: string;
  readonly key: string;
  readonly mode: FieldMode;
}

/** `user-agent` → `User-Agent`, as Go writes header names. */
export function canonicalName(name: string): string {
  return name.toLowerCase().replace(/(?:^|-)[a-z]/g, (start) => start.toUpperCase());
}
