import type { AccessLog } from '../../core/config/static.ts';
import { escapeText } from './escape.ts';
import type { Facts } from './facts.ts';
import { clientHost, fieldMode, headerMode, withoutUserInfo } from './fields.ts';
import type { Format } from './json-format.ts';
import type { LineBuffer } from './line-buffer.ts';
import { requestPath } from './request-path.ts';
import { secondOf } from './timestamps.ts';

const SPACE = 0x20;
const QUOTE = 0x22;
const DASH = 0x2d;

/**
 * The Common Log Format with Referer and User-Agent; with `extended`, Traefik's four fields behind it: request count,
 * router, server URL, duration. A field or header that the operator drops stands as `-`: by default that is so for
 * Referer and User-Agent, as in Traefik.
 */
export function commonFormat(config: AccessLog, extended: boolean): Format {
  const mode = fieldMode(config);
  const header = headerMode(config);
  const path = requestPath(config.fields.queryParameters.defaultMode);
  /** Reads a field, or tells what stands for it. */
  const given = (name: string, read: Make): Make => {
    const wanted = mode(name);
    return wanted === 'keep' ? read : () => (wanted === 'drop' ? '' : 'REDACTED');
  };
  const givenNumber = (name: string, read: (facts: Facts) => number): Write => {
    const wanted = mode(name);
    if (wanted === 'keep') return (facts, out) => out.integer(read(facts));
    return (_, out) => out.text(wanted === 'drop' ? '-' : 'REDACTED');
  };
  const givenHeader = (name: string): Make => {
    const wanted = header(name);
    if (wanted === 'keep') return ({ exchange }) => exchange?.headers.get(name) ?? '';
    return ({ exchange }) => (wanted === 'redact' && exchange?.headers.has(name) ? 'REDACTED' : '');
  };
  const client = given('ClientHost', clientHost);
  const user = given('ClientUsername', ({ exchange }) => exchange?.user ?? '');
  // Of UTC, or where that alone is dropped, of here.
  const local = mode('StartUTC') === 'drop' && mode('StartLocal') === 'keep';
  const date = local
    ? (facts: Facts) => secondOf(facts.startedAt).commonLocal
    : given('StartUTC', ({ startedAt }) => secondOf(startedAt).common);
  const method = given('RequestMethod', ({ exchange }) => exchange?.method ?? '');
  const target = given('RequestPath', ({ exchange }) => (exchange === null ? '' : path(exchange)));
  const protocol = given('RequestProtocol', ({ exchange }) => exchange?.protocol ?? '');
  const status = givenNumber('DownstreamStatus', (facts) => facts.status);
  const size = givenNumber('DownstreamContentSize', ({ exchange }) => exchange?.responseBytes ?? 0);
  const referer = givenHeader('referer');
  const agent = givenHeader('user-agent');
  const timed = mode('Duration') === 'keep';
  const count = givenNumber('RequestCount', (facts) => facts.count);
  const router = given('RouterName', ({ exchange }) => exchange?.routerName ?? '');
  const server = given('ServiceURL', ({ exchange }) => withoutUserInfo(exchange?.upstreamUrl) ?? '');

  return {
    line(facts, out) {
      word(client(facts), out);
      out.text(' - ');
      word(user(facts), out);
      out.text(' [');
      out.text(date(facts) || '-');
      out.text('] "');
      inner(method(facts), out);
      out.byte(SPACE);
      inner(target(facts), out);
      out.byte(SPACE);
      inner(protocol(facts), out);
      out.text('" ');
      status(facts, out);
      out.byte(SPACE);
      size(facts, out);
      out.text(' "');
      inner(referer(facts), out);
      out.text('" "');
      inner(agent(facts), out);
      out.byte(QUOTE);
      if (!extended) return;
      out.byte(SPACE);
      count(facts, out);
      out.text(' "');
      inner(router(facts), out);
      out.text('" "');
      inner(server(facts), out);
      out.text('" ');
      out.integer(timed ? Math.trunc(facts.duration) : 0);
      out.text('ms');
    },
  };
}

type Make = (facts: Facts) => string;
type Write = (facts: Facts, out: LineBuffer) => void;

/** Outside quotes a space would begin the next field. */
function word(value: string, out: LineBuffer): void {
  if (value.includes(' ')) out.text(escapeText(value).replaceAll(' ', '\\u0020'));
  else inner(value, out);
}

function inner(value: string, out: LineBuffer): void {
  if (value === '') out.byte(DASH);
  else out.escaped(value);
}
