import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import type { BasicAuthMiddleware } from '../../core/config/middlewares.ts';
import { ProxyError } from '../../core/errors.ts';
import type { Exchange, Handler } from '../exchange.ts';
import { alikeName, HeaderList } from '../headers/header-list.ts';
import { type Credentials, parseCredentials, parseUsers } from '../htpasswd/credentials.ts';
import { unusableReason } from '../htpasswd/stored-hash.ts';
import { passwordVerifier } from '../htpasswd/verifier.ts';
import { fieldName, fieldValue } from './config-value.ts';
import type { MiddlewareFactory } from './types.ts';

/** A user who can log in. */
interface User {
  readonly hash: string;
  /** The name as a header value. */
  readonly headerValue: string;
  /** Keyed digest of the password that last matched: one for each user, so the cache is as large as the list. */
  verified: Buffer | null;
}

/** Of this process alone: what a digest in memory is worth ends with it. */
const KEY = randomBytes(32);

/**
 * Asks for a name and a password and compares them with htpasswd lines (`usersFile` is already among `users`).
 *
 * A password that matched once is remembered as a keyed digest and costs microseconds from then on. Anything else is computed
 * on another thread (see verifier.ts), and a name that nobody has costs what some real one costs: its time tells nothing.
 * @throws where a line is not `name:hash`, or the realm or a header name is invalid
 */
export const basicAuth: MiddlewareFactory<BasicAuthMiddleware> = (config, context) => {
  const users = new Map<string, User>();
  for (const [name, hash] of parseUsers(config.users)) {
    const problem = unusableReason(hash);
    if (problem === undefined) {
      users.set(name, { hash, headerValue: fieldValue(name, 'basicAuth.users'), verified: null });
    } else {
      context.log('warn', `basicAuth.users: ${name} cannot log in: ${problem}`, { middleware: context.name });
    }
  }
  if (users.size === 0) context.log('warn', 'basicAuth.users has nobody who can log in', { middleware: context.name });
  const decoys = [...users.values()];
  const realm = fieldValue(config.realm === '' ? 'traefik' : config.realm, 'basicAuth.realm');
  const challenge = `Basic realm="${realm.replace(/["\\]/g, '\\$&')}"`;
  const headerField = config.headerField ? fieldName(config.headerField, 'basicAuth.headerField') : null;
  const alike = alikeName(headerField ?? '');
  const removeHeader = config.removeHeader;

  const accept = (exchange: Exchange, user: User, next: Handler): void => {
    if (headerField !== null) {
      exchange.headers.deleteAlike(alike);
      exchange.headers.set(headerField, user.headerValue);
    }
    if (removeHeader) exchange.headers.delete('authorization');
    next(exchange);
  };

  const check = async (exchange: Exchange, sent: Credentials, digest: Buffer, next: Handler): Promise<void> => {
    const user = users.get(sent.user);
    const against = user ?? decoys[digest[0]! % decoys.length]!;
    const verdict = await passwordVerifier.verify(sent.password, against.hash, () => !isOver(exchange));
    if (isOver(exchange) || verdict === 'gone') return;
    if (verdict === 'busy') {
      exchange.fail(new ProxyError('PROXY_OVERLOADED', `${context.name}: too many passwords wait to be checked`));
    } else if (user === undefined || verdict !== 'match') {
      refuse(exchange, challenge);
    } else {
      user.verified = digest;
      accept(exchange, user, next);
    }
  };

  return (next) => (exchange) => {
    // Of several the upstream could believe another one than we do.
    const fields = exchange.headers.getAll('authorization');
    const sent = fields.length === 1 ? parseCredentials(fields[0]) : undefined;
    if (sent === undefined) {
      refuse(exchange, challenge);
      return;
    }
    exchange.user = sent.user;
    if (decoys.length === 0) {
      refuse(exchange, challenge);
      return;
    }
    const user = users.get(sent.user);
    const digest = digestOf(sent, user?.hash ?? '');
    if (user !== undefined && user.verified !== null && timingSafeEqual(user.verified, digest)) {
      accept(exchange, user, next);
      return;
    }
    check(exchange, sent, digest, next).catch((error: unknown) => {
      exchange.fail(new ProxyError('PROXY_INTERNAL', `${context.name}: the password could not be checked`, error));
    });
  };
};

/** Unambiguous: neither a hash nor a name has a colon. */
function digestOf(sent: Credentials, hash: string): Buffer {
  return createHmac('sha256', KEY).update(`${hash}:${sent.user}:`).update(sent.password).digest();
}

/** Meanwhile the client may have left, or got an answer because its body did not come. */
function isOver(exchange: Exchange): boolean {
  return exchange.finished || exchange.started;
}

function refuse(exchange: Exchange, challenge: string): void {
  const headers = HeaderList.of('WWW-Authenticate', challenge, 'Content-Type', 'text/plain');
  exchange.reply(401, headers, '401 Unauthorized\n');
}
