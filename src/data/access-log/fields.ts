import type { AccessLog } from '../../core/config/static.ts';
import { H } from '../headers/known.ts';
import { escapeText } from './escape.ts';
import type { Facts } from './facts.ts';
import { type FieldMode, requestPath } from './request-path.ts';
import { fraction, secondOf } from './timestamps.ts';

/** A field's value as it stands in JSON, with its quotes; the empty string where this line has none. */
export type FieldValue = (facts: Facts) => string;

/** A number of each line. */
export type NumberField = (facts: Facts) => number;

/** A text of each line, without quotes and as it came; the empty string where this line has none. */
export type TextField = (facts: Facts) => string;

type Fields = Readonly<Record<string, FieldValue>>;

/**
 * Traefik's fields by name, and our own: `ErrorCode`, `ErrorSource` and `ErrorDetail` of a failed request. They are grouped
 * by what they depend on, since a group's text is made once for as long as that stays the same.
 */
export interface FieldGroups {
  /** The connection. */
  readonly peer: Fields;
  /** Router, service and server. */
  readonly route: Fields;
  /** What the request's Host says. */
  readonly authority: Fields;
  /** The time at which the request began. */
  readonly start: Fields;
  /** How it was asked and answered. */
  readonly outcome: Fields;
  /** What went wrong. */
  readonly error: Fields;
  /** Each line anew. */
  readonly numbers: Readonly<Record<string, NumberField>>;
  readonly texts: Readonly<Record<string, TextField>>;
}

const NONE = '';

export function fieldGroups(config: AccessLog): FieldGroups {
  const path = requestPath(config.fields.queryParameters.defaultMode);
  return {
    peer: {
      ClientAddr: ({ peer }) => `"${hostPort(peer.address, peer.port)}"`,
      ClientHost: ({ peer }) => (peer.trusted ? NONE : quoted(peer.address)),
      ClientPort: ({ peer }) => `"${peer.port}"`,
      RequestScheme: ({ peer }) => (peer.tls === null ? '"http"' : '"https"'),
      TLSCipher: ({ peer }) => optional(peer.tls?.cipher),
      TLSVersion: ({ peer }) => optional(peer.tls?.version.replace(/^TLSv/, '')),
      entryPointName: ({ entryPoint }) => quoted(entryPoint),
    },
    route: {
      RouterName: ({ exchange }) => optional(exchange?.routerName),
      ServiceAddr: ({ exchange }) => optional(exchange?.upstreamAddress),
      ServiceName: ({ exchange }) => optional(exchange?.serviceName),
      ServiceURL: ({ exchange }) => optional(withoutUserInfo(exchange?.upstreamUrl)),
    },
    authority: {
      RequestAddr: ({ exchange }) => optional(exchange?.authority),
      RequestHost: ({ exchange }) => optional(exchange === null ? '' : splitAuthority(exchange.authority)[0]),
      RequestPort: ({ exchange }) => (exchange?.authority ? quoted(splitAuthority(exchange.authority)[1]) : NONE),
    },
    start: {
      StartLocal: ({ startedAt }) => {
        const { local, zone } = secondOf(startedAt);
        return `"${local}${fraction(startedAt)}${zone}"`;
      },
      StartUTC: ({ startedAt }) => `"${secondOf(startedAt).utc}${fraction(startedAt)}Z"`,
    },
    outcome: {
      ClientUsername: ({ exchange }) => (exchange === null || exchange.user === '' ? '"-"' : quoted(exchange.user)),
      DownstreamStatus: ({ status }) => String(status),
      OriginStatus: ({ exchange }) => (exchange === null ? '0' : String(exchange.upstreamStatus)),
      RequestMethod: ({ exchange }) => (exchange === null ? NONE : quoted(exchange.method)),
      RequestProtocol: ({ exchange }) => (exchange === null ? NONE : `"${exchange.protocol}"`),
      RetryAttempts: ({ exchange }) => (exchange === null ? '0' : String(exchange.retries)),
    },
    error: {
      ErrorCode: ({ error }) => (error === null ? NONE : `"${error.code}"`),
      ErrorDetail: ({ error }) => (error === null ? NONE : quoted(error.message)),
      ErrorSource: ({ error }) => (error === null ? NONE : `"${error.source}"`),
    },
    numbers: {
      DownstreamContentSize: ({ exchange }) => (exchange === null ? 0 : exchange.responseBytes),
      Duration: ({ duration }) => nanoseconds(duration),
      OriginContentSize: ({ exchange }) => (exchange?.upstreamStatus ? exchange.responseBytes : 0),
      OriginDuration: ({ originDuration }) => (originDuration <= 0 ? 0 : nanoseconds(originDuration)),
      Overhead: ({ duration, originDuration }) => nanoseconds(Math.max(0, duration - Math.max(0, originDuration))),
      RequestContentSize: ({ exchange }) => (exchange === null ? 0 : exchange.requestBytes),
      RequestCount: ({ count }) => count,
    },
    texts: {
      // That of an untrusted peer is the same in each line of its connection.
      ClientHost: (facts) => (facts.peer.trusted ? clientHost(facts) : NONE),
      RequestPath: ({ exchange }) => (exchange === null ? NONE : path(exchange)),
    },
  };
}

/** What the operator wants of a field. Names are compared without case, as in Traefik. */
export function fieldMode(config: AccessLog): (name: string) => FieldMode {
  return modes(config.fields);
}

/** What the operator wants of a header. */
export function headerMode(config: AccessLog): (name: string) => FieldMode {
  return modes(config.fields.headers);
}

function modes({ names, defaultMode }: AccessLog['fields']['headers']): (name: string) => FieldMode {
  const given = new Map(Object.entries(names).map(([name, mode]) => [name.toLowerCase(), mode]));
  return (name) => given.get(name.toLowerCase()) ?? defaultMode;
}

/** The client's address, or what a trusted peer says of it. */
export function clientHost({ exchange, peer }: Facts): string {
  if (exchange === null || !peer.trusted) return peer.address;
  return exchange.headers.joinKnown(H.X_FORWARDED_FOR) || peer.address;
}

/** Passwords have no place in a log. */
export function withoutUserInfo(url: string | undefined): string | undefined {
  if (url === undefined || !url.includes('@')) return url;
  return url.replace(/^([a-z][a-z0-9+.-]*:\/\/)[^/?#]*@/i, '$1');
}

/** `example.com:8080` → `example.com`, `8080`; without a port, that is `-`. */
export function splitAuthority(authority: string): readonly [host: string, port: string] {
  const colon = authority.lastIndexOf(':');
  if (colon < 0 || authority.endsWith(']')) return [authority, '-'];
  return [authority.slice(0, colon).replace(/^\[|\]$/g, ''), authority.slice(colon + 1)];
}

function hostPort(address: string, port: number): string {
  return address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`;
}

function quoted(text: string): string {
  return `"${escapeText(text)}"`;
}

function optional(text: string | undefined): string {
  return text === undefined || text === '' ? NONE : `"${escapeText(text)}"`;
}

function nanoseconds(ms: number): number {
  return Math.round(ms * 1e6);
}
