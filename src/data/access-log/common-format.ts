import type { AccessLog } from '../../core/config/static.ts';
import { escapeText } from './escape.ts';
import type { Facts } from './facts.ts';
import { clientHost, fieldMode, headerMode, withoutUserInfo } from './fields.ts';
import type { Format } from './json-format.ts';
import { requestPath } from './request-path.ts';
import { secondOf } from './timestamps.ts';

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
  const status = given('DownstreamStatus', (facts) => String(facts.status));
  const size = given('DownstreamContentSize', ({ exchange }) => String(exchange?.responseBytes ?? 0));
  const referer = givenHeader('referer');
  const agent = givenHeader('user-agent');
  const timed = mode('Duration') === 'keep';
  const count = given('RequestCount', (facts) => String(facts.count));
  const router = given('RouterName', ({ exchange }) => exchange?.routerName ?? '');
  const server = given('ServiceURL', ({ exchange }) => withoutUserInfo(exchange?.upstreamUrl) ?? '');

  const make: Make = (facts) => {
    const head = `${word(client(facts))} - ${word(user(facts))} [${date(facts) || '-'}]`;
    const request = `"${inner(method(facts))} ${inner(target(facts))} ${inner(protocol(facts))}"`;
    const line = `${head} ${request} ${status(facts) || '-'} ${size(facts) || '-'} ${text(referer(facts))} ${text(agent(facts))}`;
    if (!extended) return line;
    const ms = timed ? Math.trunc(facts.duration) : 0;
    return `${line} ${count(facts) || '-'} ${text(router(facts))} ${text(server(facts))} ${ms}ms`;
  };
  return { line: make };
}

type Make = (facts: Facts) => string;

/** Outside quotes a space would begin the next field. */
function word(value: string): string {
  return value === '' ? '-' : escapeText(value).replaceAll(' ', '\\u0020');
}

function inner(value: string): string {
  return value === '' ? '-' : escapeText(value);
}

function text(value: string): string {
  return value === '' ? '"-"' : `"${escapeText(value)}"`;
}
