import type { Challenges } from '../core/messages.ts';
import type { CertificateSnapshot } from '../core/snapshot.ts';
import type {
  AcmeCertificate,
  AcmeLog,
  AcmeManager,
  AcmeOptions,
  AcmeResolverStatus,
  AcmeStatus,
  WantedCertificate,
} from './acme/types.ts';
import type { IssuedCertificate } from './build/tls.ts';
import { ExpiryWatch } from './tls/expiry-watch.ts';
import { loadKeyPair } from './tls/load-certificate.ts';

export interface AcmeServiceOptions extends Omit<AcmeOptions, 'onCertificates' | 'onChallenges' | 'log'> {
  readonly log: AcmeLog;
  /** Makes the manager: `openAcmeManager`. */
  readonly open: (options: AcmeOptions) => Promise<AcmeManager>;
  /** What is served has to be built again. */
  readonly changed: () => void;
  /** Tells all workers; resolves when they know. */
  readonly deliver: (challenges: Challenges) => Promise<void>;
}

/** Where many come at once, what is served is built again this often: each time all certificates go to all workers. */
const TOGETHER_MS = 400;

/**
 * Between the manager of certificates and what is served:
 *
 *   build ─ wanted ─► manager ─ certificates ─► issued ─► build ─► snapshot ─► workers
 *                        └───── challenges ─► all workers, acknowledged
 */
export class AcmeService {
  readonly #options: AcmeServiceOptions;
  /** What OpenSSL thinks of each certificate, asked once. Null: it cannot be served. */
  readonly #loaded = new WeakMap<AcmeCertificate, CertificateSnapshot | null>();
  #manager!: AcmeManager;
  #issued: readonly IssuedCertificate[] | null = null;
  #wanted: readonly WantedCertificate[] = [];
  #begun = false;
  #revision = 0;
  readonly #expiry = new ExpiryWatch((expired) => {
    for (const { names, resolver } of expired) {
      this.#options.log(
        'error',
        `the certificate for ${names.join(', ')} from "${resolver}" has EXPIRED: it goes on being served (not under sniStrict), and clients refuse it`,
      );
    }
  });
  #toldAt = Number.NEGATIVE_INFINITY;
  #telling: NodeJS.Timeout | null = null;

  private constructor(options: AcmeServiceOptions) {
    this.#options = options;
  }

  /** Reads what is stored; nothing is ordered before {@link begin}. */
  static async open(options: AcmeServiceOptions): Promise<AcmeService> {
    const service = new AcmeService(options);
    const { open, changed: _, deliver: __, ...rest } = options;
    service.#manager = await open({
      ...rest,
      onCertificates: () => service.#certificatesChanged(),
      onChallenges: () => service.#challengesChanged(),
    });
    return service;
  }

  /** What a build is given. The same array while nothing changes. */
  get issued(): readonly IssuedCertificate[] {
    this.#issued ??= this.#load();
    return this.#issued;
  }

  /** What a build has found to be wanted, once that build is served. */
  want(list: readonly WantedCertificate[]): void {
    this.#wanted = list;
    if (this.#begun) this.#manager.want(list);
  }

  /** Challenges can be answered from now on: what is wanted is ordered. */
  begin(): void {
    this.#begun = true;
    this.#manager.want(this.#wanted);
  }

  /** The answer of http-01 to a token. */
  readonly keyAuthorization = (token: string): string | undefined => this.#manager.challenges.http01(token);

  status(): readonly AcmeStatus[] {
    return this.#manager.status();
  }

  resolvers(): readonly AcmeResolverStatus[] {
    return this.#manager.resolvers();
  }

  certificates(): readonly AcmeCertificate[] {
    return this.#manager.certificates();
  }

  renew(name: string): Promise<readonly AcmeCertificate[]> {
    return this.#manager.renew(name);
  }

  revoke(name: string): Promise<void> {
    return this.#manager.revoke(name);
  }

  close(): Promise<void> {
    this.#expiry.close();
    if (this.#telling !== null) clearTimeout(this.#telling);
    return this.#manager.close();
  }

  /** What waits to be taken together with others is told now. */
  flush(): void {
    if (this.#telling !== null) this.#tell();
  }

  /** The first of a row is served at once, the others together behind it. */
  #certificatesChanged(): void {
    this.#issued = null;
    if (this.#telling !== null) return;
    const wait = this.#toldAt + TOGETHER_MS - performance.now();
    if (wait <= 0) this.#tell();
    else this.#telling = setTimeout(() => this.#tell(), wait);
  }

  #tell(): void {
    if (this.#telling !== null) clearTimeout(this.#telling);
    this.#telling = null;
    this.#toldAt = performance.now();
    this.#options.changed();
  }

  async #challengesChanged(): Promise<void> {
    const { challenges } = this.#manager;
    this.#revision++;
    await this.#options.deliver({
      revision: this.#revision,
      tokens: challenges.tokens(),
      alpn: challenges.alpn().map(({ name, cert, key }) => ({ serverName: name, cert, key })),
    });
  }

  #load(): readonly IssuedCertificate[] {
    const issued: IssuedCertificate[] = [];
    for (const one of this.#manager.certificates()) {
      const certificate = this.#parse(one);
      if (certificate === null) continue;
      issued.push({ resolver: one.resolver, names: [one.main, ...one.sans], certificate });
    }
    this.#expiry.watch(issued.map(({ certificate }) => certificate));
    return issued;
  }

  #parse(one: AcmeCertificate): CertificateSnapshot | null {
    let known = this.#loaded.get(one);
    if (known !== undefined) return known;
    const loaded = loadKeyPair({
      certFile: one.cert,
      keyFile: one.key,
      read: () => new Error('a certificate of a resolver is in no file'),
      now: Date.now(),
      origin: `acme ${one.resolver}`,
    });
    known = loaded.certificate === null ? null : { ...loaded.certificate, resolver: one.resolver };
    if (known === null) {
      const why = loaded.diagnostics.find((d) => d.severity === 'error')?.message;
      this.#options.log('error', `the certificate for ${one.main} from "${one.resolver}" cannot be served: ${why}`);
    }
    this.#loaded.set(one, known);
    return known;
  }
}
