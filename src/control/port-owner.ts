import { readdirSync, readFileSync, readlinkSync } from 'node:fs';

/** A process that listens on a port. */
export interface PortOwner {
  readonly pid: number;
  /** Its command line, cut to what fits on a line. */
  readonly command: string;
}

/** TCP_LISTEN of the kernel, as /proc/net/tcp has it. */
const LISTEN = '0A';
const MAX_COMMAND = 80;

/**
 * Who listens on a TCP port, as far as /proc tells: of other users' processes only root learns the name. Reads all of
 * /proc: for a start that has failed anyway.
 *
 * @param proc where it is mounted
 */
export function portOwner(port: number, proc = '/proc'): PortOwner | null {
  const inodes = new Set(['net/tcp', 'net/tcp6'].flatMap((table) => listening(`${proc}/${table}`, port)));
  if (inodes.size === 0) return null;
  for (const name of names(proc)) {
    if (!/^\d+$/.test(name)) continue;
    const holds = names(`${proc}/${name}/fd`).some((fd) => {
      const inode = /^socket:\[(\d+)\]$/.exec(link(`${proc}/${name}/fd/${fd}`))?.[1];
      return inode !== undefined && inodes.has(inode);
    });
    if (holds) return { pid: Number(name), command: commandOf(`${proc}/${name}`) };
  }
  return null;
}

/** `sl local_address rem_address st tx_queue:rx_queue tr:tm->when retrnsmt uid timeout inode …` */
function listening(table: string, port: number): readonly string[] {
  const wanted = port.toString(16).toUpperCase().padStart(4, '0');
  const inodes: string[] = [];
  for (const line of read(table).split('\n').slice(1)) {
    const fields = line.trim().split(/\s+/);
    if (fields[3] === LISTEN && fields[1]?.endsWith(`:${wanted}`) === true && fields[9] !== undefined)
      inodes.push(fields[9]);
  }
  return inodes;
}

function commandOf(directory: string): string {
  const line = read(`${directory}/cmdline`).split('\0').join(' ').trim() || read(`${directory}/comm`).trim();
  const text = line.replace(/[\x00-\x1f\x7f-\x9f]/g, '?');
  return text.length > MAX_COMMAND ? `${text.slice(0, MAX_COMMAND - 1)}…` : text;
}

// Processes come and go, and not all may be looked into: what cannot be read is nothing.

function names(directory: string): readonly string[] {
  try {
    return readdirSync(directory);
  } catch {
    return [];
  }
}

function read(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return '';
  }
}

function link(path: string): string {
  try {
    return readlinkSync(path);
  } catch {
    return '';
  }
}
