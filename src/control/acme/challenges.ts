import { createHash } from 'node:crypto';
import acme from 'acme-client';
import type { AcmeConfig } from '../../core/config/static.ts';
import { AcmeError } from './acme-error.ts';
import { type ProbeOptions, probeHttp, probeTls } from './challenge-probe.ts';
import type { ChallengeTable } from './challenge-table.ts';
import { type DnsRecord, dnsHook } from './dns-script.ts';
import { alpnServerName } from './names.ts';

export type ChallengeType = 'http-01' | 'tls-alpn-01' | 'dns-01';

/** What a resolver is set up for. */
export interface ChallengeSettings {
  readonly table: ChallengeTable;
  readonly env: NodeJS.ProcessEnv;
  readonly probe: ProbeOptions;
}

/** A challenge that is answered, until {@link remove}. */
export interface Prepared {
  readonly type: ChallengeType;
  /** Milliseconds to wait before the CA may look. */
  readonly delayMs: number;
  /** Whether workers must know of it first. */
  readonly served: boolean;
  /** What answers there, for the message about a failure. */
  readonly probe: () => Promise<string>;
  readonly remove: () => Promise<void>;
}

/** The types a resolver can answer, the preferred one first. None: it can only renew what the CA asks no proof for. */
export function challengeTypes(config: AcmeConfig): readonly ChallengeType[] {
  return [
    ...(config.httpChallenge === undefined ? [] : (['http-01'] as const)),
    ...(config.tlsChallenge === undefined ? [] : (['tls-alpn-01'] as const)),
    ...(config.dnsChallenge === undefined ? [] : (['dns-01'] as const)),
  ];
}

/**
 * Picks the challenge to answer.
 *
 * @param attempt counts from 0: where one kind failed, the next one is tried
 * @throws AcmeError where the CA offers none that the resolver is set up for
 */
export function pickChallenge(authorization: acme.Authorization, config: AcmeConfig, attempt: number): PickedChallenge {
  const { identifier, challenges } = authorization;
  const types = challengeTypes(config);
  const offered = challenges as readonly PickedChallenge[];
  const usable = types.flatMap((type) => offered.filter((challenge) => challenge.type === type));
  const picked = usable[attempt % Math.max(usable.length, 1)];
  if (picked !== undefined) return picked;
  const offers = offered.map(({ type }) => type).join(', ');
  const set = types.length === 0 ? 'has no challenge at all' : `is set up for ${types.join(', ')}`;
  throw new AcmeError(
    'local',
    `the CA offers ${offers} for ${identifier.value}, and the resolver ${set}: set httpChallenge, tlsChallenge or dnsChallenge`,
  );
}

export interface PickedChallenge {
  readonly type: ChallengeType;
  readonly url: string;
  readonly token: string;
  readonly status: string;
  readonly error?: { readonly type?: string; readonly detail?: string };
}

/** Starts to answer a challenge. @throws AcmeError where a script fails */
export async function prepareChallenge(
  name: string,
  challenge: PickedChallenge,
  keyAuthorization: string,
  config: AcmeConfig,
  { table, env, probe }: ChallengeSettings,
  signal: AbortSignal,
): Promise<Prepared> {
  switch (challenge.type) {
    case 'http-01': {
      const remove = table.addHttp(challenge.token, keyAuthorization);
      return {
        type: 'http-01',
        delayMs: config.httpChallenge?.delay ?? 0,
        served: true,
        probe: () => probeHttp(name, challenge.token, keyAuthorization, probe),
        remove: async () => remove(),
      };
    }
    case 'tls-alpn-01': {
      const authorization = { identifier: { type: 'dns', value: name } } as acme.Authorization;
      const key = await acme.crypto.createPrivateEcdsaKey('P-256');
      const [, cert] = await acme.crypto.createAlpnCertificate(authorization, keyAuthorization, key);
      const remove = table.addAlpn({ name: alpnServerName(name), cert: cert.toString(), key: key.toString() });
      return {
        type: 'tls-alpn-01',
        delayMs: config.tlsChallenge?.delay ?? 0,
        served: true,
        probe: () => probeTls(name, probe),
        remove: async () => remove(),
      };
    }
    case 'dns-01': {
      const { dnsChallenge } = config;
      const hook = dnsHook(dnsChallenge?.provider, env);
      const record: DnsRecord = {
        domain: name,
        token: challenge.token,
        keyAuthorization,
        name: `_acme-challenge.${name}`,
        value: createHash('sha256').update(keyAuthorization).digest('base64url'),
      };
      await hook('present', record, signal);
      return {
        type: 'dns-01',
        delayMs: dnsChallenge?.propagation?.delayBeforeChecks || (dnsChallenge?.delayBeforeCheck ?? 0),
        served: false,
        probe: async () => `the record was to be ${record.name} TXT "${record.value}"`,
        // What is cut off by a stop is cleaned up all the same.
        remove: () => hook('cleanup', record, AbortSignal.timeout(30_000)),
      };
    }
  }
}
