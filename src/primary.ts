import { randomBytes } from 'node:crypto';
import { rmSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { startInternalServer } from './control/api/server.ts';
import { type BuildOutcome, buildSnapshot } from './control/build/build-snapshot.ts';
import { diffSnapshots } from './control/build/diff.ts';
import { Material } from './control/files/material.ts';
import { type FileProvider, type ProviderState, startFileProvider } from './control/providers/file.ts';
import { makeRuntimeDirectory } from './control/runtime-directory.ts';
import { Supervisor } from './control/supervisor.ts';
import { assignSockets, takePassedSockets } from './control/systemd/passed-sockets.ts';
import { ServiceManager } from './control/systemd/service-manager.ts';
import { generateDefaultCertificate } from './control/tls/default-certificate.ts';
import { type DecodedDynamic, decodeDynamic } from './core/config/decode.ts';
import type { StaticConfig } from './core/config/static.ts';
import { type Diagnostic, formatDiagnostic } from './core/diagnostic.ts';
import type { Snapshot } from './core/snapshot.ts';
import { checkLogFile, createLogger, type Logger } from './logger.ts';
import type { LoadedStatic } from './static-file.ts';
import { VERSION } from './version.ts';

/** What the file provider keeps of each file: what was decoded, and the text that places are counted in. */
interface FileContent {
  readonly text: string;
  readonly decoded: DecodedDynamic;
}

/**
 * The control plane, from start to end:
 *
 *   bind ─► files ─► build ─► workers ─► ready ─► (change ─► build ─► publish)* ─► drain ─► exit
 */
export class Primary {
  readonly #loaded: LoadedStatic;
  readonly #config: StaticConfig;
  readonly #log: Logger;
  readonly #startedAt = new Date();
  readonly #directory = makeRuntimeDirectory();
  readonly #ticketKeys = randomBytes(48).toString('base64');
  readonly #closers: (() => Promise<void>)[] = [];
  /** Set once the workers are about to be started. */
  #supervisor: Supervisor | null = null;
  #material!: Material;
  #provider: FileProvider | null = null;
  #files: ProviderState<FileContent> = { name: 'file', files: [], diagnostics: [] };
  #defaultCertificate!: Snapshot['tls']['defaultCertificate'];
  #live: Snapshot | null = null;
  #diagnostics: readonly Diagnostic[] = [];
  #said = new Set<string>();
  #publishing: Promise<void> | null = null;
  #again = false;
  #stops = 0;
  readonly #manager: ServiceManager;
  #lastReload = '';

  constructor(loaded: LoadedStatic) {
    this.#loaded = loaded;
    this.#config = loaded.config;
    this.#log = createLogger(loaded.config.log);
    this.#manager = new ServiceManager(process.env, this.#logTo);
  }

  /** Resolves when every entry point is served. @throws BindError, Error with what to do */
  async start(): Promise<void> {
    const config = this.#config;
    const log = this.#logTo;
    this.#tell(this.#loaded.diagnostics);
    // Found out here, once, rather than by each worker in turn.
    if (config.accessLog?.filePath) checkLogFile(config.accessLog.filePath, 'accessLog.filePath');
    // Its key takes a while to make: the files are read meanwhile.
    const certificate = generateDefaultCertificate(Date.now());
    const watch = config.providers.file?.watch ?? true;
    this.#material = await Material.open({ watch, log }, () => this.#changed());
    this.#closers.push(() => this.#material.close());
    await this.#startFileProvider(watch);

    this.#defaultCertificate = await certificate;
    const built = this.#build(1);
    // It may have been told to stop by now.
    if (this.#stops > 0) return;
    const supervisor = new Supervisor({
      workers: config.workers ?? availableParallelism(),
      settings: { log: config.log, ...(config.accessLog === undefined ? {} : { accessLog: config.accessLog }) },
      exec: fileURLToPath(new URL(import.meta.url.endsWith('.ts') ? './worker.ts' : './worker.js', import.meta.url)),
      log,
    });
    this.#supervisor = supervisor;
    const wanted = Object.values(built.snapshot.entryPoints);
    supervisor.bind(built.snapshot.entryPoints, assignSockets(takePassedSockets(process.env, log), wanted, log));
    const internal = await startInternalServer({
      socketPath: this.#socketPath,
      log,
      state: () => ({
        snapshot: this.#live ?? built.snapshot,
        static: config,
        diagnostics: this.#diagnostics,
        startedAt: this.#startedAt,
        draining: this.#stops > 0,
        version: VERSION,
        terminatingStatusCode: config.ping?.terminatingStatusCode ?? 503,
      }),
    });
    this.#closers.push(() => internal.close());
    this.#take(built);
    await supervisor.start(built.snapshot);
    void this.#material.watch(built.referencedFiles);
    const places = Object.values(built.snapshot.entryPoints).map(
      (e) => `${e.name} on ${e.host === '::' ? '' : e.host}:${e.port}`,
    );
    const { routers, services } = built.snapshot.http;
    this.#log.info(
      `ready: ${places.join(', ')}; ${Object.keys(routers).length} routers, ${Object.keys(services).length} services, ${supervisor.workers.length} workers`,
    );
    if (this.#stops === 0)
      this.#manager.ready(this.#status, () => supervisor.workers.some((w) => w.state === 'serving'));
  }

  /** SIGHUP: reads everything again. */
  async reload(): Promise<void> {
    this.#log.info('reloading: every file is read again');
    this.#manager.reloading();
    const before = this.#live?.version;
    await this.#provider?.reload();
    await this.#material.rescan();
    this.#changed();
    await this.#publishing;
    const now = this.#live?.version;
    const outcome = now === before ? `nothing changed, version ${now} is live` : `version ${now} is live`;
    this.#log.info(`reloaded: ${outcome}`);
    this.#lastReload = `; last reload ${new Date().toISOString()}: ${outcome}`;
    this.#manager.reloaded(this.#status);
  }

  /** SIGUSR1: log files are closed and opened again. */
  reopen(): void {
    this.#log.reopen();
    this.#supervisor?.tell({ type: 'reopen' });
  }

  /** SIGTERM, SIGINT: drains and resolves when everything is closed. A second call cuts at once. */
  async stop(): Promise<void> {
    const graces = Object.values(this.#live?.entryPoints ?? {}).map((e) => e.lifeCycle);
    const accept = Math.max(0, ...graces.map((g) => g.requestAcceptGraceMs));
    const grace = Math.max(0, ...graces.map((g) => g.graceMs));
    if (++this.#stops === 1) this.#log.info(`stopping: requests under way have ${grace / 1000} s`);
    const told = this.#manager.stopping('finishing what is under way');
    await this.#supervisor?.stop(accept, grace);
    await told;
    this.#manager.close();
    if (this.#stops > 1 && this.#closers.length === 0) return;
    await Promise.allSettled(this.#closers.splice(0).map((close) => close()));
    this.discard();
    this.#log.info('stopped');
    await new Promise<void>((resolve) => this.#log.close(resolve));
  }

  /** Removes what lies on disk for this process alone. */
  discard(): void {
    rmSync(this.#directory, { recursive: true, force: true });
  }

  /** One line for the service manager. */
  get #status(): string {
    const routers = Object.keys(this.#live?.http.routers ?? {}).length;
    const workers = this.#supervisor?.workers.filter(({ state }) => state === 'serving').length ?? 0;
    return `version ${this.#live?.version ?? 0} live, ${routers} routers, ${workers} workers${this.#lastReload}`;
  }

  get #socketPath(): string {
    return join(this.#directory, 'internal.sock');
  }

  async #startFileProvider(watch: boolean): Promise<void> {
    const file = this.#config.providers.file;
    if (file === undefined) return;
    const provider = await startFileProvider<FileContent>(
      {
        ...(file.directory === undefined ? {} : { directory: file.directory }),
        ...(file.filename === undefined ? {} : { filename: file.filename }),
        ...(file.poll > 0 ? { poll: file.poll } : {}),
        watch,
        decode: (name, text) => {
          const decoded = decodeDynamic(name, text);
          return { config: decoded.config === null ? null : { text, decoded }, diagnostics: decoded.diagnostics };
        },
        log: this.#logTo,
      },
      (state) => {
        this.#files = state;
        this.#changed();
      },
    );
    this.#provider = provider;
    this.#closers.push(() => provider.close());
  }

  #build(version: number): BuildOutcome {
    return buildSnapshot({
      version,
      now: Date.now(),
      static: this.#config,
      locateStatic: this.#loaded.locate,
      sources: this.#files.files.map(({ file, config }) => ({
        provider: 'file',
        file,
        text: config.text,
        decoded: config.decoded,
      })),
      read: this.#material.read,
      defaultCertificate: this.#defaultCertificate,
      ticketKeys: this.#ticketKeys,
      internalSocket: this.#socketPath,
      ...(this.#live === null ? {} : { live: this.#live }),
    });
  }

  /** Something that a build reads has changed. Changes that come while one is published are taken together. */
  #changed(): void {
    if (this.#live === null || this.#stops > 0) return;
    if (this.#publishing !== null) {
      this.#again = true;
      return;
    }
    this.#publishing = this.#publish().finally(() => {
      this.#publishing = null;
    });
  }

  async #publish(): Promise<void> {
    do {
      this.#again = false;
      const before = this.#live!;
      const built = this.#build(before.version + 1);
      const diff = diffSnapshots(before, built.snapshot);
      if (diff.same) {
        this.#diagnose(built);
        continue;
      }
      const result = await this.#supervisor!.publish(built.snapshot);
      for (const problem of result.problems) this.#log.warn(problem);
      if (result.applied === 0) {
        this.#log.error(`no worker took version ${result.version}: version ${before.version} stays live`);
        continue;
      }
      this.#take(built);
      const took = Date.now() - built.snapshot.createdAt;
      this.#log.info(`version ${result.version} is live in ${result.applied} workers after ${took} ms`, {
        routers: summary(diff.routers),
        services: summary(diff.services),
        certificates: summary(diff.certificates),
      });
      void this.#material.watch(built.referencedFiles);
    } while (this.#again);
  }

  #take(built: BuildOutcome): void {
    this.#live = built.snapshot;
    this.#diagnose(built);
    this.#manager.status(this.#status);
  }

  #diagnose(built: BuildOutcome): void {
    this.#diagnostics = [
      ...this.#loaded.diagnostics,
      ...this.#files.diagnostics,
      ...this.#files.files.flatMap((file) => file.diagnostics),
      ...built.diagnostics,
    ];
    this.#tell(this.#diagnostics);
  }

  /** Says what is new among the findings; one that went away may be said again later. */
  #tell(diagnostics: readonly Diagnostic[]): void {
    const now = new Set<string>();
    for (const diagnostic of diagnostics) {
      const line = formatDiagnostic(diagnostic);
      if (now.has(line)) continue;
      now.add(line);
      if (this.#said.has(line)) continue;
      this.#log[diagnostic.severity === 'warning' ? 'warn' : diagnostic.severity](line);
    }
    this.#said = now;
  }

  readonly #logTo = (level: 'debug' | 'info' | 'warn' | 'error', message: string, fields?: object): void =>
    this.#log[level](message, fields as Record<string, unknown> | undefined);
}

function summary(changes: {
  readonly added: readonly string[];
  readonly changed: readonly string[];
  readonly removed: readonly string[];
}): string {
  return `+${changes.added.length} ~${changes.changed.length} -${changes.removed.length}`;
}
