import { type Address, parseAddress } from '../../core/config/address.ts';
import type { Path } from '../../core/config/paths.ts';
import type { EntryPoint, StaticConfig } from '../../core/config/static.ts';
import { parseIpRange } from '../../core/rule/ip-range.ts';
import type { EntryPointSnapshot } from '../../core/snapshot.ts';
import type { Findings, Place } from './findings.ts';

/** The entry point of API, dashboard, ping and metrics where nothing else is said. */
export const INTERNAL_ENTRY_POINT = 'traefik';
const INTERNAL_ADDRESS = ':8080';

/** What an entry point adds to each of its routers. */
export interface EntryPointModel {
  /** As written. */
  readonly middlewares: readonly string[];
  /** For routers that say nothing of TLS. */
  readonly tls?: NonNullable<EntryPoint['http']['tls']>;
  readonly place: Place;
}

export interface EntryPoints {
  /** Those that are opened. */
  readonly snapshots: Readonly<Record<string, EntryPointSnapshot>>;
  /** Only those that add something. */
  readonly models: ReadonlyMap<string, EntryPointModel>;
  /** Those of routers that name none. */
  readonly defaults: readonly string[];
  /** Every name there is, those that are not opened too. */
  readonly names: ReadonlySet<string>;
}

/** Where a path of the static configuration stands. */
export type StaticPlace = (path: Path) => Place;

/** Reads the entry points of the static configuration and adds the implicit one. */
export function readEntryPoints(config: StaticConfig, placeOf: StaticPlace, findings: Findings): EntryPoints {
  const snapshots: Record<string, EntryPointSnapshot> = {};
  const models = new Map<string, EntryPointModel>();
  const taken: { readonly name: string; readonly address: Address }[] = [];
  const names = new Set<string>();

  const open = (name: string, text: string, config: EntryPoint | undefined): void => {
    names.add(name);
    const place = placeOf(['entryPoints', name]);
    const at = config === undefined ? {} : { at: ['address'], value: true };
    const address = parseAddress(text);
    if (typeof address === 'string') {
      findings.add('error', 'bad-address', `entry point \`${name}\`: ${address}`, place, at);
      return;
    }
    // The decoder of the static configuration has said that UDP is not served yet.
    if (address.protocol === 'udp') return;
    const other = taken.find((one) => collide(one.address, address));
    if (other !== undefined) {
      const message = `entry point \`${name}\` listens where \`${other.name}\` does (${text}); it is not opened`;
      findings.add('error', 'duplicate-address', message, place, { ...at, hint: 'give each entry point its own port' });
      return;
    }
    taken.push({ name, address });
    snapshots[name] = snapshotOf(name, address, config);
    if (config === undefined) return;
    checkTrusted(config, place, findings);
    const { middlewares, tls } = config.http;
    if (middlewares.length > 0 || tls !== undefined) {
      models.set(name, { middlewares, place, ...(tls === undefined ? {} : { tls }) });
    }
  };

  for (const [name, entryPoint] of Object.entries(config.entryPoints)) open(name, entryPoint.address, entryPoint);
  if (!names.has(INTERNAL_ENTRY_POINT) && needsInternal(config))
    open(INTERNAL_ENTRY_POINT, INTERNAL_ADDRESS, undefined);

  const all = Object.values(snapshots);
  const chosen = all.filter((one) => one.asDefault);
  const defaults = chosen.length > 0 ? chosen : all.filter((one) => one.name !== INTERNAL_ENTRY_POINT);
  return { snapshots, models, defaults: defaults.map((one) => one.name), names };
}

/** Whether something is to be served on the entry point `traefik`. */
function needsInternal({ api, ping, metrics }: StaticConfig): boolean {
  return (
    api?.insecure === true ||
    (ping !== undefined && !ping.manualRouting && ping.entryPoint === INTERNAL_ENTRY_POINT) ||
    (metrics?.prometheus !== undefined &&
      !metrics.prometheus.manualRouting &&
      metrics.prometheus.entryPoint === INTERNAL_ENTRY_POINT)
  );
}

