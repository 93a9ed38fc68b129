import { mkdirSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { freePort, waitUntilServing } from '../network.ts';
import { findProgram, type Processes } from '../processes.ts';
import { renderTemplate } from '../template.ts';

const SMALL_BYTES = 128;

/** Paths that the upstreams answer. `streams` has what nginx cannot play. */
export const PATHS = {
  small: '/',
  large: '/1m',
  huge: '/100m',
  upload: '/upload',
  websocket: '/ws',
  events: '/events',
} as const;

export type UpstreamKind = 'files' | 'streams';

export interface Upstreams {
  readonly port: Readonly<Record<UpstreamKind, number>>;
  /** What they are, for the report. */
  readonly note: string;
}

/**
 * Starts the upstreams on the load's processor: for files nginx, else a raw server in Node; for streams one in Node.
 * Rejects when one does not answer.
 */
export async function startUpstreams(
  processes: Processes,
  runDirectory: string,
  processor: string | null,
): Promise<Upstreams> {
  const files = await freePort();
  const nginx = findProgram('nginx');
  const running =
    nginx === null
      ? processes.start('upstream', process.execPath, script('raw-server', files), processor)
      : processes.start('upstream', nginx, nginxArguments(runDirectory, files), processor);
  await waitUntilServing({ port: files, tls: false, path: PATHS.large }, running);
  const streams = await freePort();
  const second = processes.start('stream upstream', process.execPath, script('stream-server', streams), processor);
  await waitUntilServing({ port: streams, tls: false, path: PATHS.small }, second);
  const name = nginx === null ? 'raw Node server (nginx is not installed)' : 'nginx';
  return { port: { files, streams }, note: `${name}, ${SMALL_BYTES}-byte body; streams and uploads: Node` };
}

function script(name: string, port: number): string[] {
  return [join(import.meta.dirname, `${name}.ts`), String(port), String(SMALL_BYTES)];
}

function nginxArguments(runDirectory: string, port: number): string[] {
  const directory = join(runDirectory, 'upstream');
  const files = join(directory, 'files');
  mkdirSync(join(directory, 'temp'), { recursive: true });
  mkdirSync(files, { recursive: true });
  writeFileSync(join(files, PATHS.large), Buffer.alloc(1_048_576, 'x'));
  // Zeros that take no place on the disk.
  writeFileSync(join(files, PATHS.huge), '');
  truncateSync(join(files, PATHS.huge), 104_857_600);
  const values = { port, files, small: 'x'.repeat(SMALL_BYTES) };
  const file = renderTemplate(join(import.meta.dirname, 'nginx.conf'), directory, values);
  return ['-p', directory, '-e', 'stderr', '-c', file];
}
