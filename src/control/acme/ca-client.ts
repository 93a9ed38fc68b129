import { generateKeyPair } from 'node:crypto';
import type { Agent } from 'node:https';
import { promisify } from 'node:util';
import acme from 'acme-client';
import type { AcmeConfig } from '../../core/config/static.ts';
import { AcmeError } from './acme-error.ts';
import type { StoredAccount } from './acme-json.ts';
import { type AcmeSession, inSession, parseObject } from './acme-session.ts';
import { CaEndpoint } from './ca-endpoint.ts';
import { askCa, type CaAnswer, caAgent } from './ca-request.ts';
import type { AcmeStorage } from './storage.ts';
import { loadTrust } from './trust.ts';
import type { AcmeLog, AcmeOptions } from './types.ts';

/** A CA that takes longer to say where its services are is as good as away. */
const DIRECTORY_MS = 5_000;
/** step-ca validates before it answers, and gives that 30 s. */
export const CHALLENGE_MS = 45_000;
const MAX_NONCES = 32;
/** CAs forget nonces; a refused one costs a round trip. */
const NONCE_LIFE_MS = 60_000;
/** Traefik reads account keys as PKCS#1. They are used between the proxy and the CA only, a few times a day. */
const ACCOUNT_KEY_BITS = 2048;

export interface CaClientOptions {
  readonly resolver: string;
  readonly config: AcmeConfig;
  readonly storage: AcmeStorage;
  readonly log: AcmeLog;
  readonly lookup?: AcmeOptions['lookup'];
  readonly isSelf?: AcmeOptions['isSelf'];
  readonly env: NodeJS.ProcessEnv;
}

/** A step of an order, as acme-client does it. */
export type Step<T> = (client: acme.Client) => Promise<T>;

interface Connection {
  readonly endpoint: CaEndpoint;
  readonly agent: Agent;
}

/** One resolver's way to its CA: roots, connections, account. */
export class CaClient {
  readonly #options: CaClientOptions;
  #connection: Connection | null = null;
  #account: Promise<acme.Client> | null = null;
  #accountUrl: string | undefined;
  #directory: Readonly<Record<string, unknown>> | null = null;
  #nonces: { readonly nonce: string; readonly until: number }[] = [];

  constructor(options: CaClientOptions) {
    this.#options = options;
    this.#accountUrl = options.storage.account(options.resolver)?.uri;
  }

  /** The account's URL at the CA, once there is one. */
  get accountUrl(): string | undefined {
    return this.#accountUrl;
  }

  /** Asks for the directory, on a new connection. @throws AcmeError where the CA is not there */
  async probe(signal: AbortSignal): Promise<Readonly<Record<string, unknown>>> {
    this.#disconnect();
    const { caServer } = this.#options.config;
    const answer = await this.#fetch(new URL(caServer), signal);
    const directory = parseObject(answer.body);
    if (answer.status === 200 && typeof directory?.newOrder === 'string') {
      this.#directory = directory;
      // acme-client keeps a directory for a day. The account stays.
      this.#account = null;
      return directory;
    }
    throw new AcmeError(
      'unreachable',
      `${caServer} answers ${answer.status}, and not with an ACME directory: ${JSON.stringify(answer.body.trim().slice(0, 80))}`,
    );
  }

  /** The URL of one of the CA's services; undefined where it has none of that name. @throws AcmeError */
  async resource(name: string, signal: AbortSignal): Promise<string | undefined> {
    this.#directory ??= await this.probe(signal);
    const url = this.#directory[name];
    return typeof url === 'string' ? url : undefined;
  }

  /** An unsigned GET, for what needs no account (RFC 9773). @throws AcmeError */
  async get(url: string, signal: AbortSignal): Promise<CaAnswer> {
    return this.#fetch(new URL(url), signal);
  }

  /**
   * Runs one step with the resolver's account, which is registered first where need be.
   *
   * @param patienceMs how long the CA may take to begin its answer, where that is more than `clientResponseHeaderTimeout`
   * @throws AcmeError
   */
  async step<T>(signal: AbortSignal, step: Step<T>, patienceMs = 0): Promise<T> {
    const client = await this.#registered(signal);
    try {
      return await this.#run(signal, () => step(client), patienceMs);
    } catch (error) {
      if (!(error instanceof AcmeError) || error.type !== 'accountDoesNotExist') throw error;
      // The CA was set up anew, and has forgotten us. The key stays.
      this.#options.log('warn', `${this.#label}: the CA does not know the account any more: it is registered again`);
      this.#account = null;
      this.#accountUrl = undefined;
      const again = await this.#registered(signal);
      return await this.#run(signal, () => step(again), patienceMs);
    }
  }

  close(): void {
    this.#disconnect();
  }

