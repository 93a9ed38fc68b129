import { readdirSync, readFileSync } from 'node:fs';
import { isIPv6 } from 'node:net';
import { dirname, extname, join, resolve } from 'node:path';
import type { Command } from 'commander';
import { readEntryPoints } from '../control/build/entry-points.ts';
import { Findings } from '../control/build/findings.ts';
import { decodeDynamic } from '../core/config/decode.ts';
import { type LoadedStatic, loadStatic } from '../static-file.ts';

/** What an installer must know of a configuration: what is listened on, read and written, and by whom. */
export interface Installation {
  readonly config: string | null;
  readonly listen: readonly { readonly name: string; readonly address: string }[];
  /** Files and directories. */
  readonly read: readonly string[];
  /** Log files: rotated, so that their directories must be writable too. */
  readonly log?: string;
  readonly accessLog?: string;
  /** Files with private keys, which nobody else may read. */
  readonly secret: readonly { readonly path: string; readonly resolver: string }[];
  /** How long a stop may take by the entry points' lifeCycle. */
  readonly stopSeconds: number;
}

/** `proxy installation`, for config/install.sh: not in the help, since it says nothing to people. Takes the flags of `run`. */
export function addInstallation(program: Command): void {
  program
    .command('installation', { hidden: true })
    .allowUnknownOption()
    .allowExcessArguments()
    .action(() => {
      process.stdout.write(formatInstallation(planInstallation(process.argv.slice(3), process.env)));
    });
}

/** Where dynamic files name other files. */
const FILE_KEYS = new Set(['certFile', 'keyFile', 'rootCAs', 'caFiles', 'usersFile', 'ca', 'cert', 'key']);

/** Reads the configuration as `run` would. @throws StaticConfigError */
export function planInstallation(flags: readonly string[], env: NodeJS.ProcessEnv): Installation {
  const loaded = loadStatic(flags, env);
  const { config } = loaded;
  const read = new Set<string>();
  if (loaded.file !== undefined) read.add(resolve(loaded.file));
  addPaths(config, read);
  for (const path of dynamicFiles(loaded, read)) {
    read.add(dirname(path));
    read.add(path);
    const { config: dynamic } = decodeDynamic(path, readText(path));
    if (dynamic !== null) addPaths(dynamic, read);
  }
  const entryPoints = Object.values(readEntryPoints(config, (path) => ({ path }), new Findings()).snapshots);
  const lifeCycles = entryPoints.map(({ lifeCycle }) => lifeCycle.requestAcceptGraceMs + lifeCycle.graceMs);
  return {
    config: loaded.file === undefined ? null : resolve(loaded.file),
    listen: entryPoints.map(({ name, host, port }) => ({ name, address: listenStream(host, port) })),
    // What is above comes first.
    read: [...read].sort(),
    ...(config.log.filePath ? { log: resolve(config.log.filePath) } : {}),
    ...(config.accessLog?.filePath ? { accessLog: resolve(config.accessLog.filePath) } : {}),
    secret: Object.entries(config.certificatesResolvers).flatMap(([resolver, { acme }]) =>
      acme === undefined ? [] : [{ path: resolve(acme.storage), resolver }],
    ),
    stopSeconds: Math.ceil(Math.max(10_000, ...lifeCycles) / 1000),
  };
}

/** One line for a fact, its parts separated by tabs: what a shell can read. */
export function formatInstallation(plan: Installation): string {
  const lines = [
    ...(plan.config === null ? [] : [`config\t${plan.config}`]),
    ...plan.listen.map(({ name, address }) => `listen\t${name}\t${address}`),
    ...plan.read.map((path) => `read\t${path}`),
    ...(plan.log === undefined ? [] : [`log\t${plan.log}`]),
    ...(plan.accessLog === undefined ? [] : [`access-log\t${plan.accessLog}`]),
    ...plan.secret.map(({ path, resolver }) => `secret\t${path}\t${resolver}`),
    `stop-seconds\t${plan.stopSeconds}`,
  ];
  return lines.map((line) => `${line}\n`).join('');
}

/** As systemd writes an address (ListenStream=). */
function listenStream(host: string, port: number): string {
  if (host === '::') return String(port);
  return isIPv6(host) ? `[${host}]:${port}` : `${host}:${port}`;
}

/** The directory itself counts: new files in it must be seen. */
function dynamicFiles({ config }: LoadedStatic, read: Set<string>): string[] {
  const file = config.providers.file;
  if (file?.directory !== undefined) {
    const directory = resolve(file.directory);
    read.add(directory);
    const names = readdirSync(directory, { recursive: true, encoding: 'utf8' });
    return names
      .filter((name) => ['.yml', '.yaml', '.toml'].includes(extname(name)))
      .map((name) => join(directory, name));
  }
  return file?.filename === undefined ? [] : [resolve(file.filename)];
}

function readText(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    // Gone or a directory: the check of the configuration says so, with its place.
    return '';
  }
}

/** Adds every absolute path that stands where a file can be named. Content in its place (PEM) has no leading slash. */
function addPaths(value: unknown, out: Set<string>, key = ''): void {
  if (typeof value === 'string') {
    if (FILE_KEYS.has(key) && value.startsWith('/') && !value.includes('\n')) out.add(value);
  } else if (Array.isArray(value)) {
    for (const item of value) addPaths(item, out, key);
  } else if (typeof value === 'object' && value !== null) {
    for (const [name, item] of Object.entries(value)) addPaths(item, out, name);
  }
}
