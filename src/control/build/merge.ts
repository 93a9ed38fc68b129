import type { DecodedDynamic, RejectedKind } from '../../core/config/decode.ts';
import type {
  DynamicConfig,
  Middleware,
  Router,
  ServersTransport,
  Service,
  TlsCertificate,
  TlsOptions,
  TlsStore,
} from '../../core/config/dynamic.ts';
import type { Path } from '../../core/config/paths.ts';
import { comparePaths } from '../files/layout.ts';
import type { Findings, Place } from './findings.ts';
import { qualify } from './names.ts';

/** One file of one provider, decoded. */
export interface Source {
  readonly provider: string;
  readonly file: string;
  /** What was decoded, so that a finding inside a value gets its column. */
  readonly text?: string;
  readonly decoded: DecodedDynamic;
}

/** A configured object under its qualified name. */
export interface Entry<T> {
  /** `name@provider` */
  readonly name: string;
  readonly provider: string;
  readonly place: Place;
  /** Undefined where the decoder rejected it. */
  readonly value: T | undefined;
  /** Why it was rejected; these have their diagnostics already. */
  readonly problems: readonly string[];
}

export type Entries<T> = ReadonlyMap<string, Entry<T>>;

/** What all files of all providers say together, in path order. */
export interface Merged {
  readonly routers: Entries<Router>;
  readonly services: Entries<Service>;
  readonly middlewares: Entries<Middleware>;
  readonly serversTransports: Entries<ServersTransport>;
  readonly tlsOptions: Entries<TlsOptions>;
  readonly tlsStores: Entries<TlsStore>;
  readonly certificates: readonly { readonly value: TlsCertificate; readonly place: Place }[];
  /** Objects of TCP and UDP, of which nothing but their being there is known yet. */
  readonly streams: readonly { readonly place: Place; readonly what: string; readonly rule?: string }[];
}

/**
 * Merges the files. A name belongs to the first file, by path, that has it, even where that file's object was rejected:
 * which of two objects is served must not depend on a mistake in one of them.
 */
export function merge(sources: readonly Source[], findings: Findings): Merged {
  const ordered = [...sources].sort((a, b) => comparePaths(a.provider, b.provider) || comparePaths(a.file, b.file));
  const collect = <T>(kind: RejectedKind, section: string, name: string, pick: Pick<T>) =>
    collectEntries(ordered, { kind, section, name, pick }, findings);
  return {
    routers: collect('router', 'http', 'routers', (c) => c.http.routers),
    services: collect('service', 'http', 'services', (c) => c.http.services),
    middlewares: collect('middleware', 'http', 'middlewares', (c) => c.http.middlewares),
    serversTransports: collect('serversTransport', 'http', 'serversTransports', (c) => c.http.serversTransports),
    tlsOptions: collect('tlsOptions', 'tls', 'options', (c) => c.tls.options),
    tlsStores: collect('tlsStore', 'tls', 'stores', (c) => c.tls.stores),
    certificates: ordered.flatMap(certificatesOf),
    streams: ordered.flatMap(streamsOf),
  };
}

type Pick<T> = (config: DynamicConfig) => Readonly<Record<string, T>>;

interface Collection<T> {
  readonly kind: RejectedKind;
  readonly section: string;
  readonly name: string;
  readonly pick: Pick<T>;
}

/** Objects that are one for the whole proxy, whoever writes them, as in Traefik. */
const GLOBAL: ReadonlySet<string> = new Set(['tlsOptions:default', 'tlsStore:default']);

function collectEntries<T>(sources: readonly Source[], of: Collection<T>, findings: Findings): Entries<T> {
  const entries = new Map<string, Entry<T>>();
  for (const source of sources) {
    const { provider, decoded } = source;
    if (decoded.config === null) continue;
    const add = (short: string, value: T | undefined, problems: readonly string[]): void => {
      const name = GLOBAL.has(`${of.kind}:${short}`) ? short : `${short}@${provider}`;
      const place = placeIn(source, [of.section, of.name, short]);
      const first = entries.get(name);
      if (first === undefined) {
        entries.set(name, { name, provider, place, value, problems });
        return;
      }
      const where = describePlace(first.place);
      findings.add(
        'error',
        'duplicate-name',
        `${of.section}.${of.name}: \`${short}\` is already defined in ${where}; this one is ignored`,
        place,
        { hint: 'rename one of the two, or remove it' },
      );
    };
    for (const [short, value] of Object.entries(of.pick(decoded.config))) add(short, value, []);
    for (const rejected of decoded.rejected) {
      if (rejected.kind !== of.kind) continue;
      const errors = rejected.diagnostics.filter((d) => d.severity === 'error').map((d) => d.message);
      add(rejected.name, undefined, errors);
    }
  }
  return entries;
}

function describePlace(place: Place): string {
  const position = place.locate?.(place.path);
  return position === undefined ? (place.file ?? 'the built-in configuration') : `${position.file}:${position.line}`;
}

function certificatesOf(source: Source): Merged['certificates'] {
  const { config, rejected } = source.decoded;
  if (config === null) return [];
  // A rejected certificate is gone from the list: the others' indices in the file have to skip its own.
  const gone = new Set(rejected.filter((r) => r.kind === 'tlsCertificate').map((r) => Number(r.name)));
  let index = 0;
  return config.tls.certificates.map((value) => {
    while (gone.has(index)) index++;
    return { value, place: placeIn(source, ['tls', 'certificates', index++]) };
  });
}

const STREAM_SECTIONS = {
  tcp: {
    routers: 'TCP router',
    services: 'TCP service',
    middlewares: 'TCP middleware',
    serversTransports: 'TCP serversTransport',
  },
  udp: { routers: 'UDP router', services: 'UDP service' },
} as const;

function streamsOf(source: Source): Merged['streams'] {
  const { config } = source.decoded;
  if (config === null) return [];
  const found: { place: Place; what: string; rule?: string }[] = [];
  for (const [section, kinds] of Object.entries(STREAM_SECTIONS)) {
    const collections = config[section as keyof typeof STREAM_SECTIONS] as Readonly<Record<string, object>>;
    for (const [kind, what] of Object.entries(kinds)) {
      for (const [name, value] of Object.entries(collections[kind] ?? {})) {
        const rule: unknown = section === 'tcp' && kind === 'routers' ? value.rule : undefined;
        found.push({
          place: placeIn(source, [section, kind, name]),
          what: `${what} \`${qualify(name, source.provider)}\``,
          ...(typeof rule === 'string' ? { rule } : {}),
        });
      }
    }
  }
  return found;
}

/** What is the same for all places of one file. */
type Anchor = Omit<Place, 'path'>;
const anchors = new WeakMap<Source, Anchor>();

function placeIn(source: Source, path: Path): Place {
  let anchor = anchors.get(source);
  if (anchor === undefined) {
    anchor = anchorOf(source);
    anchors.set(source, anchor);
  }
  return { ...anchor, path };
}

function anchorOf({ file, text, decoded }: Source): Anchor {
  const locate = (at: Path, part?: 'key' | 'value') => {
    const position = decoded.positions(at, part);
    return position === undefined ? undefined : { file, ...position };
  };
  if (text === undefined) return { file, locate };
  // Split at the first finding that needs it: most files have none.
  let lines: readonly string[] | undefined;
  const line = (n: number) => {
    lines ??= text.split('\n');
    return lines[n - 1];
  };
  return { file, locate, line };
}
