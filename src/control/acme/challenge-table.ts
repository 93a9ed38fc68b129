import type { AcmeChallenges, AlpnChallenge } from './types.ts';

/** What the CA may ask for now. One entry for each challenge of the orders that run, gone when that challenge is done. */
export class ChallengeTable implements AcmeChallenges {
  readonly #http = new Map<string, string>();
  readonly #alpn = new Map<string, AlpnChallenge>();
  #alpnList: readonly AlpnChallenge[] = [];

  http01(token: string): string | undefined {
    return this.#http.get(token);
  }

  tokens(): readonly string[] {
    return [...this.#http.keys()];
  }

  alpn(): readonly AlpnChallenge[] {
    return this.#alpnList;
  }

  /** @returns takes it away again */
  addHttp(token: string, keyAuthorization: string): () => void {
    this.#http.set(token, keyAuthorization);
    return () => void this.#http.delete(token);
  }

  /** Of two orders for one name the later one is answered for. @returns takes it away again */
  addAlpn(challenge: AlpnChallenge): () => void {
    this.#alpn.set(challenge.name, challenge);
    this.#alpnList = [...this.#alpn.values()];
    return () => {
      if (this.#alpn.get(challenge.name) !== challenge) return;
      this.#alpn.delete(challenge.name);
      this.#alpnList = [...this.#alpn.values()];
    };
  }
}
