import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { certificateMissing, makeCertificate } from './certificate.ts';
import { chooseProcessors, pinSelf } from './measure/processors.ts';
import type { Bench } from './measure/start-peer.ts';
import type { Certificate } from './peers/peer.ts';
import { Processes } from './processes.ts';
import { createProgress } from './progress.ts';
import { startUpstreams } from './upstream/upstream.ts';

export interface SessionSettings {
  readonly rounds: number;
  readonly seconds: number;
  readonly warmupSeconds: number;
  readonly forcedGenerator: string | null;
}

export interface Session {
  readonly bench: Bench;
  /** What the upstreams are, for the report. */
  readonly upstream: string;
  /** Why there is no certificate; null where there is one. */
  readonly noCertificate: string | null;
}

/** Sets up what every way of measuring needs, and takes all of it down again whatever happens. */
export async function withSession<T>(settings: SessionSettings, work: (session: Session) => Promise<T>): Promise<T> {
  const processors = chooseProcessors();
  pinSelf(processors.load);
  const directory = mkdtempSync(join(tmpdir(), 'phoenix-bench-'));
  // Workers of a server that root started may run as another user, who must get through to its files.
  chmodSync(directory, 0o711);
  const processes = new Processes();
  const progress = createProgress();
  const release = stopOnSignal(processes, directory);
  try {
    const upstreams = await startUpstreams(processes, directory, processors.load);
    const noCertificate = certificateMissing();
    const none: Certificate = { certFile: '', keyFile: '', bothFile: '' };
    const certificate = noCertificate === null ? makeCertificate(directory) : none;
    const upstreamPort = upstreams.port;
    const bench: Bench = {
      ...settings,
      processes,
      processors,
      upstreamPort,
      certificate,
      directory,
      progress: progress.say,
    };
    return await work({ bench, upstream: upstreams.note, noCertificate });
  } finally {
    progress.clear();
    await processes.stopAll();
    rmSync(directory, { recursive: true, force: true });
    release();
  }
}

/** On SIGINT and SIGTERM: stops every child by its pid, removes the run's folder, and ends. Gives the undo. */
function stopOnSignal(processes: Processes, directory: string): () => void {
  const stop = (signal: NodeJS.Signals): void => {
    process.stderr.write(`\nbench: ${signal}, stopping\n`);
    void processes.stopAll().finally(() => {
      rmSync(directory, { recursive: true, force: true });
      process.exit(signal === 'SIGINT' ? 130 : 143);
    });
  };
  process.once('SIGINT', stop);
  process.once('SIGTERM', stop);
  return () => {
    process.removeListener('SIGINT', stop);
    process.removeListener('SIGTERM', stop);
  };
}
