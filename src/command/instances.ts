import { readdirSync, realpathSync, statSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { isAlive, runtimeBases } from '../control/runtime-directory.ts';
import { EXIT } from './exit-code.ts';
import { CommandError } from './fail.ts';
import { send } from './send.ts';

/** How a command line names one of several running proxies. */
export interface InstanceOptions {
  /** The static file it runs on. */
  readonly config?: string;
  /** Its control socket. */
  readonly socket?: string;
}

/** One that answers on its control socket. */
interface Instance {
  readonly socket: string;
  readonly pid: number;
  /** Absolute; empty where it runs on flags alone. */
  readonly config: string;
}

const IDENTIFY_WITHIN_MS = 5_000;

/**
 * Finds the control socket of the running proxy that is meant.
 *
 * @throws CommandError with what to do
 */
export async function findInstance(options: InstanceOptions): Promise<string> {
  if (options.socket !== undefined) return checkedSocket(options.socket);
  const bases = searched();
  const closed: string[] = [];
  const found: Instance[] = [];
  for (const base of bases) if (isClosed(base)) closed.push(base);
  for (const socket of bases.flatMap(sockets)) {
    const instance = await identify(socket);
    if (instance === 'closed') closed.push(socket);
    else if (instance !== null) found.push(instance);
  }
  const wanted = options.config === undefined ? undefined : realPath(options.config);
  const matching = wanted === undefined ? found : found.filter((one) => one.config === wanted);
  if (matching.length === 1) return matching[0]!.socket;
  if (matching.length > 1) {
    const list = matching.map((one) => `  --socket ${one.socket}   (process ${one.pid}, ${one.config || 'no file'})`);
    throw new CommandError(EXIT.usage, `several proxies are running; name one:\n${list.join('\n')}`);
  }
  if (closed.length > 0) throw new CommandError(EXIT.refused, closedTo(closed[0]!));
  const others =
    found.length === 0 ? '' : `; those that run use ${found.map((one) => one.config || 'no file').join(', ')}`;
  throw new CommandError(
    EXIT.notRunning,
    wanted === undefined
      ? `no proxy is running (no control socket below ${bases.join(' or ')})`
      : `no proxy is running on ${wanted}${others}`,
  );
}

/** Root also looks where the proxies of other users are. */
function searched(): readonly string[] {
  const own = runtimeBases(process.env);
  if ((process.env.RUNTIME_DIRECTORY ?? '') !== '') return own;
  const others = ['/run/phoenix-proxy'];
  if (process.getuid?.() === 0) {
    for (const user of names('/run/user')) others.push(`/run/user/${user}/phoenix-proxy`);
    for (const name of names('/tmp')) if (/^phoenix-proxy-\d+$/.test(name)) others.push(`/tmp/${name}`);
  }
  return [...new Set([...own, ...others])];
}

function sockets(base: string): string[] {
  return names(base)
    .filter((name) => /^[1-9]\d*$/.test(name) && isAlive(Number(name)))
    .map((name) => join(base, name, 'control.sock'));
}

/** Whether there is a directory that we may not look into. */
function isClosed(directory: string): boolean {
  try {
    readdirSync(directory);
    return false;
  } catch (error) {
    return ['EACCES', 'EPERM'].includes((error as NodeJS.ErrnoException).code ?? '');
  }
}

function names(directory: string): string[] {
  try {
    return readdirSync(directory);
  } catch {
    // Not there, or not ours to read: then there is nothing in it for us.
    return [];
  }
}

/** `closed`: somebody is there whom we may not speak to. `null`: nobody is there. */
async function identify(socket: string): Promise<Instance | 'closed' | null> {
  try {
    const { data } = await send(socket, 'identity', {}, IDENTIFY_WITHIN_MS);
    return { socket, pid: Number(data.pid), config: String(data.config ?? '') };
  } catch (error) {
    return ['EACCES', 'EPERM'].includes((error as NodeJS.ErrnoException).code ?? '') ? 'closed' : null;
  }
}

/** Says at once what is wrong with a socket that was named. */
async function checkedSocket(socket: string): Promise<string> {
  try {
    await send(socket, 'identity', {}, IDENTIFY_WITHIN_MS);
    return socket;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'EACCES' || code === 'EPERM') throw new CommandError(EXIT.refused, closedTo(socket));
    if (code === 'ENOENT') throw new CommandError(EXIT.notRunning, `there is no control socket ${socket}`);
    if (code === 'ECONNREFUSED') {
      throw new CommandError(EXIT.notRunning, `nobody listens on ${socket}: the proxy that made it is dead`);
    }
    throw error;
  }
}

function closedTo(socket: string): string {
  let owner = '';
  try {
    const { uid, gid } = statSync(socket);
    owner = ` It belongs to user ${uid} and group ${gid}.`;
  } catch {
    // Not even that may be known.
  }
  return `permission denied for ${socket}, where the running proxy is spoken to.${owner} Run the command as its owner, as a member of its group, or as root`;
}

function realPath(file: string): string {
  try {
    return realpathSync(file);
  } catch {
    return resolve(file);
  }
}
