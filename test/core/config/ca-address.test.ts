import { describe, expect, it } from 'vitest';
import { parseCaAddress } from '../../../src/core/config/ca-address.ts';

describe('parseCaAddress', () => {
  it.each([
    ['10.0.0.10', '10.0.0.10', undefined],
    ['10.0.0.10:9000', '10.0.0.10', 9000],
    ['ca.internal', 'ca.internal', undefined],
    ['ca.internal:443', 'ca.internal', 443],
    ['::1', '::1', undefined],
    ['[fd00::1]:9000', 'fd00::1', 9000],
  ])('reads %s', (text, host, port) => {
    expect(parseCaAddress(text)).toEqual({ host, port });
  });

  it.each(['', 'a b', 'https://a', 'a:99999', 'a:b', '[::1'])('refuses %j', (text) => {
    expect(parseCaAddress(text)).toBeUndefined();
  });
});
