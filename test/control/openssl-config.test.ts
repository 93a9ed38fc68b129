import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { opensslArguments } from '../../src/control/openssl-config.ts';

describe("OpenSSL's settings in a worker", () => {
  it('are those of the file that comes with the proxy', () => {
    const [argument] = opensslArguments({}, ['--enable-source-maps']);
    const file = argument?.replace(/^--openssl-config=/, '') ?? '';
    expect(readFileSync(file, 'utf8')).toContain('NumTickets = 1');
  });

  it('are those of the operator where there are any', () => {
    expect(opensslArguments({ OPENSSL_CONF: '/etc/ssl/fips.cnf' }, [])).toEqual([]);
    expect(opensslArguments({ NODE_OPTIONS: '--no-warnings --openssl-config=/etc/ssl/fips.cnf' }, [])).toEqual([]);
    expect(opensslArguments({ NODE_OPTIONS: '--openssl-shared-config' }, [])).toEqual([]);
    expect(opensslArguments({}, ['--openssl-config=/etc/ssl/fips.cnf'])).toEqual([]);
  });

  it("are OpenSSL's own where the file is not there", () => {
    expect(opensslArguments({}, [], '/nowhere/worker-openssl.cnf')).toEqual([]);
  });
});
