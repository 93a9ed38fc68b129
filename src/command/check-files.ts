import { existsSync, readFileSync, statSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { type BuildOutcome, buildSnapshot } from '../control/build/build-snapshot.ts';
import type { Source } from '../control/build/merge.ts';
import { readNow } from '../control/files/material.ts';
import { type FileProviderOptions, startFileProvider } from '../control/providers/file.ts';
import { type DecodedDynamic, decodeDynamic } from '../core/config/decode.ts';
import { decodeStatic } from '../core/config/load-static.ts';
import { parseSource } from '../core/config/source.ts';
import { entryPointSchema, type StaticConfig, staticConfigSchema } from '../core/config/static.ts';
import type { Diagnostic } from '../core/diagnostic.ts';
import type { CertificateSnapshot } from '../core/snapshot.ts';
import { StaticConfigError } from '../core/static-config-error.ts';
import { type FoundStatic, findStatic, locateIn, whyUnreadable } from '../static-file.ts';
import { EXIT } from './exit-code.ts';
import { CommandError } from './fail.ts';

/** What `check` found. */
export interface Checked {
  /** Every finding, in the order of the files. */
  readonly diagnostics: readonly Diagnostic[];
  /** Content of the files that were read, by the name that diagnostics carry. */
  readonly texts: ReadonlyMap<string, string>;
  /** Null where the static file is so wrong that there is nothing to build on. */
  readonly outcome: BuildOutcome | null;
}

interface Content {
  readonly text: string;
  readonly decoded: DecodedDynamic;
}

/**
 * Reads and checks a configuration as `run` would, without binding, connecting or starting anything.
 *
 * @param paths static or dynamic files, or directories of dynamic ones; none: what `run` would read
 * @throws CommandError, StaticConfigError where there is nothing that could be checked
 */
export async function checkFiles(
  paths: readonly string[],
  config: string | undefined,
  env: NodeJS.ProcessEnv,
): Promise<Checked> {
  const named = classify(config === undefined ? paths.map(staticInside) : paths);
  if (config !== undefined && named.statics.length > 0) {
    throw new CommandError(EXIT.usage, `${named.statics[0]} is a static file, as ${config} is: name one of the two`);
  }
  const file = config ?? named.statics[0];
  const found = file === undefined && paths.length > 0 ? undefined : findStatic(configFlags(file), env);
  if (found !== undefined && found.file === undefined && !usesEnvironment(env)) {
    throw new CommandError(
      EXIT.usage,
      'there is no static file in the default places: name one, see proxy check --help',
    );
  }
  const texts = new Map<string, string>();
  if (found?.file !== undefined && found.text !== undefined) texts.set(found.file, found.text);
  if (found !== undefined && found.decoded.config === null) {
    return { diagnostics: found.decoded.diagnostics, texts, outcome: null };
  }
  const read = await readDynamic(named.dynamic.length > 0 ? named.dynamic : providersOf(found), texts);
  const outcome = build(found, read.sources);
  return {
    diagnostics: distinct([...(found?.decoded.diagnostics ?? []), ...read.diagnostics, ...outcome.diagnostics]),
    texts,
    outcome,
  };
}

function configFlags(file: string | undefined): readonly string[] {
  return file === undefined ? [] : [`--config=${file}`];
}

function usesEnvironment(env: NodeJS.ProcessEnv): boolean {
  return Object.keys(env).some((name) => name.startsWith('TRAEFIK_'));
}

const STATIC_KEYS = new Set(Object.keys(staticConfigSchema.shape).map((key) => key.toLowerCase()));
const DYNAMIC_KEYS = new Set(['http', 'tcp', 'udp', 'tls']);

/** Tells static from dynamic files by what stands in them. */
function classify(paths: readonly string[]): { readonly statics: string[]; readonly dynamic: string[] } {
  const statics: string[] = [];
  const dynamic: string[] = [];
  for (const path of paths) {
    if (isDirectory(path) || !isStatic(path)) dynamic.push(path);
    else statics.push(path);
  }
  if (statics.length > 1) {
    throw new CommandError(
      EXIT.usage,
      `${statics.join(' and ')} are static files: a proxy has one, check each by itself`,
    );
  }
  return { statics, dynamic };
}

const STATIC_NAMES = ['proxy.yml', 'traefik.yml', 'traefik.yaml', 'traefik.toml'];

/** Of a directory like /etc/traefik the static file in it: that says where the dynamic ones are. */
function staticInside(path: string): string {
  if (!isDirectory(path)) return path;
  const files = STATIC_NAMES.map((name) => join(path, name)).filter((file) => existsSync(file));
  return files.find((file) => !isDirectory(file) && isStatic(file)) ?? path;
}

function isDirectory(path: string): boolean {
  try {
    return statSync(path).isDirectory();
  } catch (error) {
    throw new CommandError(EXIT.refused, `${path} cannot be read: ${whyUnreadable(error)}`);
  }
}

function isStatic(path: string): boolean {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    throw new CommandError(EXIT.refused, `${path} cannot be read: ${whyUnreadable(error)}`);
  }
  const keys = topLevelKeys(path, text).map((key) => key.toLowerCase());
  // The default certificate of Traefik's static files stands in none of ours: these four say dynamic.
  if (keys.some((key) => DYNAMIC_KEYS.has(key)))
    return keys.some((key) => key === 'entrypoints' || key === 'providers');
  return keys.some((key) => STATIC_KEYS.has(key));
}

