import type { CertificateSnapshot } from '../../core/snapshot.ts';

/** Longer waits than this overflow `setTimeout`. */
const MAX_WAIT_MS = 86_400_000;

/**
 * Says when one of some certificates has expired. That comes without any change of a file, and what is found about a
 * configuration, and what is ordered for it, depends on it.
 */
export class ExpiryWatch {
  readonly #expired: (certificates: readonly CertificateSnapshot[]) => void;
  #timer: NodeJS.Timeout | null = null;

  /** @param expired called with those that have expired just now */
  constructor(expired: (certificates: readonly CertificateSnapshot[]) => void) {
    this.#expired = expired;
  }

  /** Takes the place of what was watched before. Those that have expired already are not told again. */
  watch(certificates: readonly CertificateSnapshot[]): void {
    this.close();
    const now = Date.now();
    const next = Math.min(...certificates.map(({ notAfter }) => notAfter).filter((end) => end > now));
    if (!Number.isFinite(next)) return;
    this.#timer = setTimeout(
      () => {
        this.watch(certificates);
        const expired = certificates.filter(({ notAfter }) => notAfter > now && notAfter <= Date.now());
        if (expired.length > 0) this.#expired(expired);
      },
      Math.min(next - now + 1, MAX_WAIT_MS),
    );
    this.#timer.unref();
  }

  close(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
  }
}
