import type { Diagnostic } from '../../core/diagnostic.ts';
import { comparePaths } from '../files/layout.ts';
import type { FileState, FilesChanged, Log, PathProblem } from '../files/types.ts';
import { watchFiles } from '../files/watcher.ts';

/** What a decoder makes of one file: null where the file as a whole is unusable. */
export interface Decoded<T> {
  readonly config: T | null;
  readonly diagnostics: readonly Diagnostic[];
}

/** One file's share of what a provider says. */
export interface ProvidedFile<T> {
  readonly file: string;
  /** The last content that could be used. */
  readonly config: T;
  /** The newest content cannot be used: `config` is older. */
  readonly stale: boolean;
  /** About the newest content. */
  readonly diagnostics: readonly Diagnostic[];
}

/** All that a provider says at one time; a new value for each change, in path order. */
export interface ProviderState<T> {
  readonly name: 'file';
  readonly files: readonly ProvidedFile<T>[];
  /** About files that contribute nothing, and about the paths themselves. */
  readonly diagnostics: readonly Diagnostic[];
}

export interface FileProviderOptions<T> {
  readonly filename?: string;
  /** Read with all below it; wins over `filename`. */
  readonly directory?: string;
  readonly watch: boolean;
  /** Milliseconds; see `WatchOptions.poll`. */
  readonly poll?: number;
  /** Must not throw for bad content: that is a diagnostic. */
  readonly decode: (file: string, text: string) => Decoded<T>;
  readonly log?: Log;
}

export interface FileProvider {
  /** Reads everything again now (SIGHUP); resolves when a change, if there is one, has been published. */
  reload(): Promise<void>;
  close(): Promise<void>;
}

/** The files that Traefik reads from a directory. */
const EXTENSIONS = ['.yml', '.yaml', '.toml'];

/** `hash` is undefined where the newest content could not be read. */
interface Known<T> {
  hash: string | undefined;
  config: T | null;
  stale: boolean;
  diagnostics: readonly Diagnostic[];
}

/**
 * Dynamic configuration from files. Resolves after the first state has been published, even where that is empty; `publish` is called again for each
 * change. A file that turns bad keeps its last good content and touches no other; a bad file at the start contributes only its diagnostics.
 */
export async function startFileProvider<T>(
  options: FileProviderOptions<T>,
  publish: (state: ProviderState<T>) => void,
): Promise<FileProvider> {
  const path = options.directory ?? options.filename;
  const known = new Map<string, Known<T>>();
  const log = options.log ?? (() => {});
  const watcher = await watchFiles(
    {
      paths: path === undefined ? [] : [path],
      extensions: EXTENSIONS,
      watch: options.watch,
      ...(options.log === undefined ? {} : { log: options.log }),
      ...(options.poll === undefined ? {} : { poll: options.poll }),
    },
    onChange,
  );
  for (const [file, state] of watcher.files) take(file, state);
  publish(stateOf(known, watcher.problems));
  return { reload: () => watcher.rescan(), close: () => watcher.close() };

  function onChange(event: FilesChanged): void {
    for (const file of event.removed) {
      known.delete(file);
      log('info', `${file} is gone: what it configured is withdrawn`, { file });
    }
    let changed = event.removed.length > 0 || event.problemsChanged;
    for (const file of event.changed) {
      const state = watcher.files.get(file);
      if (state !== undefined && take(file, state)) changed = true;
    }
    if (changed) publish(stateOf(known, watcher.problems));
  }

  /** Decodes one file where its content is new; false where nothing changed. */
  function take(file: string, state: FileState): boolean {
    const before = known.get(file);
    if (state.kind === 'ok' && before?.hash === state.hash) return false;
    const decoded =
      state.kind === 'ok' ? decode(file, state.text) : { config: null, diagnostics: [unreadable(file, state)] };
    const config = decoded.config ?? before?.config ?? null;
    const stale = decoded.config === null && config !== null;
    known.set(file, {
      hash: state.kind === 'ok' ? state.hash : undefined,
      config,
      stale,
      diagnostics: decoded.diagnostics,
    });
    if (stale) log('error', `${file} cannot be used: its last good content stays in force`, { file });
    return true;
  }

  function decode(file: string, text: string): Decoded<T> {
    try {
      return options.decode(file, text);
    } catch (error) {
      // A decoder that throws is a bug of ours, but one file must not take the others with it.
      log('error', `reading ${file} failed: ${String(error)}`, { file, err: error });
      const message = `this file cannot be decoded: ${String(error)}`;
      return { config: null, diagnostics: [{ severity: 'error', code: 'decoder-failed', message, file }] };
    }
  }
}

function unreadable(file: string, state: FileState & { kind: 'unreadable' }): Diagnostic {
  return { severity: 'error', code: 'file-unreadable', message: state.error.message, file };
}

function stateOf<T>(known: ReadonlyMap<string, Known<T>>, problems: readonly PathProblem[]): ProviderState<T> {
  const files: ProvidedFile<T>[] = [];
  const diagnostics: Diagnostic[] = problems.map(problemDiagnostic);
  for (const [file, { config, stale, diagnostics: own }] of [...known].sort(([a], [b]) => comparePaths(a, b))) {
    if (config === null) diagnostics.push(...own);
    else files.push(Object.freeze({ file, config, stale, diagnostics: own }));
  }
  return Object.freeze({ name: 'file', files: Object.freeze(files), diagnostics: Object.freeze(diagnostics) });
}

function problemDiagnostic({ path, code, message }: PathProblem): Diagnostic {
  const severity = code === 'symlinked-directory' || code === 'stale-mount' ? 'warning' : 'error';
  return { severity, code, message, file: path };
}
