import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

/**
 * Holds the rules of import: `core` knows nobody, `control` and `data` know `core` and never each other, the wiring files
 * know what they wire, and there is no cycle, type imports included. Reads the text: one import statement a match.
 */
const SRC = fileURLToPath(new URL('../src', import.meta.url));
const IMPORT =
  /(?:^|\n)\s*(?:import|export)\s[^'"`;]*?from\s*'([^']+)'|import\(\s*'([^']+)'\s*\)|(?:^|\n)import\s*'([^']+)'/g;

/** What files of a part may import from within src. The rest of src are the wiring files at its top. */
const ALLOWED: Readonly<Record<string, readonly string[]>> = {
  core: ['core'],
  control: ['core', 'control'],
  data: ['core', 'data'],
  // Verbs wire: `run` starts the primary, `check` builds a snapshot without running one, the others talk to a running one.
  command: ['core', 'control', 'command', 'primary.ts', 'static-file.ts', 'version.ts'],
};
const TOP: Readonly<Record<string, readonly string[]>> = {
  'worker.ts': ['core', 'data', 'logger.ts', 'line-writer.ts', 'open-log.ts', 'version.ts'],
  'primary.ts': ['core', 'control', 'logger.ts', 'static-file.ts', 'version.ts'],
  'logger.ts': ['core', 'log-line.ts', 'log-destination.ts', 'open-log.ts'],
};
/** Modules with a single place of use, and why. */
const SINGLE: Readonly<Record<string, readonly string[]>> = {
  'node:cluster': ['control/supervisor.ts', 'control/worker-process.ts', 'worker.ts'],
  'js-yaml': ['core/config/yaml.ts', 'core/config/source.ts'],
};
/** Core is pure: no sockets, files or processes. */
const IMPURE = [
  'node:fs',
  'node:fs/promises',
  'node:net',
  'node:tls',
  'node:http',
  'node:child_process',
  'node:cluster',
  'node:worker_threads',
];

const problems: string[] = [];
const graph = new Map<string, string[]>();

for (const entry of readdirSync(SRC, { recursive: true, withFileTypes: true })) {
  if (!entry.isFile() || !entry.name.endsWith('.ts')) continue;
  const file = relative(SRC, join(entry.parentPath, entry.name));
  graph.set(file, importsOf(file));
}
for (const cycle of cycles(graph)) problems.push(`import cycle: ${cycle.join(' → ')}`);

if (problems.length > 0) {
  for (const problem of problems) console.error(problem);
  process.exit(1);
}
console.log(`imports: ${graph.size} files, no cycle, every rule holds`);

function importsOf(file: string): string[] {
  const text = readFileSync(join(SRC, file), 'utf8');
  const part = file.split('/')[0]!;
  const inside: string[] = [];
  for (const match of text.matchAll(IMPORT)) {
    const target = (match[1] ?? match[2] ?? match[3])!;
    if (!target.startsWith('.')) {
      const only = SINGLE[target];
      if (only !== undefined && !only.includes(file))
        problems.push(`${file}: only ${only.join(' and ')} may import ${target}`);
      if (part === 'core' && IMPURE.includes(target))
        problems.push(`${file}: core is pure and may not import ${target}`);
      continue;
    }
    const to = relative(SRC, resolve(SRC, dirname(file), target));
    if (to.startsWith('..')) continue;
    inside.push(to);
    const allowed = ALLOWED[part] ?? TOP[file];
    const toPart = to.split('/')[0]!;
    if (allowed !== undefined && !allowed.includes(toPart)) problems.push(`${file}: may not import ${to}`);
  }
  return inside;
}

function cycles(imports: ReadonlyMap<string, readonly string[]>): string[][] {
  const found: string[][] = [];
  const state = new Map<string, 'open' | 'done'>();
  const path: string[] = [];
  const visit = (file: string): void => {
    if (state.get(file) === 'done') return;
    if (state.get(file) === 'open') {
      found.push([...path.slice(path.indexOf(file)), file]);
      return;
    }
    state.set(file, 'open');
    path.push(file);
    for (const next of imports.get(file) ?? []) visit(next);
    path.pop();
    state.set(file, 'done');
  };
  for (const file of imports.keys()) visit(file);
  return found;
}
