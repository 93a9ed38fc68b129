import type { AccessLog } from '../../core/config/static.ts';
import type { HeaderList } from '../headers/header-list.ts';
import { escapeText } from './escape.ts';
import type { Facts } from './facts.ts';
import { fieldMode, fieldValues, headerMode } from './fields.ts';
import { secondOf } from './timestamps.ts';

/** Makes one line, without its line feed. */
export type Format = (facts: Facts) => string;

/** Headers of one request that a line shows at most. */
const MAX_HEADERS = 256;

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
  return (headers) => {
    const values = new Map<string, string>();
    headers.forEach((name, value) => {
      const canonical = canonicalName(name);
      const wanted = mode(canonical);
      if (wanted === 'drop') return;
      const before = values.get(canonical);
      if (before === undefined && values.size >= MAX_HEADERS) return;
      values.set(canonical, wanted === 'redact' ? 'REDACTED' : before === undefined ? value : `${before},${value}`);
    });
    let out = '';
    for (const [name, value] of values) out += `,"request_${escapeText(name)}":"${escapeText(value)}"`;
    return out;
  };
}

/** `user-agent` → `User-Agent`, as Go writes header names. */
export function canonicalName(name: string): string {
  return name.toLowerCase().replace(/(?:^|-)[a-z]/g, (start) => start.toUpperCase());
}
