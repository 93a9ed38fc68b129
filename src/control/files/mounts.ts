import { readFile, statfs } from 'node:fs/promises';

/** File systems whose other users' changes the local kernel does not tell of; numbers of statfs(2). */
const REMOTE = new Map<number, string>([
  [0x6969, 'nfs'],
  [0x01021997, '9p'],
  [0x65735546, 'fuse'],
  [0xff534d42, 'cifs'],
  [0xfe534d42, 'smb2'],
  [0x517b, 'smb'],
  [0x786f4256, 'vboxsf'],
  [0x00c36400, 'ceph'],
  [0x5346414f, 'afs'],
]);

/** Name of the remote file system that holds `directory`; undefined where changes are heard of. */
export async function remoteFileSystem(directory: string): Promise<string | undefined> {
  try {
    return REMOTE.get(Number((await statfs(directory)).type) >>> 0);
  } catch {
    // Gone or closed to us: the attempt to watch it says so.
    return undefined;
  }
}

/**
 * All mount points, from /proc/self/mountinfo (proc_pid_mountinfo(5)); empty where there is none. A bind mount of a single file has its parent
 * elsewhere, so the directory in which it is seen never hears that it was written.
 */
export async function mountPoints(): Promise<readonly string[]> {
  let text: string;
  try {
    text = await readFile('/proc/self/mountinfo', 'utf8');
  } catch {
    return [];
  }
  const points: string[] = [];
  for (const line of text.split('\n')) {
    const point = line.split(' ')[4];
    if (point !== undefined)
      points.push(point.replace(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(parseInt(octal, 8))));
  }
  return points;
}
