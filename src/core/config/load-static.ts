import type { Diagnostic, Severity } from '../diagnostic.ts';
import { COMMAND_LINE } from '../static-config-error.ts';
import { checkStatic } from './check-static.ts';
import { readEnvironment } from './environment.ts';
import { readFlags } from './flags.ts';
import {
  ABSENT,
  type Decoding,
  decoding,
  isPlainObject,
  normalise,
  report,
  reportTooMany,
  TooManyValues,
} from './normalise.ts';
import { formatPath, type Path, type Positions } from './paths.ts';
import { inertSettings } from './pending.ts';
import { type Settings, spelledAlready } from './settings.ts';
import { shapeOf } from './shape.ts';
import { parseSource } from './source.ts';
import { type EntryPoint, entryPointSchema, type StaticConfig, staticConfigSchema } from './static.ts';
import { zodProblem } from './zod-problem.ts';

export interface StaticInput {
  readonly file?: { readonly name: string; readonly text: string };
  /** Arguments as given, without the verb. */
  readonly flags: readonly string[];
  readonly env: Readonly<Record<string, string | undefined>>;
}

export interface DecodedStatic {
  /**
   * Defaults filled in, and the entry points that Traefik makes by itself among them. `null` where the sources say
   * something that cannot be decoded. With an error among the diagnostics, do not start on it.
   */
  readonly config: StaticConfig | null;
  /** Where a path stands in the file. */
  readonly positions: Positions;
  readonly diagnostics: readonly Diagnostic[];
}

/** One source of settings, decoded, before the defaults. */
interface Layer {
  readonly state: Decoding;
  readonly tree: Record<string, unknown>;
  readonly removed: readonly Path[];
}

const SHAPE = shapeOf(staticConfigSchema);
const NOWHERE: Positions = () => undefined;

/**
 * Decodes the static configuration from a file, flags and environment variables, all by the one schema.
 *
 * Unlike Traefik, where the first source found is the only one, the three are merged here: flags win over variables,
 * and these over the file. Who gives a flag beside a file means it; Traefik ignores it in silence.
 */
export function decodeStatic({ file, flags, env }: StaticInput): DecodedStatic {
  const diagnostics: Diagnostic[] = [];
  const fromFile = file === undefined ? emptyLayer() : fileLayer(file.name, file.text);
  const fromEnv = settingsLayer('environment', (state) => readEnvironment(state, SHAPE, env));
  const fromFlags = settingsLayer(COMMAND_LINE, (state) => readFlags(state, SHAPE, flags));
  const { positions } = fromFile.state;

  // Lowest first.
  const layers = [fromFile, fromEnv, fromFlags];
  const merged: Record<string, unknown> = {};
  for (const { tree, removed } of layers) {
    for (const path of removed) remove(merged, path);
    merge(merged, tree);
  }
  for (const { state } of layers) diagnostics.push(...state.diagnostics);
  const undecodable = diagnostics.some(
    ({ code }) => code === 'syntax' || code === 'duplicate-key' || code === 'too-many-values',
  );

  const sourceOf = (path: Path): Layer => {
    const said = layers.findLast(({ tree }) => has(tree, path));
    // What is missing belongs to who wrote the section around it.
    const around = path.length > 1 ? layers.findLast(({ tree }) => has(tree, path.slice(0, -1))) : undefined;
    return said ?? around ?? fromFile;
  };
  const say = (severity: Severity, code: string, path: Path, message: string, hint?: string): void => {
    const { state } = sourceOf(path);
    const from = state.diagnostics.length;
    report(state, severity, code, path, message, hint);
    diagnostics.push(...state.diagnostics.slice(from));
  };

  for (const { path, kind } of inertSettings(merged)) {
    if (kind === 'moot') say('info', 'no-effect', path, `\`${formatPath(path)}\` has no effect here`);
    else say('warning', 'not-acted-on', path, `\`${formatPath(path)}\` is accepted but not acted on yet`);
  }
  const parsed = staticConfigSchema.safeParse(merged);
  if (!parsed.success) {
    // Enough to see what is wrong; a tree of aliases could have millions.
    for (const issue of parsed.error.issues.slice(0, 1000)) {
      const problem = zodProblem(issue);
      say('error', problem.code, problem.path, problem.message, problem.hint);
    }
    return { config: null, positions, diagnostics };
  }
  if (undecodable) return { config: null, positions, diagnostics };
  const config: StaticConfig = { ...parsed.data, entryPoints: withImplicitEntryPoints(parsed.data) };
  checkStatic(config, say);
  return { config, positions, diagnostics };
}

