import { spawn } from 'node:child_process';
import { AcmeError } from './acme-error.ts';

/** A script that hangs must not hold a certificate for ever. */
const TIMEOUT_MS = 120_000;
const MAX_OUTPUT = 500;

/** One TXT record of a dns-01 challenge (RFC 8555 section 8.4). */
export interface DnsRecord {
  readonly domain: string;
  readonly token: string;
  readonly keyAuthorization: string;
  /** `_acme-challenge.DOMAIN`. */
  readonly name: string;
  readonly value: string;
}

/** Puts the record in place, or takes it away. @throws AcmeError with what the command said */
export type DnsHook = (action: 'present' | 'cleanup', record: DnsRecord, signal: AbortSignal) => Promise<void>;

/**
 * The providers of `dnsChallenge.provider` that need nothing but a command, with lego's environment variables:
 *
 * - `exec`: `EXEC_PATH present|cleanup FQDN. VALUE`, or with `EXEC_MODE=RAW` `EXEC_PATH present|cleanup -- DOMAIN TOKEN KEYAUTH`;
 * - `rfc2136`: `nsupdate` (bind9-dnsutils) with `RFC2136_NAMESERVER`, `RFC2136_TSIG_KEY`, `_SECRET`, `_ALGORITHM`, `RFC2136_TTL`.
 *
 * @throws AcmeError for another provider, or where its variables are missing
 */
export function dnsHook(provider: string | undefined, env: NodeJS.ProcessEnv): DnsHook {
  switch (provider) {
    case 'exec': {
      const command = needed(env, 'EXEC_PATH', provider);
      return (action, record, signal) => run(command, execArguments(action, record, env), '', env, signal);
    }
    case 'rfc2136': {
      const server = needed(env, 'RFC2136_NAMESERVER', provider);
      const command = env.NSUPDATE_PATH ?? 'nsupdate';
      return (action, record, signal) => run(command, [], updateScript(action, record, server, env), env, signal);
    }
    default:
      throw new AcmeError(
        'local',
        `the DNS provider \`${provider ?? ''}\` is not there: \`exec\` runs a script of yours, \`rfc2136\` runs nsupdate`,
      );
  }
}

function execArguments(action: string, record: DnsRecord, env: NodeJS.ProcessEnv): readonly string[] {
  if (env.EXEC_MODE === 'RAW') return [action, '--', record.domain, record.token, record.keyAuthorization];
  return [action, `${record.name}.`, record.value];
}

function updateScript(action: string, { name, value }: DnsRecord, server: string, env: NodeJS.ProcessEnv): string {
  const [, host = server, port = '53'] = /^\[?(.*?)\]?(?::(\d+))?$/.exec(server) ?? [];
  const algorithm = (env.RFC2136_TSIG_ALGORITHM ?? 'hmac-sha256').replace(/\.$/, '');
  const key = env.RFC2136_TSIG_KEY;
  const sign = key === undefined ? [] : [`key ${algorithm}:${key} ${env.RFC2136_TSIG_SECRET ?? ''}`];
  const record = `${name}. ${action === 'present' ? `${env.RFC2136_TTL ?? '120'} ` : ''}IN TXT "${value}"`;
  return [
    `server ${host} ${port}`,
    ...sign,
    `update ${action === 'present' ? 'add' : 'delete'} ${record}`,
    'send',
    '',
  ].join('\n');
}

function needed(env: NodeJS.ProcessEnv, name: string, provider: string): string {
  const value = env[name];
  if (value) return value;
  throw new AcmeError('local', `the DNS provider \`${provider}\` needs the environment variable ${name}`);
}

function run(
  command: string,
  args: readonly string[],
  input: string,
  env: NodeJS.ProcessEnv,
  signal: AbortSignal,
): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const fail = (why: string): void => reject(new AcmeError('local', `${command} ${args[0] ?? ''}: ${why}`));
  const child = spawn(command, args, {
    env,
    stdio: ['pipe', 'pipe', 'pipe'],
    timeout: TIMEOUT_MS,
    killSignal: 'SIGKILL',
  });
  let output = '';
  const keep = (chunk: Buffer): void => {
    output = (output + chunk.toString()).slice(-MAX_OUTPUT);
  };
  child.stdout.on('data', keep);
  child.stderr.on('data', keep);
  child.stdin.on('error', () => undefined); // It did not read what we had to say; its exit code says the rest.
  child.stdin.end(input);
  const onAbort = (): void => void child.kill('SIGKILL');
  signal.addEventListener('abort', onAbort, { once: true });
  child.once('error', (error) => fail(error.message));
  child.once('close', (code, killed) => {
    signal.removeEventListener('abort', onAbort);
    if (signal.aborted) reject(signal.reason);
    else if (code === 0) resolve();
    else fail(`${killed === null ? `ended with ${code}` : `was ended after ${TIMEOUT_MS / 1000} s`}: ${output.trim()}`);
  });
  return promise;
}