/** Of a file that cannot be parsed, what looks like keys. */
function topLevelKeys(path: string, text: string): readonly string[] {
  const { value } = parseSource(path, text);
  if (typeof value === 'object' && value !== null) return Object.keys(value);
  return [...text.matchAll(/^(?:\[+\s*)?["']?([A-Za-z]+)/gm)].map((match) => match[1]!);
}

function providersOf(found: FoundStatic | undefined): readonly string[] {
  const file = found?.decoded.config?.providers.file;
  const path = file?.directory ?? file?.filename;
  return path === undefined ? [] : [path];
}

async function readDynamic(paths: readonly string[], texts: Map<string, string>) {
  const sources = new Map<string, Source>();
  const diagnostics: Diagnostic[] = [];
  const decode: FileProviderOptions<Content>['decode'] = (file, text) => {
    texts.set(file, text);
    const decoded = decodeDynamic(file, text);
    diagnostics.push(...decoded.diagnostics);
    return { config: decoded.config === null ? null : { text, decoded }, diagnostics: [] };
  };
  for (const path of paths) {
    const place = statSync(path, { throwIfNoEntry: false })?.isDirectory() ? { directory: path } : { filename: path };
    // What it would log is among its diagnostics.
    const provider = await startFileProvider({ ...place, watch: false, decode, log: () => {} }, (state) => {
      diagnostics.push(...state.diagnostics);
      for (const { file, config } of state.files) sources.set(file, { provider: 'file', file, ...config });
    });
    await provider.close();
  }
  return { sources: [...sources.values()], diagnostics };
}

function build(found: FoundStatic | undefined, sources: readonly Source[]): BuildOutcome {
  return buildSnapshot({
    version: 1,
    now: Date.now(),
    static: found?.decoded.config ?? standIn(sources),
    ...(found === undefined ? {} : { locateStatic: locateIn(found) }),
    sources,
    read: (path) => readNow(resolve(path)),
    defaultCertificate: NOT_GENERATED,
    ticketKeys: '',
    internalSocket: '',
  });
}

/** Takes the place of the certificate that `run` generates: no finding depends on it. */
const NOT_GENERATED: CertificateSnapshot = {
  cert: '',
  key: '',
  fingerprint: '',
  names: [],
  notBefore: 0,
  notAfter: Number.MAX_SAFE_INTEGER,
  origin: 'generated',
};

/** The entry point of routers that name none, where the static file is not known: no name that one can have. */
const ANY = '(default)';

/**
 * A static configuration that has what the routers ask for, so that no finding is about what only the real one can say.
 */
function standIn(sources: readonly Source[]): StaticConfig {
  const { config } = decodeStatic({ flags: [], env: {} });
  if (config === null) throw new StaticConfigError('the defaults of the static configuration are broken', []);
  const routers = sources.flatMap(({ decoded }) => Object.values(decoded.config?.http.routers ?? {}));
  const entryPoint = entryPointSchema.parse({ address: ':0' });
  const entryPoints: Record<string, typeof entryPoint> = { [ANY]: { ...entryPoint, asDefault: true } };
  const certificatesResolvers: Record<string, StaticConfig['certificatesResolvers'][string]> = {};
  for (const router of routers) {
    for (const name of router.entryPoints ?? []) entryPoints[name] = entryPoint;
    const resolver = router.tls?.certResolver;
    if (resolver !== undefined && resolver !== '') certificatesResolvers[resolver] = {};
  }
  return { ...config, entryPoints, certificatesResolvers };
}

/** In the order of the files; the same thing is said once. */
function distinct(diagnostics: readonly Diagnostic[]): readonly Diagnostic[] {
  const all = new Map(diagnostics.map((d) => [JSON.stringify(d), d]));
  const files = [...new Set(diagnostics.map((d) => d.file))];
  const rank = new Map(files.map((file, index) => [file, index]));
  return [...all.values()].sort(
    (a, b) =>
      rank.get(a.file)! - rank.get(b.file)! || (a.line ?? 0) - (b.line ?? 0) || (a.column ?? 0) - (b.column ?? 0),
  );
}
