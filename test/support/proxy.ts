import { mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { dump, load } from 'js-yaml';
import { afterAll } from 'vitest';
import { type Exit, startChild, stopAll, waitUntilAccepting } from './child.ts';
import { freePort } from './ports.ts';
import { tempDir } from './temp.ts';
import { waitFor } from './wait-for.ts';

const COMMAND = fileURLToPath(new URL('../../bin/proxy', import.meta.url));

export interface ProxyOptions {
  /**
   * The static file. As an object: entry points without an address get a free loopback port, and `providers.file`
   * is completed with the place of the dynamic part given below. As text: taken as it is, where `PORT(name)` stands
   * for a free port (the same for the same name) and `DIR` for the directory of this proxy.
   */
  readonly static?: Record<string, unknown> | string;
  /** One dynamic file as an object or as text, or several: file name → text (then a directory is watched). */
  readonly dynamic?: Record<string, unknown> | string;
  /** Worker processes; 1 unless told, which is what most tests need. */
  readonly workers?: number;
  readonly env?: NodeJS.ProcessEnv;
  /** Further arguments after `run --config FILE --workers N`. */
  readonly args?: readonly string[];
  /** A command that runs the one that follows it in its place, `['unshare', '--mount']`. */
  readonly wrapper?: readonly string[];
  /** Milliseconds until the entry points must accept. */
  readonly readyTimeoutMs?: number;
}

/** A running `bin/proxy run`. `await using` stops it; whatever is left is stopped after the test file. */
export interface ProxyProcess extends AsyncDisposable {
  readonly pid: number;
  /** Where its configuration lives; gone after stop(). */
  readonly dir: string;
  /** The static file. */
  readonly configFile: string;
  /** TCP port of an entry point (the first one unless named), on 127.0.0.1. */
  port(entryPoint?: string): number;
  /** Everything written to standard output and error so far. */
  output(): string;
  /**
   * Replaces a dynamic file: by rename (default), or in place. Does not wait for the proxy to notice.
   *
   * @param file name within the watched directory; the only file unless several were given
   */
  writeDynamic(
    content: Record<string, unknown> | string,
    options?: { inPlace?: boolean; file?: string },
  ): Promise<void>;
  /** The environment under which `proxy VERB` finds it. */
  readonly env: Readonly<Record<string, string>>;
  /** SIGHUP. */
  reload(): void;
  /** Waits for the output to match; returns the match. */
  waitForOutput(pattern: RegExp, timeoutMs?: number): Promise<RegExpExecArray>;
  /** SIGTERM, and waits. The exit says how it went; SIGKILL follows after the deadline (milliseconds). */
  stop(deadlineMs?: number): Promise<Exit>;
  /** SIGKILL to the primary; resolves when it is gone (its workers are killed too). */
  kill9(): Promise<Exit>;
  /** Whether workers were there when the primary had ended. */
  leftBehind(): boolean;
}

afterAll(stopAll);

/**
 * Spawns the real command and waits until every TCP entry point with a known port accepts.
 *
 * @throws Error with the captured output if it exits or stays silent
 */
export async function startProxy(options: ProxyOptions): Promise<ProxyProcess> {
  const temp = await tempDir();
  const tmp = join(temp.path, 'tmp');
  await mkdir(tmp);
  const dynamicFiles = await writeDynamicFiles(temp.path, options.dynamic);
  const { text, ports } = await staticFile(options.static ?? {}, temp.path, dynamicFiles);
  if (ports.size === 0) throw new Error('no entry point whose port is known: write it as PORT(name) in a static text');
  const configFile = join(temp.path, 'proxy.yml');
  await writeFile(configFile, text);

  const [program = COMMAND, ...before] = [...(options.wrapper ?? []), COMMAND];
  const child = startChild(
    program,
    [...before, 'run', '--config', configFile, '--workers', String(options.workers ?? 1), ...(options.args ?? [])],
    // Its own temporary files go with the test's, kill9 or not.
    { TMPDIR: tmp, RUNTIME_DIRECTORY: join(temp.path, 'run'), ...options.env },
  );
  const stop = async (deadlineMs?: number): Promise<Exit> => {
    const how = await child.stop(deadlineMs);
    await temp.remove();
    return how;
  };
  try {
    for (const port of ports.values()) await waitUntilAccepting(child, '127.0.0.1', port, options.readyTimeoutMs);
  } catch (error) {
    await stop();
    throw error;
  }

  return {
    pid: child.pid,
    dir: temp.path,
    configFile,
    env: { RUNTIME_DIRECTORY: options.env?.RUNTIME_DIRECTORY ?? join(temp.path, 'run') },
    output: child.output,
    port: (name) => {
      const port = name === undefined ? [...ports.values()][0] : ports.get(name);
      if (port === undefined)
        throw new Error(`no entry point ${name ?? ''}; there are: ${[...ports.keys()].join(', ')}`);
      return port;
    },
    writeDynamic: async (content, { inPlace = false, file } = {}) => {
      const path = file === undefined ? dynamicFiles.paths[0] : join(dynamicFiles.directory, file);
      if (path === undefined) throw new Error('this proxy was started without a dynamic file: name one');
      await replaceFile(path, asYaml(content), inPlace);
    },
    reload: () => child.kill('SIGHUP'),
    waitForOutput: (pattern, timeoutMs = 45_000) =>
      waitFor(`output like ${pattern}`, () => pattern.exec(child.output()), {
        timeoutMs,
        describe: () => `\n${child.output()}`,
      }),
    stop,
    kill9: async () => {
      child.kill('SIGKILL');
      const how = await child.exit;
      await temp.remove();
      return how;
    },
    leftBehind: child.leftBehind,
    [Symbol.asyncDispose]: async () => void (await stop()),
  };
}

interface DynamicFiles {
  readonly directory: string;
  readonly paths: readonly string[];
  /** What `providers.file` gets; absent without a dynamic part. */
  readonly provider?: Record<string, unknown>;
}

async function writeDynamicFiles(dir: string, dynamic: ProxyOptions['dynamic']): Promise<DynamicFiles> {
  const directory = join(dir, 'dynamic');
  await mkdir(directory);
  if (dynamic === undefined) return { directory, paths: [] };
  if (typeof dynamic === 'object' && isFileTable(dynamic)) {
    const paths: string[] = [];
    for (const [file, text] of Object.entries(dynamic)) {
      const path = join(directory, file);
      await writeFile(path, text);
      paths.push(path);
    }
    return { directory, paths, provider: { directory } };
  }
  const filename = join(directory, 'dynamic.yml');
  await writeFile(filename, asYaml(dynamic));
  return { directory, paths: [filename], provider: { filename } };
}

function isFileTable(value: Record<string, unknown>): value is Record<string, string> {
  const entries = Object.entries(value);
  return entries.length > 0 && entries.every(([key, text]) => /\.(ya?ml|toml)$/.test(key) && typeof text === 'string');
}

interface StaticFile {
  readonly text: string;
  readonly ports: Map<string, number>;
}

async function staticFile(
  config: Record<string, unknown> | string,
  dir: string,
  files: DynamicFiles,
): Promise<StaticFile> {
  if (typeof config === 'string') return staticText(config, dir);
  const ports = new Map<string, number>();
  const entryPoints: Record<string, unknown> = {};
  const given = (config.entryPoints ?? { web: {} }) as Record<string, Record<string, unknown> | null>;
  for (const [name, entryPoint] of Object.entries(given)) {
    const address = String(entryPoint?.address ?? `127.0.0.1:${await freePort()}`);
    entryPoints[name] = { ...entryPoint, address };
    if (!address.endsWith('/udp')) ports.set(name, Number(/:(\d+)(?:\/tcp)?$/.exec(address)?.[1]));
  }
  const own = (config.providers ?? {}) as { file?: Record<string, unknown> };
  const file =
    files.provider === undefined && own.file === undefined ? {} : { file: { ...files.provider, ...own.file } };
  const providers = { ...own, ...file };
  return { text: asYaml({ ...config, entryPoints, providers }), ports };
}

async function staticText(config: string, dir: string): Promise<StaticFile> {
  const placeholders = new Map<string, number>();
  for (const [, name = ''] of config.matchAll(/PORT\((\w+)\)/g)) {
    if (!placeholders.has(name)) placeholders.set(name, await freePort());
  }
  const text = config
    .replace(/PORT\((\w+)\)/g, (_, name: string) => String(placeholders.get(name)))
    .replaceAll(/\bDIR\b/g, dir);
  return { text, ports: placeholders };
}

function asYaml(content: Record<string, unknown> | string): string {
  return typeof content === 'string' ? content : dump(content);
}

async function replaceFile(path: string, text: string, inPlace: boolean): Promise<void> {
  if (inPlace) return writeFile(path, text);
  // Dotfiles are ignored by the file provider, so the half-written file is never read.
  const next = join(path, '..', `.${Date.now()}.next`);
  await writeFile(next, text);
  await rename(next, path);
}

/** Reads back a YAML file that a test wrote. */
export async function readYaml(path: string): Promise<unknown> {
  return load(await readFile(path, 'utf8'));
}
