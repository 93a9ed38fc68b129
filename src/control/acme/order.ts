import acme from 'acme-client';
import type { AcmeConfig } from '../../core/config/static.ts';
import { AcmeError } from './acme-error.ts';
import { newCertificateKey } from './certificate-key.ts';
import { pause } from './clock.ts';
import { type HeldCertificate, holdCertificate, missingNames } from './held-certificate.ts';
import { identifier, type NameSet, setKey } from './names.ts';
import type { OrderContext, OrderRequest } from './order-context.ts';
import { prove } from './prove.ts';

const POLL_FIRST_MS = 150;
const POLL_MAX_MS = 3_000;

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
    // RFC 9773 section 5: another order replaced it already, or the CA does not know it. Some say so with a 500.
    if (replaces === undefined || !isAboutReplacing(error)) throw error;
    order = await create(undefined);
  }
  await storage.orders.put(id, { url: order.url, key, directory: config.caServer, since: clock.now() });
  return { order, key };
}

function isAboutReplacing(error: unknown): boolean {
  if (!(error instanceof AcmeError) || error.type === 'rateLimited') return false;
  return error.kind === 'refused' || error.kind === 'broken';
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

function refusedOrder(order: acme.Order): AcmeError {
  const { detail, type } = (order.error ?? {}) as { detail?: string; type?: string };
  return new AcmeError('refused', `the CA gave the order up (${order.status}): ${detail ?? 'it does not say why'}`, {
    ...(type === undefined ? {} : { type: type.replace(/^urn:ietf:params:acme:error:/, '') }),
  });
}
