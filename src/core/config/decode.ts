import type { z } from 'zod';
import type { Diagnostic } from '../diagnostic.ts';
import { type DynamicConfig, dynamicConfigSchema } from './dynamic.ts';
import { middlewareSchema, tcpMiddlewareSchema } from './middlewares.ts';
import {
  ABSENT,
  type Decoding,
  decoding,
  isPlainObject,
  normalise,
  nullEntry,
  report,
  reportTooMany,
  TooManyValues,
} from './normalise.ts';
import type { Path, Positions } from './paths.ts';
import { routerSchema, tcpRouterSchema, udpRouterSchema } from './routers.ts';
import { serversTransportSchema, serviceSchema } from './services.ts';
import { shapeOf } from './shape.ts';
import { parseSource } from './source.ts';
import { tcpServersTransportSchema, tcpServiceSchema, udpServiceSchema } from './stream-services.ts';
import { suggest } from './suggest.ts';
import { tlsCertificateSchema, tlsOptionsSchema, tlsStoreSchema } from './tls.ts';
import { zodProblem } from './zod-problem.ts';

/** Every collection of a dynamic file. An error stays inside the object that has it. */
const SECTIONS = {
  http: {
    routers: { kind: 'router', schema: routerSchema },
    services: { kind: 'service', schema: serviceSchema },
    middlewares: { kind: 'middleware', schema: middlewareSchema },
    serversTransports: { kind: 'serversTransport', schema: serversTransportSchema },
  },
  tcp: {
    routers: { kind: 'tcpRouter', schema: tcpRouterSchema },
    services: { kind: 'tcpService', schema: tcpServiceSchema },
    middlewares: { kind: 'tcpMiddleware', schema: tcpMiddlewareSchema },
    serversTransports: { kind: 'tcpServersTransport', schema: tcpServersTransportSchema },
  },
  udp: {
    routers: { kind: 'udpRouter', schema: udpRouterSchema },
    services: { kind: 'udpService', schema: udpServiceSchema },
  },
  tls: {
    certificates: { kind: 'tlsCertificate', schema: tlsCertificateSchema },
    options: { kind: 'tlsOptions', schema: tlsOptionsSchema },
    stores: { kind: 'tlsStore', schema: tlsStoreSchema },
  },
} as const satisfies Record<string, Record<string, Collection>>;

interface Collection {
  readonly kind: RejectedKind;
  readonly schema: z.ZodType;
}

export type RejectedKind =
  | 'router'
  | 'service'
  | 'middleware'
  | 'serversTransport'
  | 'tcpRouter'
  | 'tcpService'
  | 'tcpMiddleware'
  | 'tcpServersTransport'
  | 'udpRouter'
  | 'udpService'
  | 'tlsCertificate'
  | 'tlsOptions'
  | 'tlsStore';

/** An object that was left out of the configuration because of errors inside it. */
export interface Rejected {
  readonly kind: RejectedKind;
  /** As written; a certificate, which has no name, goes by its index. */
  readonly name: string;
  /** All findings inside the object, at least one an error. They are also in the list of the whole file. */
  readonly diagnostics: readonly Diagnostic[];
}

export interface DecodedDynamic {
  /**
   * Without the rejected objects. `null` where the text cannot be parsed, and where the file, a section or a collection
   * is no mapping at all (`http: rou`): that is how a half-written file looks, and its last good content must stay.
   */
  readonly config: DynamicConfig | null;
  /** Where a path stands in the file, in the schema's spelling or the file's. */
  readonly positions: Positions;
  readonly rejected: readonly Rejected[];
  readonly diagnostics: readonly Diagnostic[];
}

/** Keys at the top of a static file, for those who mix the two up. */
const STATIC_KEYS = new Set(
  ['entryPoints', 'providers', 'api', 'ping', 'log', 'accessLog', 'metrics', 'tracing', 'certificatesResolvers']
    .concat(['serversTransport', 'global', 'experimental'])
    .map((key) => key.toLowerCase()),
);

/**
 * Decodes one dynamic configuration file, YAML or TOML, as Traefik's file provider would; but where Traefik refuses the
 * whole file for one mistake, only the object that has it is left out.
 *
 * @param file its name: decides the format, and stands in the diagnostics
 */
export function decodeDynamic(file: string, text: string): DecodedDynamic {
  const source = parseSource(file, text);
  if (source.value === undefined) {
    return { config: null, positions: source.positions, rejected: [], diagnostics: source.diagnostics };
  }
  const state = decoding(file, source.positions);
  state.diagnostics.push(...source.diagnostics);
  const rejected: Rejected[] = [];
  // Every section is there, empty, before the file fills it.
  const config: DynamicConfig = dynamicConfigSchema.parse({});
  const sections = config as unknown as Record<string, Record<string, unknown>>;
  try {
    eachKey(state, source.value, [], Object.keys(SECTIONS), (section, value, path) => {
      const collections: Record<string, Collection> = SECTIONS[section as keyof typeof SECTIONS];
      eachKey(state, value, path, Object.keys(collections), (name, entries, at) => {
        sections[section]![name] =
          section === 'tls' && name === 'certificates'
            ? decodeList(state, collections[name]!, entries, at, rejected)
            : decodeMap(state, collections[name]!, entries, at, rejected);
      });
    });
  } catch (error) {
    if (error instanceof TooManyValues) reportTooMany(state);
    else if (!(error instanceof Unusable)) throw error;
    return { config: null, positions: source.positions, rejected: [], diagnostics: state.diagnostics };
  }
  return { config, positions: source.positions, rejected, diagnostics: state.diagnostics };
}

