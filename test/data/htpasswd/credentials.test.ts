import { describe, expect, it } from 'vitest';
import { MAX_PASSWORD_BYTES, parseCredentials, parseUsers } from '../../../src/data/htpasswd/credentials.ts';

const basic = (text: string): string => `Basic ${Buffer.from(text, 'utf8').toString('base64')}`;

describe('parseCredentials', () => {
  it.each([
    [basic('ann:secret'), 'ann', 'secret'],
    [basic('ann:a:b'), 'ann', 'a:b'],
    [basic(':'), '', ''],
    [basic('ännchen:ö'), 'ännchen', 'ö'],
    [basic('ann:secret').replace('Basic', 'bAsIc'), 'ann', 'secret'],
  ])('%j is %j and %j', (value, user, password) => {
    const credentials = parseCredentials(value);
    expect([credentials?.user, credentials?.password.toString('utf8')]).toEqual([user, password]);
  });

  it.each([
    [undefined],
    [''],
    ['Basic'],
    ['Basic '],
    ['Bearer YTpi'],
    ['Basic YTpi=='],
    ['Basic YT pi'],
    ['Basic YTp-'],
    ['Basic YW5u'],
    [basic(`a:${'x'.repeat(MAX_PASSWORD_BYTES + 1)}`)],
  ])('%j is none', (value) => {
    expect(parseCredentials(value)).toBeUndefined();
  });
});

describe('parseUsers', () => {
  it('reads lines; the last of two with one name counts; comments and empty lines do not', () => {
    const users = parseUsers(['ann:1', ' bob:2 ', '', '# note', 'ann:3', '__proto__:4']);
    expect([...users]).toEqual([
      ['ann', '3'],
      ['bob', '2'],
      ['__proto__', '4'],
    ]);
  });

  it.each(['ann', 'ann:realm:secret', ':secret'])('refuses %j and does not repeat it', (line) => {
    const read = (): unknown => parseUsers(['ok:1', line]);
    expect(read).toThrow('line 2');
    expect(read).not.toThrow('secret');
  });
});
