import { randomBytes } from 'node:crypto';
import { realpathSync, rmSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join, resolve } from 'node:path';
import { acmeProgress, certificateVerbs } from './control/acme-commands.ts';
import { openAcme } from './control/acme-open.ts';
import type { AcmeService } from './control/acme-service.ts';
import { startInternalServer } from './control/api/server.ts';
import { type BuildOutcome, buildSnapshot } from './control/build/build-snapshot.ts';
import type { SnapshotDiff } from './control/build/diff.ts';
import { explainVerb } from './control/command/explain.ts';
import { routesVerb } from './control/command/routes.ts';
import { type CommandVerb, startCommandServer } from './control/command/server.ts';
import { Material } from './control/files/material.ts';
import { drainVerbs } from './control/health/drain-commands.ts';
import { Health } from './control/health/health.ts';
import { isOwnAddress } from './control/own-address.ts';
import { type FileProvider, type ProviderState, startFileProvider } from './control/providers/file.ts';
import { Publisher } from './control/publisher.ts';
import { type ReloadVerdict, summarize, verdictOf } from './control/reload.ts';
import { makeRuntimeDirectory } from './control/runtime-directory.ts';
import { takeStaticChanges } from './control/static-changes.ts';
import { type ProxyStatus, statusOf } from './control/status.ts';
import { type PublishResult, type RestartResult, Supervisor } from './control/supervisor.ts';
import { assignSockets, takePassedSockets } from './control/systemd/passed-sockets.ts';
import { ServiceManager } from './control/systemd/service-manager.ts';
import { generateDefaultCertificate } from './control/tls/default-certificate.ts';
import { ExpiryWatch } from './control/tls/expiry-watch.ts';
import { formatAddress } from './core/config/address.ts';
import { type DecodedDynamic, decodeDynamic } from './core/config/decode.ts';
import type { StaticConfig } from './core/config/static.ts';
import { type Diagnostic, formatDiagnostic } from './core/diagnostic.ts';
import type { Snapshot } from './core/snapshot.ts';
import { StaticConfigError } from './core/static-config-error.ts';
import { checkLogFile, createLogger, type Logger } from './logger.ts';
import type { LoadedStatic } from './static-file.ts';
import { VERSION } from './version.ts';

/** What the file provider keeps of each file: what was decoded, and the text that places are counted in. */
interface FileContent {
  readonly text: string;
  readonly decoded: DecodedDynamic;
}

/** What a primary is started with. */
export interface PrimaryOptions {
  readonly loaded: LoadedStatic;
  /** Reads the static configuration again. @throws StaticConfigError */
  readonly reread: () => LoadedStatic;
  /** Where worker.ts lies, as the command was called: a link in the path is followed anew at each start of a worker. */
  readonly directory: string;
}

/** How long replaced workers may finish what is under way: a stream of tokens takes minutes. */
const RETIRE_GRACE_MS = 3_600_000;

/**
 * The control plane, from start to end:
 *
 *   bind ─► files ─► build ─► workers ─► ready ─► (change ─► build ─► publish)* ─► drain ─► exit
 */
export class Primary {
  readonly #options: PrimaryOptions;
  /** What runs: a reload takes over what can be changed while running. */
  #loaded: LoadedStatic;
  #config: StaticConfig;
  readonly #log: Logger;
  readonly #startedAt = new Date();
  readonly #directory = makeRuntimeDirectory(process.env);
  readonly #ticketKeys = randomBytes(48).toString('base64');
  readonly #closers: (() => Promise<void>)[] = [];
  readonly #publisher: Publisher;
  /** Set once the workers are about to be started. */
  #supervisor: Supervisor | null = null;
  #material!: Material;
  #provider: FileProvider | null = null;
  /** An expired certificate is a finding, and what it covered is ordered. */
  readonly #expiry = new ExpiryWatch(() => this.#publisher.changed('certificates'));
  /** Null where no resolver is configured. */
  #acme: AcmeService | null = null;
  readonly #health: Health;
  #files: ProviderState<FileContent> = { name: 'file', files: [], diagnostics: [] };
  #defaultCertificate!: Snapshot['tls']['defaultCertificate'];
  #staticFindings: readonly Diagnostic[];
  #diagnostics: readonly Diagnostic[] = [];
  #said = new Set<string>();
  #reloading: Promise<ReloadVerdict> | null = null;
  #stops = 0;
  readonly #manager: ServiceManager;
  #lastReload = '';

