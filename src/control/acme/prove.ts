import type acme from 'acme-client';
import { AcmeError } from './acme-error.ts';
import { CHALLENGE_MS } from './ca-client.ts';
import { type PickedChallenge, type Prepared, pickChallenge, prepareChallenge } from './challenges.ts';
import { pause } from './clock.ts';
import type { OrderContext, OrderRequest } from './order-context.ts';

/** What a CA needs to look at a name, its own retries included. */
const CHALLENGE_DEADLINE_MS = 90_000;
const POLL_FIRST_MS = 150;
const POLL_MAX_MS = 3_000;
/** step-ca leaves a challenge that it could not connect to pending, and looks again when told to. */
const MAX_LOOKS = 3;
const LOOK_AGAIN_MS = 1_500;
/** A look that takes longer will not be quicker the next time, and others wait for its place. */
const LOOK_AGAIN_WITHIN_MS = 10_000;

/**
 * Answers the challenges of all names, and waits until the CA is convinced of each.
 *
 * @throws AcmeError that says what the CA saw, and what answers there
 */
export async function prove(order: acme.Order, request: OrderRequest, context: OrderContext): Promise<void> {
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
  let lost = false;
  try {
    await client.step(signal, (c) => c.completeChallenge(asRfc), CHALLENGE_MS);
  } catch (error) {
    // step-ca looks for 30 s where nothing answers, which is as long as it lets an answer of its own take: it cuts the
    // connection. The CA is not away, the name is: if it were, the next question finds out.
    lost = error instanceof AcmeError && error.kind === 'unreachable' && clock.now() - begun > LOOK_AGAIN_WITHIN_MS;
    if (!lost) throw error;
  }
  for (;;) {
    const [now] = await client.step(signal, (c) =>
      c.getAuthorizations({ authorizations: [authorization.url] } as unknown as acme.Order),
    );
    if (now?.status === 'valid') return;
    const seen = (now?.challenges as readonly PickedChallenge[] | undefined)?.find(({ url }) => url === challenge.url);
    const stuck = now?.status === 'pending' && seen?.error !== undefined;
    const elapsed = clock.now() - begun;
    const enough = lost || (stuck && (looks >= MAX_LOOKS || elapsed > LOOK_AGAIN_WITHIN_MS));
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
