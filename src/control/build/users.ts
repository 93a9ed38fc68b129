import type { BasicAuthMiddleware } from '../../core/config/dynamic.ts';
import type { Subject } from './findings.ts';
import type { Reader } from './reader.ts';

/** What became of a basicAuth middleware. */
export interface Users {
  /** With the users of `usersFile` after its own. */
  readonly config: BasicAuthMiddleware;
  /** Why nobody can be let through safely. */
  readonly refuse?: string;
}

/** The hashes that can be verified: bcrypt, Apache's MD5 variant, SHA-1. */
const HASH = /^(?:\$2[abxy]\$\d\d\$[./A-Za-z0-9]{53}|\$apr1\$[^$]{1,8}\$[./A-Za-z0-9]{22}|\{SHA\}[A-Za-z0-9+/]{27}=)$/;

/** Brings the users of a basicAuth middleware together and checks their lines. Hashes never stand in a message. */
export function readUsers(config: BasicAuthMiddleware, subject: Subject, reader: Reader): Users {
  const users = [...config.users];
  let refuse: string | undefined;
  if (config.usersFile !== undefined && config.usersFile !== '') {
    const content = reader.file(config.usersFile);
    if (content instanceof Error) {
      refuse = `the users file ${config.usersFile} cannot be read: ${content.message}`;
      subject.error('unreadable-file', refuse, {
        at: ['basicAuth', 'usersFile'],
        value: true,
        hint: 'the routers that use it answer 500 until it can be read',
      });
    } else {
      for (const line of content.split('\n')) {
        const text = line.trim();
        if (text !== '' && !text.startsWith('#')) users.push(text);
      }
    }
  }
  if (refuse === undefined && users.length === 0) {
    subject.warning('no-users', 'basicAuth has no users: every request is answered 401', {
      at: ['basicAuth'],
      hint: 'add lines as `htpasswd -nB name` prints them',
    });
  }
  users.forEach((line, index) => {
    const colon = line.indexOf(':');
    if (colon > 0 && HASH.test(line.slice(colon + 1))) return;
    const who = colon > 0 ? `user \`${line.slice(0, colon)}\`` : `line ${index + 1}`;
    const own = index < config.users.length;
    const what = colon > 0 ? 'has a password hash of an unknown kind' : 'is not `name:hash`';
    subject.warning('bad-user', `basicAuth: ${who} ${what}; this user cannot log in`, {
      at: own ? ['basicAuth', 'users', index] : ['basicAuth', 'usersFile'],
      value: true,
      hint: 'make the line with `htpasswd -nB name` (bcrypt, apr1 and SHA are known)',
    });
  });
  return { config: { ...config, users }, ...(refuse === undefined ? {} : { refuse }) };
}
