import acme from 'acme-client';
import type { AcmeConfig } from '../../core/config/static.ts';
import { AcmeError } from './acme-error.ts';
import { type CaClient, CHALLENGE_MS } from './ca-client.ts';
import { newCertificateKey } from './certificate-key.ts';
import {
  type ChallengeSettings,
  type PickedChallenge,
  type Prepared,
  pickChallenge,
  prepareChallenge,
} from './challenges.ts';
import { pause } from './clock.ts';
import { type HeldCertificate, holdCertificate, missingNames } from './held-certificate.ts';
import { identifier, type NameSet, setKey } from './names.ts';
import type { AcmeStorage } from './storage.ts';
import type { AcmeLog, Clock } from './types.ts';

/** What a CA needs to look at a name, its own retries included. */
const CHALLENGE_DEADLINE_MS = 90_000;
const POLL_FIRST_MS = 150;
const POLL_MAX_MS = 3_000;
/** step-ca leaves a challenge that it could not connect to pending, and looks again when told to. */
const MAX_LOOKS = 3;
const LOOK_AGAIN_MS = 1_500;
/** A look that takes longer will not be quicker the next time, and others wait for its place. */
const LOOK_AGAIN_WITHIN_MS = 10_000;

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

/**
 * One order, from its beginning or from where a process that was killed left it:
 *
 *   key ─► order ─► kept on disk ─► challenges ─► finalise ─► certificate
 *
 * @throws AcmeError; the order is forgotten where the CA has given it up, and gone on with next time where not
 */
export async function obtain(request: OrderRequest, context: OrderContext): Promise<HeldCertificate> {
  const { resolver, names, config, store } = request;
  const { client, storage, clock, progress, signal } = context;
  const id = setKey(resolver, names);
  const { order: begun, key } = (await resume(id, request, context)) ?? (await begin(id, request, context));
  let order = begun;
  try {
    if (order.status === 'pending') {
      await prove(order, request, context);
      order = await pollOrder(order, ['pending'], context, config.certificateTimeout);
    }
    if (order.status === 'ready') {
      progress('finalising');
      const csr = await signingRequest(names, key, config);
      const ready = order;
      const finalized = await client.step(signal, (c) => c.finalizeOrder(ready, csr));
      order = { ...finalized, url: ready.url };
    }
    if (order.status === 'processing')
      order = await pollOrder(order, ['processing'], context, config.certificateTimeout);
    if (order.status !== 'valid') throw refusedOrder(order);
    progress('fetching the certificate');
    const valid = order;
    const cert = await client.step(signal, (c) => c.getCertificate(valid, config.preferredChain));
    const held = holdCertificate({ resolver, names, cert, key, store });
    const missing = missingNames(held);
    if (missing.length > 0) throw new AcmeError('refused', `the CA's certificate lacks ${missing.join(', ')}`);
    if (held.notAfter <= clock.now()) {
      throw new AcmeError(
        'refused',
        `the CA's certificate has expired already (${new Date(held.notAfter).toISOString()}): compare the clocks`,
      );
    }
    return held;
  } catch (error) {
    // No answer: it may still be there. A refusal: it is of no more use, and the next attempt begins anew.
    const over = !(error instanceof AcmeError) || !['unreachable', 'broken', 'closed'].includes(error.kind);
    if (over) await storage.orders.delete(id);
    throw error;
  }
}

interface Begun {
  readonly order: acme.Order;
  readonly key: string;
}

async function begin(id: string, request: OrderRequest, context: OrderContext): Promise<Begun> {
  const { config, names, replaces } = request;
  const { client, storage, clock, progress, signal } = context;
  progress('making a key');
  const key = await newCertificateKey(config.keyType);
  progress('ordering');
  const wish = {
    identifiers: names.map(identifier),
    ...(config.profile === undefined ? {} : { profile: config.profile }),
  };
  const create = (replaced: string | undefined): Promise<acme.Order> =>
    client.step(signal, (c) => c.createOrder(replaced === undefined ? wish : { ...wish, ...{ replaces: replaced } }));
  let order: acme.Order;
  try {
    order = await create(replaces);
  } catch (error) {
    // RFC 9773 section 5: another order replaced it already, or the CA does not know it.
    if (
      replaces === undefined ||
      !(error instanceof AcmeError) ||
      error.kind !== 'refused' ||
      error.type === 'rateLimited'
    )
      throw error;
    order = await create(undefined);
  }
  await storage.orders.put(id, { url: order.url, key, directory: config.caServer, since: clock.now() });
  return { order, key };
}