/** Port 0 takes whatever port is free. An address that stands for all of them leaves no room for another. */
function collide(a: Address, b: Address): boolean {
  if (a.port !== b.port || a.port === 0) return false;
  return a.host === b.host || isAny(a.host) || isAny(b.host);
}

function isAny(host: string): boolean {
  return host === '::' || host === '0.0.0.0';
}

function checkTrusted({ forwardedHeaders }: EntryPoint, place: Place, findings: Findings): void {
  forwardedHeaders.trustedIPs.forEach((range, index) => {
    if (parseIpRange(range) !== undefined) return;
    findings.add('error', 'bad-ip-range', `\`${range}\` is no IP address or range; it is not trusted`, place, {
      at: ['forwardedHeaders', 'trustedIPs', index],
      value: true,
      hint: 'write for example 10.0.0.153/32',
    });
  });
}

/** Traefik's defaults, for an entry point that nobody wrote. */
const DEFAULTS = { readTimeout: 60_000, idleTimeout: 180_000, grace: 10_000, maxHeaderBytes: 65_536 };

/** `encodedCharacters` as the digits behind the percent sign that are refused. */
function refusedEncodings(allowed: EntryPoint['http']['encodedCharacters']): string[] {
  if (allowed === undefined) return [];
  const digits: [boolean, string][] = [
    [allowed.allowEncodedSlash, '2F'],
    [allowed.allowEncodedBackSlash, '5C'],
    [allowed.allowEncodedNullCharacter, '00'],
    [allowed.allowEncodedSemicolon, '3B'],
    [allowed.allowEncodedPercent, '25'],
    [allowed.allowEncodedQuestionMark, '3F'],
    [allowed.allowEncodedHash, '23'],
  ];
  return digits.filter(([isAllowed]) => !isAllowed).map(([, hex]) => hex);
}

const DEFAULT_LIMITS: EntryPoint['limits'] = {
  maxConnections: 20_000,
  maxConnectionsPerIP: 10_000,
  maxHeaders: 1_000,
  maxRequestLineBytes: 65_536,
};

function snapshotOf(name: string, { host, port }: Address, config: EntryPoint | undefined): EntryPointSnapshot {
  const timeouts = config?.transport.respondingTimeouts;
  const lifeCycle = config?.transport.lifeCycle;
  const readTimeout = Math.max(0, timeouts?.readTimeout ?? DEFAULTS.readTimeout);
  return {
    name,
    host,
    port,
    asDefault: config?.asDefault ?? false,
    forwardedHeaders: {
      insecure: config?.forwardedHeaders.insecure ?? false,
      trustedIPs: config?.forwardedHeaders.trustedIPs.filter((range) => parseIpRange(range) !== undefined) ?? [],
    },
    timeouts: {
      headerMs: readTimeout,
      // For each silence, not for the whole body: a slow upload is no fault.
      bodyIdleMs: readTimeout,
      keepAliveMs: Math.max(0, timeouts?.idleTimeout ?? DEFAULTS.idleTimeout),
    },
    lifeCycle: {
      requestAcceptGraceMs: Math.max(0, lifeCycle?.requestAcceptGraceTimeout ?? 0),
      graceMs: Math.max(0, lifeCycle?.graceTimeOut ?? DEFAULTS.grace),
    },
    maxHeaderBytes: config?.http.maxHeaderBytes ?? DEFAULTS.maxHeaderBytes,
    limits: {
      ...(config?.limits ?? DEFAULT_LIMITS),
      maxRequests: Math.max(0, config?.transport.keepAliveMaxRequests ?? 0),
      maxAgeMs: Math.max(0, config?.transport.keepAliveMaxTime ?? 0),
    },
    sanitizePath: config?.http.sanitizePath ?? true,
    underscoreHeaders: config?.http.underscoreHeadersStrategy ?? 'keep',
    refusedEncodings: refusedEncodings(config?.http.encodedCharacters),
    accessLogs: config?.observability.accessLogs ?? true,
  };
}
