import { describe, expect, it } from 'vitest';
import { readExplainRequest } from '../../src/command/explain-request.ts';
import { explainRequestSchema } from '../../src/core/explain.ts';

describe('the request that `explain` is about', () => {
  it.each<[string, object]>([
    [
      'https://A.example/x?y=1',
      { secure: true, authority: 'A.example', serverName: 'a.example', port: 443, portNamed: false, target: '/x?y=1' },
    ],
    ['http://a.example:8080', { secure: false, port: 8080, portNamed: true, target: '/' }],
    ['https://a.example/a/../b//c%2Fd', { target: '/a/../b//c%2Fd' }],
    ['https://a.example?q', { target: '/?q' }],
    ['https://a.example/x#fragment', { target: '/x' }],
    ['https://[::1]:8443/', { authority: '[::1]:8443', serverName: null, localAddress: '::1', port: 8443 }],
    ['http://127.0.0.1/', { serverName: null, localAddress: '127.0.0.1' }],
    ['http://a.example/ü', { target: '/\xc3\xbc' }],
  ])('%s', (url, expected) => {
    const request = readExplainRequest(url, {});
    expect(request).toMatchObject(expected);
    expect(explainRequestSchema.parse(request)).toEqual(request);
  });

  it('takes a Host header as curl does: another name in the request than in the handshake', () => {
    const request = readExplainRequest('https://a.example/', { header: ['Host: b.example', 'X-A:  1 '] });
    expect(request).toMatchObject({ authority: 'b.example', serverName: 'a.example', headers: [['X-A', '1']] });
  });

  it.each<[string, object]>([
    ['a.example/x', {}],
    ['ftp://a.example', {}],
    ['https://', {}],
    ['https://user@a.example/', {}],
    ['https://a.example:0/', {}],
    ['https://a.example:70000/', {}],
    ['https://a.example/', { header: ['no colon'] }],
    ['https://a.example/', { clientIp: 'here' }],
  ])('%s with %j is wrong usage', (url, options) => {
    expect(() => readExplainRequest(url, options)).toThrow(expect.objectContaining({ exitCode: 2 }));
  });
});
