import { createSecureContext, type SecureContext, type TLSSocketOptions } from 'node:tls';
import type { Challenges } from '../core/messages.ts';
import { ACME_TLS_ALPN } from '../core/tls/alpn.ts';

/** RFC 8555 section 8.3. */
const HTTP_PREFIX = '/.well-known/acme-challenge/';

/** What a TLS connection of a certificate authority is answered with. */
export type ChallengeSocketOptions = Readonly<TLSSocketOptions & { secureContext: SecureContext }>;

interface AlpnAnswer {
  readonly cert: string;
  readonly key: string;
  options: ChallengeSocketOptions | null;
}

/**
 * The ACME challenges under way, as a worker knows them: whole sets come from the primary, before it tells the authority to
 * look. One for a worker, whatever snapshots come and go.
 */
export class LiveChallenges {
  #tokens: ReadonlySet<string> = new Set();
  #alpn: ReadonlyMap<string, AlpnAnswer> = new Map();

  /** Takes the place of what was known before. */
  take({ tokens, alpn }: Challenges): void {
    this.#tokens = new Set(tokens);
    const before = this.#alpn;
    this.#alpn = new Map(
      alpn.map(({ serverName, cert, key }) => {
        const known = before.get(serverName);
        return [serverName, known?.cert === cert && known.key === key ? known : { cert, key, options: null }];
      }),
    );
  }

  /** Whether some connection may be one of tls-alpn-01. */
  get expectsTls(): boolean {
    return this.#alpn.size > 0;
  }

  /** Whether this is a request of http-01 whose token is known. Any other token is the business of whoever has a router for it. */
  isHttp(path: string): boolean {
    return this.#tokens.size > 0 && path.startsWith(HTTP_PREFIX) && this.#tokens.has(path.slice(HTTP_PREFIX.length));
  }

  /**
   * What a connection that offers `acme-tls/1` alone is answered with; null where no challenge is under way for this name.
   *
   * @param serverName lower case; of an IP address the name of its reverse mapping (RFC 8738 section 6)
   * @throws where OpenSSL does not take the certificate
   */
  tls(serverName: string): ChallengeSocketOptions | null {
    const answer = this.#alpn.get(serverName);
    if (answer === undefined) return null;
    answer.options ??= {
      isServer: true,
      ALPNProtocols: [ACME_TLS_ALPN],
      // `ca`: without it Node loads every public root.
      secureContext: createSecureContext({ cert: answer.cert, key: answer.key, ca: [], minVersion: 'TLSv1.2' }),
    };
    return answer.options;
  }
}