/** The order that an earlier attempt or process left, if the CA still has it. */
async function resume(id: string, { config, names }: OrderRequest, context: OrderContext): Promise<Begun | null> {
  const { client, storage, signal, progress, log } = context;
  const pending = storage.orders.get(id);
  if (pending === undefined) return null;
  if (pending.directory === config.caServer) {
    progress('going on with an order');
    try {
      const order = await client.step(signal, (c) => c.getOrder({ url: pending.url } as acme.Order));
      if (['pending', 'ready', 'processing', 'valid'].includes(order.status)) {
        log('info', `the order for ${names.join(', ')} is gone on with (${order.status})`);
        return { order, key: pending.key };
      }
    } catch (error) {
      if (!(error instanceof AcmeError) || error.kind !== 'refused') throw error;
      log('info', `the order for ${names.join(', ')} that was under way is gone (${error.message}): a new one is made`);
    }
  }
  await storage.orders.delete(id);
  return null;
}

/** Answers the challenges of all names, and waits until the CA is convinced of each. */
async function prove(order: acme.Order, request: OrderRequest, context: OrderContext): Promise<void> {
  const { client, clock, progress, signal, log } = context;
  progress('asking what to prove');
  const authorizations = await client.step(signal, (c) => c.getAuthorizations(order));
  const open = authorizations.filter(({ status }) => status !== 'valid');
  const prepared: Prepared[] = [];
  try {
    const asked: { authorization: acme.Authorization; challenge: PickedChallenge; answer: Prepared }[] = [];
    for (const authorization of open) {
      const name = authorization.identifier.value;
      if (authorization.status !== 'pending') throw refusedAuthorization(name, authorization);
      const challenge = pickChallenge(authorization, request.config, request.attempt);
      progress(`challenge ${name} (${challenge.type})`);
      const keyAuthorization = await client.step(signal, (c) =>
        c.getChallengeKeyAuthorization({ type: 'http-01', token: challenge.token } as RfcChallenge),
      );
      const answer = await prepareChallenge(name, challenge, keyAuthorization, request.config, context, signal);
      prepared.push(answer);
      asked.push({ authorization, challenge, answer });
    }
    if (prepared.some(({ served }) => served)) await context.published();
    const delay = Math.max(0, ...prepared.map(({ delayMs }) => delayMs));
    if (delay > 0) await pause(clock, delay, signal);
    const results = await Promise.allSettled(
      asked.map(({ authorization, challenge, answer }) => convince(authorization, challenge, answer, context)),
    );
    throwFirst(results);
  } finally {
    const removed = await Promise.allSettled(prepared.map((answer) => answer.remove()));
    for (const result of removed) {
      if (result.status === 'rejected')
        log('warn', `a challenge was not cleaned up: ${(result.reason as Error).message}`);
    }
    // Workers forget it in their own time: nothing waits for that.
    if (prepared.some(({ served }) => served)) void context.published().catch(() => undefined);
  }
}

type RfcChallenge = Parameters<acme.Client['getChallengeKeyAuthorization']>[0];