  get #label(): string {
    return `resolver \`${this.#options.resolver}\``;
  }

  /** One registration at a time, whatever waits for it. */
  #registered(signal: AbortSignal): Promise<acme.Client> {
    if (this.#account === null) {
      const account = this.#register(signal);
      account.catch(() => {
        if (this.#account === account) this.#account = null;
      });
      this.#account = account;
    }
    return this.#account;
  }

  async #register(signal: AbortSignal): Promise<acme.Client> {
    const { config, storage, resolver, log } = this.#options;
    const stored = storage.account(resolver);
    const email = config.email ?? '';
    const key = stored?.key ?? (await newAccountKey());
    const known = this.#accountUrl ?? stored?.uri;
    const reusable = known !== undefined && hostOf(known) === hostOf(config.caServer);
    // Of another CA, or of this one by another name: registering a key again gives the account that it has (RFC 8555 section 7.3).
    const client = new acme.Client({
      directoryUrl: config.caServer,
      accountKey: key,
      ...(reusable ? { accountUrl: known } : {}),
      ...(config.eab?.kid && config.eab.hmacEncoded
        ? { externalAccountBinding: { kid: config.eab.kid, hmacKey: config.eab.hmacEncoded } }
        : {}),
    });
    if (reusable && (stored?.email ?? '') === email) {
      this.#accountUrl = known;
      return client;
    }
    const contact = email === '' ? {} : { contact: [`mailto:${email}`] };
    // Before it is known to the CA, so that no key is lost between the two.
    const account: StoredAccount = { email, key };
    if (stored === null) await storage.putAccount(resolver, account, config.keyType);
    await this.#run(signal, () => client.createAccount({ termsOfServiceAgreed: true, ...contact }));
    const uri = client.getAccountUrl();
    if (uri !== known) log('info', `${this.#label}: account ${uri} at ${config.caServer}`);
    this.#accountUrl = uri;
    await storage.putAccount(resolver, { ...account, uri }, config.keyType);
    return client;
  }

  #run<T>(signal: AbortSignal, call: () => Promise<T>, patienceMs = 0): Promise<T> {
    const session: AcmeSession = {
      directory: new URL(this.#options.config.caServer).href,
      send: (method, url, headers, body) => this.#send(method, url, headers, body, signal, patienceMs),
      takeNonce: () => {
        const now = Date.now();
        this.#nonces = this.#nonces.filter(({ until }) => until > now);
        return this.#nonces.pop()?.nonce;
      },
      keepNonce: (nonce) => {
        if (this.#nonces.length < MAX_NONCES) this.#nonces.push({ nonce, until: Date.now() + NONCE_LIFE_MS });
      },
    };
    return inSession(session, call);
  }

  async #fetch(url: URL, signal: AbortSignal): Promise<CaAnswer> {
    return this.#send('GET', url, { accept: 'application/json', 'user-agent': USER_AGENT }, undefined, signal);
  }

  async #send(
    method: string,
    url: URL,
    headers: Readonly<Record<string, string>>,
    body: string | undefined,
    signal: AbortSignal,
    patienceMs = 0,
  ): Promise<CaAnswer> {
    const { endpoint, agent } = await this.#connect();
    const { clientTimeout, clientResponseHeaderTimeout: headTimeout } = this.#options.config;
    const head = method === 'POST' ? Math.max(headTimeout, patienceMs) : Math.min(headTimeout, DIRECTORY_MS);
    try {
      return await askCa(endpoint, agent, {
        ...{ method, url, body, signal },
        headers: { ...headers, 'user-agent': USER_AGENT },
        headTimeoutMs: head,
        timeoutMs: Math.max(clientTimeout, head),
      });
    } catch (error) {
      // The next attempt reads the roots again: their file may have come meanwhile, or been replaced.
      if (error instanceof AcmeError && error.kind === 'unreachable') this.#disconnect();
      throw error;
    }
  }

  async #connect(): Promise<Connection> {
    if (this.#connection !== null) return this.#connection;
    const { config, lookup, isSelf, env } = this.#options;
    const { caServer, caAddress } = config;
    const endpoint = new CaEndpoint({ caServer, caAddress, lookup, isSelf });
    const trust = await loadTrust(config, endpoint, env);
    const agent = caAgent(endpoint, { ca: trust.roots, serverName: trust.serverName });
    // Two at once may have come here; one agent is enough.
    this.#connection ??= { endpoint, agent };
    return this.#connection;
  }

  #disconnect(): void {
    // What is under way on it ends as it would; idle connections close.
    const agent = this.#connection?.agent;
    this.#connection = null;
    for (const sockets of Object.values(agent?.freeSockets ?? {})) for (const socket of sockets ?? []) socket.destroy();
  }
}

const USER_AGENT = 'phoenix-proxy (acme)';

async function newAccountKey(): Promise<string> {
  const { privateKey } = await promisify(generateKeyPair)('rsa', {
    modulusLength: ACCOUNT_KEY_BITS,
    publicKeyEncoding: { type: 'spki', format: 'pem' },
    privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
  });
  return privateKey;
}

function hostOf(url: string): string {
  return URL.canParse(url) ? new URL(url).host : url;
}
