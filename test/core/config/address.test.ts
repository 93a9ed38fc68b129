import { describe, expect, it } from 'vitest';
import { parseAddress } from '../../../src/core/config/address.ts';

describe('parseAddress', () => {
  it.each([
    [':80', '::', 80, 'tcp'],
    ['127.0.0.1:80', '127.0.0.1', 80, 'tcp'],
    ['[::1]:80', '::1', 80, 'tcp'],
    ['localhost:8080', 'localhost', 8080, 'tcp'],
    [':53/udp', '::', 53, 'udp'],
    [':80/TCP', '::', 80, 'tcp'],
    [':0', '::', 0, 'tcp'],
  ])('reads %s', (written, host, port, protocol) => {
    expect(parseAddress(written)).toEqual({ host, port, protocol });
  });

  it.each([
    ['80', 'colon before the port'],
    ['::1:80', 'brackets'],
    [':65536', 'at most 65535'],
    [':80/sctp', 'tcp or udp'],
    [':80a', 'not an address'],
    ['', 'colon before the port'],
    [':80/tcp/udp', 'tcp or udp'],
  ])('says what is wrong with %j', (written, what) => {
    expect(parseAddress(written)).toContain(what);
  });
});