async function convince(
  authorization: acme.Authorization,
  challenge: PickedChallenge,
  answer: Prepared,
  { client, clock, signal, progress }: OrderContext,
): Promise<void> {
  const name = authorization.identifier.value;
  const begun = clock.now();
  const asRfc = challenge as unknown as RfcChallenge;
  let looks = 1;
  let interval = POLL_FIRST_MS;
  await client.step(signal, (c) => c.completeChallenge(asRfc), CHALLENGE_MS);
  for (;;) {
    const [now] = await client.step(signal, (c) =>
      c.getAuthorizations({ authorizations: [authorization.url] } as unknown as acme.Order),
    );
    if (now?.status === 'valid') return;
    const seen = (now?.challenges as readonly PickedChallenge[] | undefined)?.find(({ url }) => url === challenge.url);
    const stuck = now?.status === 'pending' && seen?.error !== undefined;
    const elapsed = clock.now() - begun;
    const enough = stuck && (looks >= MAX_LOOKS || elapsed > LOOK_AGAIN_WITHIN_MS);
    if (now?.status !== 'pending' || enough || elapsed > CHALLENGE_DEADLINE_MS) {
      throw failedChallenge(name, challenge.type, now, seen, await answer.probe());
    }
    if (stuck) {
      looks++;
      progress(`challenge ${name} (${challenge.type}), look ${looks} of ${MAX_LOOKS}`);
      await pause(clock, LOOK_AGAIN_MS, signal);
      await client.step(signal, (c) => c.completeChallenge(asRfc), CHALLENGE_MS);
    } else {
      await pause(clock, interval, signal);
      interval = Math.min(interval * 1.5, POLL_MAX_MS);
    }
  }
}

async function pollOrder(
  order: acme.Order,
  while_: readonly string[],
  { client, clock, signal }: OrderContext,
  timeoutMs: number,
): Promise<acme.Order> {
  const deadline = clock.now() + timeoutMs;
  let interval = POLL_FIRST_MS;
  let now = await client.step(signal, (c) => c.getOrder(order));
  while (while_.includes(now.status)) {
    if (clock.now() > deadline) {
      throw new AcmeError(
        'broken',
        `the CA has not finished the order within ${timeoutMs / 1000} s: it is still ${now.status}`,
      );
    }
    await pause(clock, interval, signal);
    interval = Math.min(interval * 1.5, POLL_MAX_MS);
    now = await client.step(signal, (c) => c.getOrder(order));
  }
  return now;
}

async function signingRequest(names: NameSet, key: string, config: AcmeConfig): Promise<Buffer> {
  const [main] = names;
  // RFC 5280 gives a common name 64 characters. Names count by their alternative names anyway.
  const named = !config.disableCommonName && main.length <= 64;
  const [, csr] = await acme.crypto.createCsr({ ...(named ? { commonName: main } : {}), altNames: [...names] }, key);
  return csr;
}

function failedChallenge(
  name: string,
  type: string,
  authorization: acme.Authorization | undefined,
  challenge: PickedChallenge | undefined,
  probe: string,
): AcmeError {
  const { type: problem = '', detail } = challenge?.error ?? {};
  const status = authorization?.status ?? 'gone';
  const seen = detail ?? `it says nothing, the authorization is ${status}`;
  const short = problem.replace(/^urn:ietf:params:acme:error:/, '');
  const what = short === '' ? '' : ` (${short})`;
  return new AcmeError('challenge', `the CA could not verify ${name} by ${type}${what}: ${seen}; ${probe}`, {
    type: short,
  });
}

function refusedAuthorization(name: string, authorization: acme.Authorization): AcmeError {
  return new AcmeError('challenge', `the CA's authorization for ${name} is ${authorization.status}`);
}

function refusedOrder(order: acme.Order): AcmeError {
  const { detail, type } = (order.error ?? {}) as { detail?: string; type?: string };
  return new AcmeError('refused', `the CA gave the order up (${order.status}): ${detail ?? 'it does not say why'}`, {
    ...(type === undefined ? {} : { type: type.replace(/^urn:ietf:params:acme:error:/, '') }),
  });
}

/** All reasons in one message: each says which name it is about. */
function throwFirst(results: readonly PromiseSettledResult<void>[]): void {
  const reasons = results.flatMap((result) => (result.status === 'rejected' ? [result.reason as unknown] : []));
  const [first, ...rest] = reasons;
  if (first === undefined) return;
  if (rest.length === 0 || !(first instanceof AcmeError)) throw first;
  const messages = reasons.map((reason) => (reason as Error).message).join('; ');
  throw new AcmeError(first.kind, messages, {
    ...(first.type === undefined ? {} : { type: first.type }),
    cause: first,
  });
}