  constructor(options: PrimaryOptions) {
    this.#options = options;
    this.#loaded = options.loaded;
    this.#config = options.loaded.config;
    this.#staticFindings = options.loaded.diagnostics;
    this.#log = createLogger(this.#config.log);
    this.#manager = new ServiceManager(process.env, this.#logTo);
    this.#health = new Health({ publish: (table) => this.#supervisor?.health(table), log: this.#logTo });
    this.#publisher = new Publisher({
      build: (version, live) => this.#build(version, live),
      publish: (snapshot) => this.#supervisor!.publish(snapshot),
      built: (outcome) => this.#diagnose(outcome),
      wanted: (outcome) => this.#acme?.want(outcome.wanted),
      live: (outcome, diff, result) => this.#wentLive(outcome, diff, result),
      broken: (error, problem) => this.#log.error(problem, { error }),
      refused: (result, live) =>
        this.#log.error(
          `version ${result.version} was refused by workers, and taken back: version ${live.version} stays live`,
        ),
    });
  }

  /** Resolves when every entry point is served. @throws BindError, Error with what to do */
  async start(): Promise<void> {
    const config = this.#config;
    const log = this.#logTo;
    this.#tell(this.#staticFindings);
    // Found out here, once, rather than by each worker in turn.
    if (config.accessLog?.filePath) checkLogFile(config.accessLog.filePath, 'accessLog.filePath');
    // Not later: the workers' processes must not have them.
    const passed = takePassedSockets(process.env, log);
    const supervisor = new Supervisor({
      workers: this.#wantedWorkers,
      settings: { log: config.log, ...(config.accessLog === undefined ? {} : { accessLog: config.accessLog }) },
      outliers: (reports) => this.#health.report(reports),
      exec: join(this.#options.directory, import.meta.url.endsWith('.ts') ? 'worker.ts' : 'worker.js'),
      log,
    });
    this.#supervisor = supervisor;
    // Processes start, and the default certificate's key is made, while the files are read.
    supervisor.prepare();
    const certificate = generateDefaultCertificate(Date.now());
    const watch = config.providers.file?.watch ?? true;
    this.#material = await Material.open({ watch, log }, () => this.#publisher.changed());
    this.#closers.push(() => this.#material.close());
    await this.#startFileProvider(watch);

    this.#acme = await openAcme(config, {
      log,
      changed: () => this.#publisher.changed('certificates'),
      deliver: async (challenges) => this.#supervisor?.challenge(challenges),
      isSelf: (address, port) => isOwnAddress(address, port, this.#publisher.live?.entryPoints ?? {}),
    });
    this.#closers.push(async () => this.#acme?.close());

    this.#defaultCertificate = await certificate;
    const built = this.#publisher.first();
    // It may have been told to stop by now.
    if (this.#stops > 0) return;
    const wanted = Object.values(built.snapshot.entryPoints);
    supervisor.bind(built.snapshot.entryPoints, assignSockets(passed, wanted, log));
    const internal = await startInternalServer({
      socketPath: this.#socketPath,
      log,
      state: () => ({
        snapshot: this.#publisher.live ?? built.snapshot,
        static: this.#config,
        diagnostics: this.#diagnostics,
        startedAt: this.#startedAt,
        draining: this.#stops > 0,
        version: VERSION,
        serverStatus: (service, url) => this.#health.of(service, url).status,
        terminatingStatusCode: this.#config.ping?.terminatingStatusCode ?? 503,
        ...(this.#publisher.live === null ? {} : { status: () => this.#status(supervisor) }),
        ...(this.#acme === null ? {} : { keyAuthorization: this.#acme.keyAuthorization }),
      }),
    });
    this.#closers.push(() => internal.close());
    this.#publisher.begin(built);
    this.#acme?.want(built.wanted);
    this.#health.follow(built.snapshot);
    this.#closers.push(() => this.#health.close());
    const commands = await startCommandServer({
      socketPath: join(this.#directory, 'control.sock'),
      verbs: this.#verbs(supervisor),
      log,
    });
    this.#closers.push(() => commands.close());
    await supervisor.start(built.snapshot);
    void this.#material.watch(built.referencedFiles);
    this.#acme?.begin();
    const places = Object.values(built.snapshot.entryPoints).map(
      (e) => `${e.name} on ${formatAddress(e.host, e.port)}`,
    );
    const { routers, services } = built.snapshot.http;
    this.#log.info(
      `ready: ${places.join(', ')}; ${Object.keys(routers).length} routers, ${Object.keys(services).length} services, ${supervisor.workers.length} workers`,
    );
    if (this.#stops === 0)
      this.#manager.ready(
        () => this.#summary,
        () => supervisor.healthy > 0,
      );
  }

  /** SIGHUP, `proxy reload`: reads everything again. One that is asked for while another runs is done behind it. */
  async reload(): Promise<ReloadVerdict> {
    // Whatever became of the one before: whoever asked for that is told.
    while (this.#reloading !== null) await this.#reloading.catch(() => undefined);
    this.#reloading = this.#reload().finally(() => {
      this.#reloading = null;
    });
    return this.#reloading;
  }

  /** SIGHUP: as {@link reload}, where nobody waits for the verdict. What goes wrong in it must not end a proxy that serves. */
  reloadByItself(): void {
    if (this.#stops > 0) return;
    this.reload().catch((error: unknown) =>
      this.#log.error('the reload failed in the proxy: what was live goes on', { error }),
    );
  }

  async #reload(): Promise<ReloadVerdict> {
    const from = performance.now();
    this.#log.info('reloading: every file is read again');
    this.#manager.reloading();
    await this.#publisher.settled();
    const before = this.#publisher.before!;
    const { taken, needsRestart } = this.#rereadStatic();
    await this.#provider?.reload();
    await this.#material.rescan();
    this.#publisher.changed();
    await this.#publisher.settled();
    const verdict = verdictOf(before, this.#publisher.live!, {
      diagnostics: this.#diagnostics,
      taken,
      needsRestart,
      problem: this.#publisher.problem,
      took: Math.round(performance.now() - from),
    });
    this.#publisher.told();
    const { version } = verdict;
    const changes = summarize(verdict.changes);
    const what =
      changes === '' ? `nothing changed, version ${version} is live` : `version ${version} is live: ${changes}`;
    if (verdict.ok) this.#log.info(`reloaded: ${what}`);
    else this.#log.error(`reloaded with errors: ${verdict.problem ?? what}`);
    const outcome = verdict.ok ? what : `with errors: ${verdict.problem ?? what}`;
    this.#lastReload = `; last reload ${new Date().toISOString()}: ${outcome}`;
    this.#manager.reloaded();
    if (needsRestart.length > 0) this.#log.warn(`a restart is needed for: ${needsRestart.join(', ')}`);
    return verdict;
  }

  /** Takes over what of the static configuration can change while running. With errors in it, it stays as it is. */
  #rereadStatic(): { readonly taken: readonly string[]; readonly needsRestart: readonly string[] } {
    let read: LoadedStatic;
    try {
      read = this.#options.reread();
    } catch (error) {
      if (!(error instanceof StaticConfigError)) throw error;
      const file = this.#loaded.file;
      const unread: Diagnostic = {
        severity: 'error',
        code: 'static-unread',
        message: `${error.message}; the one that runs stays`,
        ...(file === undefined ? {} : { file }),
      };
      this.#staticFindings = error.diagnostics.length > 0 ? error.diagnostics : [unread];
      return { taken: [], needsRestart: [] };
    }
    this.#staticFindings = read.diagnostics;
    const { config, taken, needsRestart } = takeStaticChanges(this.#config, read.config);
    this.#config = config;
    this.#loaded = { ...read, config };
    if (taken.length > 0) this.#log.info(`static settings taken: ${taken.join(', ')}`);
    return { taken, needsRestart };
  }

  /** SIGUSR2, `proxy restart-workers`: one worker after the other, with the code that lies on disk now. */
  async restartWorkers(graceMs = RETIRE_GRACE_MS): Promise<RestartResult> {
    this.#log.info('restarting the workers, one after the other');
    const result = (await this.#supervisor?.restart(graceMs)) ?? { replaced: 0, problem: 'there are no workers yet' };
    if (result.problem === undefined) this.#log.info(`${result.replaced} workers were replaced`);
    else this.#log.error(`the restart of the workers was broken off after ${result.replaced}: ${result.problem}`);
    return result;
  }

  /** SIGUSR2: as {@link restartWorkers}, where nobody waits for what comes of it. */
  restartByItself(): void {
    this.restartWorkers().catch((error: unknown) =>
      this.#log.error('the restart of the workers failed in the proxy', { error }),
    );
  }

  /** SIGUSR1: log files are closed and opened again. */
  reopen(): void {
    this.#log.reopen();
    this.#supervisor?.tell({ type: 'reopen' });
  }

  /** SIGTERM, SIGINT: drains and resolves when everything is closed. A second call cuts at once. */
  async stop(): Promise<void> {
    const graces = Object.values(this.#publisher.live?.entryPoints ?? {}).map((e) => e.lifeCycle);
    const accept = Math.max(0, ...graces.map((g) => g.requestAcceptGraceMs));
    const grace = Math.max(0, ...graces.map((g) => g.graceMs));
    this.#publisher.stop();
    if (++this.#stops === 1) this.#log.info(`stopping: requests under way have ${grace / 1000} s`);
    const told = this.#manager.stopping('finishing what is under way');
    await this.#supervisor?.stop(accept, grace);
    await told;
    this.#manager.close();
    if (this.#stops > 1 && this.#closers.length === 0) return;
    await Promise.allSettled(this.#closers.splice(0).map((close) => close()));
    this.#discard();
    this.#log.info('stopped');
    await new Promise<void>((resolve) => this.#log.close(resolve));
  }

  /** This process exits, stopped or not: leaves no worker that is just starting, and nothing on disk. */
  abandon(): void {
    this.#supervisor?.endStarting();
    this.#discard();
  }

  /** Removes what lies on disk for this process alone. */
  #discard(): void {
    rmSync(this.#directory, { recursive: true, force: true });
  }

  /** One line for the service manager. */
  get #summary(): string {
    const { version, http } = this.#publisher.live!;
    const routers = count(Object.keys(http.routers).length, 'router');
    return `version ${version} live, ${routers}, ${count(this.#supervisor?.serving ?? 0, 'worker')}${this.#lastReload}`;
  }

  /** What `proxy VERB` can ask for over the control socket. */
  #verbs(supervisor: Supervisor): ReadonlyMap<string, CommandVerb> {
    return new Map<string, CommandVerb>([
      ['identity', () => ({ ok: true, data: { pid: process.pid, config: this.#configPath, code: VERSION } })],
      [
        'reload',
        async () => {
          if (this.#stops > 0) return { ok: false, message: 'the proxy is stopping: nothing is read any more' };
          const verdict = await this.reload();
          return verdict.ok
            ? { ok: true, data: verdict }
            : { ok: false, message: verdict.problem ?? 'the configuration has errors', data: verdict };
        },
      ],
      ...certificateVerbs({
        acme: () => this.#acme,
        live: () => this.#publisher.live!,
        settled: () => this.#publisher.settled(),
      }),
      ...drainVerbs(this.#health),
      ['status', () => ({ ok: true, data: this.#status(supervisor) })],
      ['routes', (args) => routesVerb(this.#publisher.live!, args)],
      ['explain', (args) => explainVerb((request) => supervisor.explain(request), args)],
      [
        'restart-workers',
        async ({ graceMs }) => {
          const result = await this.restartWorkers(typeof graceMs === 'number' ? graceMs : undefined);
          return result.problem === undefined
            ? { ok: true, data: result }
            : { ok: false, message: result.problem, data: result };
        },
      ],
    ]);
  }

  #status(supervisor: Supervisor): ProxyStatus {
    return statusOf({
      code: VERSION,
      config: this.#configPath,
      startedAt: this.#startedAt,
      stopping: this.#stops > 0,
      wantedWorkers: this.#wantedWorkers,
      snapshot: this.#publisher.live!,
      diagnostics: this.#diagnostics,
      workers: supervisor.workers,
      deaths: supervisor.deaths,
      report: supervisor.report,
      requestsPerSecond: supervisor.requestsPerSecond,
      slots: supervisor.slots,
      attempts: this.#publisher.attempts,
      health: (service, url) => this.#health.of(service, url),
      problem: this.#publisher.problem,
      acme: this.#acme === null ? null : acmeProgress(this.#acme),
    });
  }

  get #wantedWorkers(): number {
    return this.#config.workers ?? availableParallelism();
  }

  /** The static file as commands compare it: absolute, links followed. */
  get #configPath(): string {
    const { file } = this.#loaded;
    if (file === undefined) return '';
    try {
      return realpathSync(file);
    } catch {
      return resolve(file);
    }
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
        this.#publisher.changed();
      },
    );
    this.#provider = provider;
    this.#closers.push(() => provider.close());
  }

  #build(version: number, live: Snapshot | null): BuildOutcome {
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
      ...(this.#acme === null ? {} : { issued: this.#acme.issued }),
      ...(live === null ? {} : { live }),
    });
  }

  #wentLive({ snapshot, referencedFiles }: BuildOutcome, diff: SnapshotDiff, result: PublishResult): void {
    for (const problem of result.problems) this.#log.warn(problem);
    this.#log.info(
      `version ${result.version} is live in ${result.applied} workers after ${Date.now() - snapshot.createdAt} ms`,
      {
        routers: summary(diff.routers),
        services: summary(diff.services),
        certificates: summary(diff.certificates),
      },
    );
    this.#health.follow(snapshot);
    void this.#material.watch(referencedFiles);
  }

  #diagnose(built: BuildOutcome): readonly Diagnostic[] {
    this.#diagnostics = [
      ...this.#staticFindings,
      ...this.#files.diagnostics,
      ...this.#files.files.flatMap((file) => file.diagnostics),
      ...built.diagnostics,
    ];
    this.#tell(this.#diagnostics);
    const { certificates, defaultCertificate } = built.snapshot.tls;
    this.#expiry.watch([...certificates, defaultCertificate]);
    return this.#diagnostics;
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

function count(n: number, what: string): string {
  return `${n} ${what}${n === 1 ? '' : 's'}`;
}