/** Thrown, once reported, where the skeleton of the file is broken. */
class Unusable extends Error {}

/** Goes through a section's keys whatever their case; unknown and repeated ones are reported and passed over. */
function eachKey(
  state: Decoding,
  raw: unknown,
  path: Path,
  names: readonly string[],
  use: (name: string, value: unknown, path: Path) => void,
): void {
  if (raw === null) return;
  if (!isPlainObject(raw)) {
    const where = path.length === 0 ? 'the file' : `\`${path.join('.')}\``;
    report(
      state,
      'error',
      'wrong-type',
      path,
      `${where} must be a section with keys (${names.join(', ')})`,
      undefined,
      'value',
    );
    throw new Unusable();
  }
  const spelled = new Map<string, string>();
  for (const key of Object.keys(raw)) {
    const at = [...path, key];
    const name = names.find((candidate) => candidate.toLowerCase() === key.toLowerCase());
    if (name === undefined) {
      report(
        state,
        'error',
        'unknown-key',
        at,
        `unknown key ${JSON.stringify(key)}${path.length === 0 ? '' : ` in ${path.join('.')}`}`,
        hintFor(key, path, names),
      );
    } else if (spelled.has(name)) {
      report(
        state,
        'error',
        'duplicate-key',
        at,
        `\`${key}\` and \`${spelled.get(name)}\` are the same key: case does not count`,
        'put the contents of both under one of them',
      );
    } else {
      spelled.set(name, key);
      use(name, raw[key], [...path, name]);
    }
  }
}

function hintFor(key: string, path: Path, names: readonly string[]): string {
  if (path.length === 0 && STATIC_KEYS.has(key.toLowerCase())) {
    return 'this belongs in the static file (traefik.yml), which is read once at start';
  }
  const near = suggest(key, names);
  return near === undefined ? `known here: ${names.join(', ')}` : `did you mean \`${near}\`?`;
}

function decodeMap(
  state: Decoding,
  collection: Collection,
  raw: unknown,
  path: Path,
  rejected: Rejected[],
): Record<string, unknown> {
  const out: Record<string, unknown> = {};
  if (raw === null) return out;
  if (!isPlainObject(raw)) {
    report(
      state,
      'error',
      'wrong-type',
      path,
      `\`${path.join('.')}\` must be a section with names as keys`,
      undefined,
      'value',
    );
    throw new Unusable();
  }
  for (const name of Object.keys(raw)) {
    const at = [...path, name];
    if (name === '__proto__') report(state, 'error', 'bad-name', at, '`__proto__` cannot be used as a name');
    else if (raw[name] === null) nullEntry(state, shapeOf(collection.schema), name, at);
    else {
      const value = decodeObject(state, collection, raw[name], name, at, rejected);
      if (value !== ABSENT) out[name] = value;
    }
  }
  return out;
}

function decodeList(
  state: Decoding,
  collection: Collection,
  raw: unknown,
  path: Path,
  rejected: Rejected[],
): unknown[] {
  if (raw === null) return [];
  if (!Array.isArray(raw)) {
    report(
      state,
      'error',
      'wrong-type',
      path,
      `\`${path.join('.')}\` must be a list`,
      'put `- ` before its first key',
      'value',
    );
    throw new Unusable();
  }
  return raw
    .map((item: unknown, index) => decodeObject(state, collection, item, String(index), [...path, index], rejected))
    .filter((value) => value !== ABSENT);
}

/** Decodes one object; with an error anywhere inside, it is rejected and `ABSENT`. */
function decodeObject(
  state: Decoding,
  { kind, schema }: Collection,
  raw: unknown,
  name: string,
  path: Path,
  rejected: Rejected[],
): unknown {
  const before = state.diagnostics;
  state.diagnostics = [];
  try {
    let value: unknown = ABSENT;
    // A boolean is no object here: `myrouter: true` says nothing.
    if (isPlainObject(raw)) value = normalise(state, shapeOf(schema), raw, path);
    else report(state, 'error', 'wrong-type', path, `\`${name}\` must be a section with keys`, undefined, 'value');
    if (!state.diagnostics.some(isError)) {
      const checked = schema.safeParse(value);
      if (checked.success) {
        if (kind === 'middleware') notePlugin(state, checked.data, path);
        return checked.data;
      }
      for (const issue of checked.error.issues) {
        const problem = zodProblem(issue);
        report(state, 'error', problem.code, [...path, ...problem.path], problem.message, problem.hint);
      }
    }
    rejected.push({ kind, name, diagnostics: state.diagnostics });
    return ABSENT;
  } finally {
    before.push(...state.diagnostics);
    state.diagnostics = before;
  }
}

function isError(diagnostic: Diagnostic): boolean {
  return diagnostic.severity === 'error';
}

function notePlugin(state: Decoding, middleware: unknown, path: Path): void {
  if (!isPlainObject(middleware) || middleware.plugin === undefined) return;
  report(
    state,
    'warning',
    'not-supported',
    [...path, 'plugin'],
    "Traefik's plugins (Go code) are not supported: this middleware cannot do anything",
    'take it off the routers that use it, or use a built-in middleware',
  );
}