function emptyLayer(): Layer {
  return { state: decoding(undefined, NOWHERE), tree: {}, removed: [] };
}

function fileLayer(name: string, text: string): Layer {
  const source = parseSource(name, text);
  const state = decoding(name, source.positions);
  state.diagnostics.push(...source.diagnostics);
  if (source.value === undefined || source.value === null) return { state, tree: {}, removed: [] };
  return { state, tree: decodeTree(state, withoutDynamicSections(state, source.value)), removed: [] };
}

function settingsLayer(name: string, read: (state: Decoding) => Settings): Layer {
  const state = decoding(name, NOWHERE);
  const { tree, removed } = read(state);
  return { state, tree: decodeTree(state, tree), removed };
}

function decodeTree(state: Decoding, raw: unknown): Record<string, unknown> {
  try {
    const tree = normalise(state, SHAPE, raw, []);
    return tree === ABSENT || !isPlainObject(tree) ? {} : tree;
  } catch (error) {
    if (!(error instanceof TooManyValues)) throw error;
    reportTooMany(state);
    return {};
  }
}

/** Takes out `http`, `tcp`, `udp` and `tls`, which belong in a dynamic file, and says so: Traefik ignores them in silence. */
function withoutDynamicSections(state: Decoding, raw: unknown): unknown {
  if (!isPlainObject(raw)) return raw;
  const rest: Record<string, unknown> = {};
  for (const key of Object.keys(raw)) {
    if (!/^(http|tcp|udp|tls)$/i.test(key)) {
      rest[key] = raw[key];
      continue;
    }
    const section = raw[key];
    const parts = isPlainObject(section) ? Object.keys(section) : [];
    report(
      state,
      'warning',
      'dynamic-in-static',
      [key],
      `\`${key}\`${parts.length === 0 ? '' : ` (with ${parts.join(', ')})`} is dynamic configuration: it has no effect in the static file`,
      'move the section to a file that providers.file reads',
    );
  }
  return rest;
}

/** Puts `from` over `into`: sections are merged, anything else (lists too) is replaced. */
function merge(into: Record<string, unknown>, from: Record<string, unknown>): void {
  for (const [name, value] of Object.entries(from)) {
    // An entry point that a variable can only name in lower case is the one the file has.
    const key = spelledAlready(into, name);
    const earlier = into[key];
    if (isPlainObject(value)) {
      const target: Record<string, unknown> = isPlainObject(earlier) ? earlier : {};
      into[key] = target;
      merge(target, value);
    } else into[key] = value;
  }
}

function remove(tree: Record<string, unknown>, path: Path): void {
  let node: unknown = tree;
  for (const part of path.slice(0, -1))
    node = isPlainObject(node) ? node[spelledAlready(node, String(part))] : undefined;
  if (isPlainObject(node)) delete node[spelledAlready(node, String(path.at(-1)))];
}

function has(tree: unknown, path: Path): boolean {
  let node: unknown = tree;
  for (const part of path) {
    if (typeof node !== 'object' || node === null) return false;
    const key = typeof part === 'number' ? part : spelledAlready(node, part);
    if (!Object.hasOwn(node, key)) return false;
    node = (node as Record<string | number, unknown>)[key];
  }
  return true;
}

/**
 * Adds the entry points that Traefik makes without being asked: `http` on :80 where none is configured, and `traefik`
 * on :8080 where the unprotected API or ping wants it.
 */
function withImplicitEntryPoints(config: StaticConfig): StaticConfig['entryPoints'] {
  const entryPoints: Record<string, EntryPoint> = { ...config.entryPoints };
  if (Object.keys(entryPoints).length === 0) entryPoints.http = entryPointSchema.parse({ address: ':80' });
  const { api, ping } = config;
  const wanted = api?.insecure === true || (ping !== undefined && !ping.manualRouting && ping.entryPoint === 'traefik');
  if (wanted && !Object.hasOwn(entryPoints, 'traefik'))
    entryPoints.traefik = entryPointSchema.parse({ address: ':8080' });
  return entryPoints;
}
