import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { freePort, waitUntilServing } from '../network.ts';
import { findProgram, type Processes } from '../processes.ts';
import { renderTemplate } from '../template.ts';

const SMALL_BYTES = 128;

/** Paths that the upstream answers. */
export const PATHS = { small: '/', large: '/1m' } as const;

export interface Upstream {
  readonly port: number;
  /** What it is, for the report. */
  readonly note: string;
}

/** Starts the upstream on the load's processor: nginx, else a raw server in Node. Rejects when it does not answer. */
export async function startUpstream(
  processes: Processes,
  runDirectory: string,
  processor: number | null,
): Promise<Upstream> {
  const port = await freePort();
  const nginx = findProgram('nginx');
  const running =
    nginx === null
      ? processes.start('upstream', process.execPath, rawServer(port), processor)
      : processes.start('upstream', nginx, nginxArguments(runDirectory, port), processor);
  await waitUntilServing({ port, tls: false, path: PATHS.large }, running);
  const note = `${nginx === null ? 'raw Node server (nginx is not installed)' : 'nginx'}, ${SMALL_BYTES}-byte body`;
  return { port, note };
}

function rawServer(port: number): string[] {
  return [join(import.meta.dirname, 'raw-server.ts'), String(port), String(SMALL_BYTES)];
}

function nginxArguments(runDirectory: string, port: number): string[] {
  const directory = join(runDirectory, 'upstream');
  const files = join(directory, 'files');
  mkdirSync(join(directory, 'temp'), { recursive: true });
  mkdirSync(files, { recursive: true });
  writeFileSync(join(files, PATHS.large), Buffer.alloc(1_048_576, 'x'));
  const values = { port, files, small: 'x'.repeat(SMALL_BYTES) };
  const file = renderTemplate(join(import.meta.dirname, 'nginx.conf'), directory, values);
  return ['-p', directory, '-e', 'stderr', '-c', file];
}
