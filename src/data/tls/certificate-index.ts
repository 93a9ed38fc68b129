import { isIP } from 'node:net';
import type { CertificateSnapshot } from '../../core/snapshot.ts';

export interface CertificateChoice {
  readonly certificate: CertificateSnapshot;
  /** False: nothing covers the name, and this is the default certificate. */
  readonly matched: boolean;
}

/** Finds the certificate for a name: exact, then wildcard (RFC 9525 section 6.3: one label, the leftmost), then the default one. */
export class CertificateIndex {
  readonly #defaultCertificate: CertificateSnapshot;
  /** Longest valid first. */
  readonly #exact = new Map<string, CertificateSnapshot[]>();
  /** The same, keyed by what follows the asterisk: `.x`. */
  readonly #wildcard = new Map<string, CertificateSnapshot[]>();

  constructor(certificates: readonly CertificateSnapshot[], defaultCertificate: CertificateSnapshot) {
    this.#defaultCertificate = defaultCertificate;
    for (const certificate of certificates) this.#add(certificate);
    // The default one is found by name too, so that sniStrict lets through what the operator's own certificate covers.
    this.#add(defaultCertificate);
    for (const index of [this.#exact, this.#wildcard]) {
      for (const list of index.values()) if (list.length > 1) list.sort((a, b) => b.notAfter - a.notAfter);
    }
  }

  /**
   * @param name server name as `parseClientHello` gives it, or the local IP address where the client sent none
   * @param now milliseconds since the epoch
   */
  choose(name: string | null, now: number): CertificateChoice {
    if (name !== null) {
      const exact = best(this.#exact.get(name), now);
      if (exact !== undefined && isValid(exact, now)) return { certificate: exact, matched: true };
      // An expired certificate of the very name yields to a valid wildcard, and is better than none.
      const wildcard = best(this.#wildcardsFor(name), now);
      const wildcardFirst = exact === undefined || (wildcard !== undefined && isValid(wildcard, now));
      const chosen = wildcardFirst ? wildcard : exact;
      if (chosen !== undefined) return { certificate: chosen, matched: true };
    }
    return { certificate: this.#defaultCertificate, matched: false };
  }

  #wildcardsFor(name: string): CertificateSnapshot[] | undefined {
    if (this.#wildcard.size === 0) return undefined;
    const dot = name.indexOf('.');
    if (dot <= 0 || isIP(name) !== 0) return undefined;
    return this.#wildcard.get(name.slice(dot));
  }

  #add(certificate: CertificateSnapshot): void {
    for (const name of certificate.names) {
      const [index, key] = name.startsWith('*.') ? [this.#wildcard, name.slice(1)] : [this.#exact, name];
      const list = index.get(key);
      if (list === undefined) index.set(key, [certificate]);
      else list.push(certificate);
    }
  }
}

/** The valid one that stays so longest, else the one that was valid last. Judged at each handshake: no reload comes with expiry. */
function best(list: readonly CertificateSnapshot[] | undefined, now: number): CertificateSnapshot | undefined {
  return list?.find((certificate) => isValid(certificate, now)) ?? list?.[0];
}

function isValid(certificate: CertificateSnapshot, now: number): boolean {
  return certificate.notBefore <= now && now <= certificate.notAfter;
}
