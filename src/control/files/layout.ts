import type { Dirent } from 'node:fs';
import { lstat, readdir } from 'node:fs/promises';
import { basename, dirname, extname, join, resolve } from 'node:path';
import { mountPoints } from './mounts.ts';
import type { Observation } from './read.ts';
import { errorCode, Tracer } from './trace.ts';
import { LIMITS, type PathProblem } from './types.ts';

/** Which files there are, where they really are, and which changes of the file system concern them. */
export interface Layout {
  /** Path as the operator sees it → path without links. */
  readonly files: Map<string, string>;
  /** Real path → the paths under which it is seen. */
  readonly byReal: Map<string, Set<string>>;
  /** Real directories whose every entry counts → the paths under which they are seen. */
  readonly listed: Map<string, Set<string>>;
  /** Real directory → names in it by which some path is found (parents, links, what is missing yet): another layout when one changes. */
  readonly links: Map<string, Set<string>>;
  /** Directories to watch → their identity. */
  readonly directories: Map<string, string>;
  /** Files that are mount points: their directory does not hear of changes to them. */
  readonly mounted: Set<string>;
  readonly problems: PathProblem[];
}

/** Whether an entry of a listed directory counts, by its name alone. */
export function isRelevantName(name: string, extensions: ReadonlySet<string> | undefined): boolean {
  if (name.startsWith('.')) return false;
  return extensions === undefined || extensions.has(extname(name).toLowerCase());
}

/** Orders paths as a walk meets them: by name in each directory. */
export function comparePaths(a: string, b: string): number {
  // A slash sorts before every other character, or `a.yml` would come before `a/b.yml`.
  const left = a.replaceAll('/', '\0');
  const right = b.replaceAll('/', '\0');
  return left < right ? -1 : left > right ? 1 : 0;
}

/** Registers a file in a layout. */
export function addFile(layout: Layout, path: string, real: string): void {
  layout.files.set(path, real);
  addTo(layout.byReal, real, path);
}

/** Takes a file out of a layout. */
export function removeFile(layout: Layout, path: string): void {
  const real = layout.files.get(path);
  if (real === undefined) return;
  layout.files.delete(path);
  const seenAs = layout.byReal.get(real);
  seenAs?.delete(path);
  if (seenAs?.size === 0) layout.byReal.delete(real);
}

/** A layout of nothing. */
export function emptyLayout(): Layout {
  return {
    files: new Map(),
    byReal: new Map(),
    listed: new Map(),
    links: new Map(),
    directories: new Map(),
    mounted: new Set(),
    problems: [],
  };
}

/** Mounted files that show an old content: somebody replaced the file that is mounted, and the mount stays with the one that is gone. */
export function staleMounts(layout: Layout, seen: (path: string) => Observation | undefined): PathProblem[] {
  const stale: PathProblem[] = [];
  for (const real of layout.mounted) {
    for (const path of layout.byReal.get(real) ?? []) {
      const observation = seen(path);
      if (observation === undefined || observation === 'missing' || 'code' in observation) continue;
      if (observation.nlink > 0n) continue;
      const message =
        'is a bind mount of a file that has been replaced outside, and shows the old content until it is mounted again; mount its directory instead';
      stale.push({ path, code: 'stale-mount', message });
    }
  }
  return stale;
}

