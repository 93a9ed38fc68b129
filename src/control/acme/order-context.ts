import type { AcmeConfig } from '../../core/config/static.ts';
import type { CaClient } from './ca-client.ts';
import type { ChallengeSettings } from './challenges.ts';
import type { NameSet } from './names.ts';
import type { AcmeStorage } from './storage.ts';
import type { AcmeLog, Clock } from './types.ts';

export interface OrderRequest {
  readonly resolver: string;
  readonly config: AcmeConfig;
  readonly names: NameSet;
  readonly store: string;
  /** Counts from 0; see pickChallenge. */
  readonly attempt: number;
  /** RFC 9773: the certificate that this one comes after. */
  readonly replaces: string | undefined;
}

export interface OrderContext extends ChallengeSettings {
  readonly client: CaClient;
  readonly storage: AcmeStorage;
  readonly clock: Clock;
  readonly log: AcmeLog;
  /** Resolves when every worker answers for the challenges. */
  readonly published: () => Promise<void>;
  readonly progress: (step: string) => void;
  readonly signal: AbortSignal;
}
