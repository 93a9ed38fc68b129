import { chmod, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { type DnsRecord, dnsHook } from '../../../src/control/acme/dns-script.ts';
import { PEBBLE_TOOLS, startPebble } from '../../support/pebble.ts';
import { tempDir } from '../../support/temp.ts';
import { toolsMissing } from '../../support/tools.ts';
import { waitFor } from '../../support/wait-for.ts';
import { manage } from './support.ts';

const signal = new AbortController().signal;
const record: DnsRecord = {
  domain: 'a.test',
  token: 'tok',
  keyAuthorization: 'tok.thumb',
  name: '_acme-challenge.a.test',
  value: 'digest',
};

/** A script that writes down how it was called, and what it was told. */
async function script(dir: string, body = ''): Promise<string> {
  const path = join(dir, 'hook.sh');
  await writeFile(path, `#!/bin/sh\necho "$@" >> ${dir}/calls\ncat >> ${dir}/input\n${body}\n`);
  await chmod(path, 0o755);
  return path;
}

describe('the DNS provider', () => {
  it('`exec` calls the script as lego does', async () => {
    await using dir = await tempDir();
    const env = { ...process.env, EXEC_PATH: await script(dir.path) };
    await dnsHook('exec', env)('present', record, signal);
    await dnsHook('exec', env)('cleanup', record, signal);
    await dnsHook('exec', { ...env, EXEC_MODE: 'RAW' })('present', record, signal);
    expect(await readFile(join(dir.path, 'calls'), 'utf8')).toBe(
      'present _acme-challenge.a.test. digest\ncleanup _acme-challenge.a.test. digest\npresent -- a.test tok tok.thumb\n',
    );
  });

  it('`exec` tells what a script that fails had to say', async () => {
    await using dir = await tempDir();
    const env = { ...process.env, EXEC_PATH: await script(dir.path, 'echo no such zone >&2; exit 3') };
    await expect(dnsHook('exec', env)('present', record, signal)).rejects.toThrow(
      /hook\.sh present: ended with 3: no such zone/,
    );
    const missing = { EXEC_PATH: join(dir.path, 'nothing') };
    await expect(dnsHook('exec', missing)('present', record, signal)).rejects.toThrow(
      /nothing present: spawn .* ENOENT/,
    );
  });

  it('`rfc2136` gives nsupdate a signed update', async () => {
    await using dir = await tempDir();
    const env = {
      ...process.env,
      NSUPDATE_PATH: await script(dir.path),
      RFC2136_NAMESERVER: '127.0.0.1:5353',
      RFC2136_TSIG_KEY: 'acme.',
      RFC2136_TSIG_SECRET: 'c2VjcmV0',
    };
    await dnsHook('rfc2136', env)('present', record, signal);
    await dnsHook('rfc2136', env)('cleanup', record, signal);
    expect(await readFile(join(dir.path, 'input'), 'utf8')).toBe(
      [
        'server 127.0.0.1 5353',
        'key hmac-sha256:acme. c2VjcmV0',
        'update add _acme-challenge.a.test. 120 IN TXT "digest"',
        'send',
        'server 127.0.0.1 5353',
        'key hmac-sha256:acme. c2VjcmV0',
        'update delete _acme-challenge.a.test. IN TXT "digest"',
        'send',
        '',
      ].join('\n'),
    );
  });

  it('of another name says which there are', () => {
    expect(() => dnsHook('route53', {})).toThrow(
      /`route53` is not there: `exec` runs a script of yours, `rfc2136` runs nsupdate/,
    );
    expect(() => dnsHook('exec', {})).toThrow(/`exec` needs the environment variable EXEC_PATH/);
  });
});

describe.skipIf(toolsMissing('dns-01 with pebble', ...PEBBLE_TOOLS))('a wildcard certificate', () => {
  it('comes by dns-01 with a script, which cleans up', async () => {
    await using pebble = await startPebble();
    await using dir = await tempDir();
    const management = `http://127.0.0.1:${pebble.dnsManagementPort}`;
    const path = join(dir.path, 'dns.sh');
    await writeFile(
      path,
      `#!/bin/sh
echo "$1 $2" >> ${dir.path}/calls
case "$1" in
  present) curl -sf -d "{\\"host\\":\\"$2\\",\\"value\\":\\"$3\\"}" ${management}/set-txt;;
  cleanup) curl -sf -d "{\\"host\\":\\"$2\\"}" ${management}/clear-txt;;
esac
`,
    );
    await chmod(path, 0o755);
    await using it = await manage({
      resolvers: {
        mesh: {
          ...{ caServer: pebble.directory, caCertificates: [pebble.rootFile] },
          dnsChallenge: { provider: 'exec' },
        },
      },
      env: { ...process.env, EXEC_PATH: path },
    });
    it.want(['*.wild.test', 'wild.test']);
    await it.certificate('*.wild.test');
    const calls = (await readFile(join(dir.path, 'calls'), 'utf8')).trim().split('\n');
    expect(calls.filter((line) => line === 'present _acme-challenge.wild.test.').length).toBeGreaterThanOrEqual(2);
    expect(calls.filter((line) => line === 'cleanup _acme-challenge.wild.test.').length).toBeGreaterThanOrEqual(2);
  });

  it('does not come by http-01, and it is said why', async () => {
    await using pebble = await startPebble();
    await using it = await manage({
      resolvers: { mesh: { caServer: pebble.directory, caCertificates: [pebble.rootFile], httpChallenge: {} } },
    });
    it.want('*.wild.test');
    const line = await waitFor('the reason', () => it.lines.find((text) => text.startsWith('error')));
    expect(line).toMatch(
      /the CA offers .*dns-01.* for wild\.test, and the resolver is set up for http-01: set httpChallenge, tlsChallenge or dnsChallenge/,
    );
  });
});