/** Looks at `paths` and, for directories, all below them (bounded by `LIMITS`). Never throws: what cannot be looked at is a problem. */
export async function scanLayout(
  paths: readonly string[],
  extensions: ReadonlySet<string> | undefined,
): Promise<Layout> {
  const layout = emptyLayout();
  const tracer = new Tracer();
  const onStep = (directory: string, name: string) => addTo(layout.links, directory, name);
  for (const path of new Set(paths.map((each) => resolve(each)))) {
    const trace = await tracer.trace(path, onStep);
    if (trace.kind === 'directory') await walk(path, trace.real, 0);
    else if (trace.kind === 'file' || trace.kind === 'other') take(path, trace.real);
    else layout.problems.push(pathProblem(path, trace.code ?? 'ENOENT', trace.real));
  }
  for (const directory of [
    ...layout.links.keys(),
    ...layout.listed.keys(),
    ...[...layout.byReal.keys()].map(dirname),
  ]) {
    if (!layout.directories.has(directory)) {
      layout.directories.set(directory, (await tracer.identity(directory)) ?? '');
    }
  }
  for (const mount of await mountPoints()) if (layout.byReal.has(mount)) layout.mounted.add(mount);
  if (layout.problems.length > LIMITS.problems) {
    const message = `and ${layout.problems.length - LIMITS.problems} more paths cannot be read`;
    const path = layout.problems[LIMITS.problems]?.path ?? '';
    layout.problems.splice(LIMITS.problems, Number.POSITIVE_INFINITY, { path, code: 'too-many-problems', message });
  }
  return layout;

  function take(path: string, real: string): void {
    if (layout.files.size < LIMITS.files) {
      addFile(layout, path, real);
      return;
    }
    if (layout.problems.some((problem) => problem.code === 'too-many-files')) return;
    const message = `more than ${LIMITS.files} files: this one and those after it are not read`;
    layout.problems.push({ path, code: 'too-many-files', message });
  }

  async function walk(directory: string, real: string, depth: number): Promise<void> {
    if (depth > LIMITS.depth || layout.listed.size >= LIMITS.directories) {
      const message = `directories are read ${LIMITS.depth} deep and ${LIMITS.directories} in number: this one is not`;
      layout.problems.push({ path: directory, code: 'too-many-files', message });
      return;
    }
    addTo(layout.listed, real, directory);
    let entries: Dirent[];
    try {
      entries = await readdir(real, { withFileTypes: true });
    } catch (error) {
      layout.problems.push(pathProblem(directory, errorCode(error), real));
      return;
    }
    entries.sort((a, b) => (a.name < b.name ? -1 : 1));
    for (const entry of entries) {
      if (entry.name.startsWith('.')) continue;
      const path = join(directory, entry.name);
      const target = join(real, entry.name);
      const kind = await entryKind(entry, target);
      if (kind === 'directory') {
        addTo(layout.links, real, entry.name);
        await walk(path, target, depth + 1);
      } else if (kind === 'link') {
        // Traefik does not follow a link to a directory either; following would load the same file twice under two names.
        const trace = await tracer.trace(target, onStep);
        if (trace.kind === 'directory') {
          const message = 'a symbolic link to a directory inside a watched directory is not followed';
          layout.problems.push({ path, code: 'symlinked-directory', message });
        } else if (isRelevantName(entry.name, extensions)) {
          if (trace.kind === 'file' || trace.kind === 'other') take(path, trace.real);
          else layout.problems.push(pathProblem(path, trace.code ?? 'ENOENT', trace.real));
        }
      } else if (isRelevantName(entry.name, extensions)) {
        take(path, target);
      }
    }
  }
}

async function entryKind(entry: Dirent, path: string): Promise<'file' | 'directory' | 'link' | 'other'> {
  if (entry.isFile()) return 'file';
  if (entry.isDirectory()) return 'directory';
  if (entry.isSymbolicLink()) return 'link';
  if (entry.isFIFO() || entry.isSocket() || entry.isBlockDevice() || entry.isCharacterDevice()) return 'other';
  // Some file systems do not say what an entry is when they list it.
  try {
    const stats = await lstat(path);
    return stats.isFile() ? 'file' : stats.isDirectory() ? 'directory' : stats.isSymbolicLink() ? 'link' : 'other';
  } catch {
    // Gone between listing and looking: the event of its removal brings another scan.
    return 'other';
  }
}

function pathProblem(path: string, code: string, real: string): PathProblem {
  const where = real === path ? '' : ` (it leads to ${real})`;
  if (code === 'ENOENT' || code === 'ENOTDIR') {
    return { path, code: 'path-missing', message: `does not exist${where}; it is read as soon as it appears` };
  }
  if (code === 'ELOOP') return { path, code: 'path-unreadable', message: `symbolic links lead in a circle${where}` };
  const uid = process.getuid?.();
  const message = `cannot be read: ${code} at ${real}, as uid ${uid}; make ${basename(real)} readable, it is then read at once`;
  return { path, code: 'path-unreadable', message };
}

function addTo(map: Map<string, Set<string>>, key: string, value: string): void {
  const set = map.get(key);
  if (set === undefined) map.set(key, new Set([value]));
  else set.add(value);
}
