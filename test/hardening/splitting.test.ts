import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type ProxyProcess, startProxy } from '../support/proxy.ts';
import { sendRaw } from '../support/raw-client.ts';

/** What of a request comes back in the proxy's own answers must stay inside of its field (CWE-113). */

let proxy: ProxyProcess;
beforeAll(async () => {
  proxy = await startProxy({
    static: { entryPoints: { web: {} } },
    dynamic: {
      http: {
        routers: {
          scheme: { rule: 'PathPrefix(`/scheme`)', service: 'none', middlewares: ['scheme'] },
          regex: { rule: 'PathPrefix(`/regex`)', service: 'none', middlewares: ['regex'] },
        },
        middlewares: {
          scheme: { redirectScheme: { scheme: 'https' } },
          regex: { redirectRegex: { regex: '^https?://([^/]+)/regex(.*)', replacement: 'https://$1/to$2' } },
        },
        services: { none: { loadBalancer: { servers: [{ url: 'http://127.0.0.1:9' }] } } },
      },
    },
  });
});
afterAll(() => proxy.stop());

describe('a redirect', () => {
  it.each(['/scheme', '/regex'])('of %s keeps what was asked for encoded', async (prefix) => {
    for (const rest of [
      '/%0d%0aSet-Cookie:%20a=b',
      '/%0A%0Ax',
      '/?a=%0d%0aX:y',
      '/%E5%98%8A%E5%98%8Dx',
      '/%00',
      '/\\evil.test',
      '/"<>',
    ]) {
      const { responses, rest: behind } = await sendRaw({
        port: proxy.port(),
        chunks: [`GET ${prefix}${rest} HTTP/1.1\r\nHost: a.test\r\n\r\n`],
      });
      expect(responses).toHaveLength(1);
      expect(behind.length).toBe(0);
      expect(responses[0]?.status).toBe(302);
      expect(responses[0]?.header('location')).toMatch(/^https:\/\/a\.test\/(scheme|to)\/[!-~]*$/);
      expect(responses[0]?.header('set-cookie')).toBeUndefined();
    }
  });

  it.each(['/scheme', '/regex'])('of %s leads to no other host than the one that was asked', async (prefix) => {
    for (const target of [
      `${prefix}//evil.test`,
      `${prefix}/..//evil.test`,
      `${prefix}/@evil.test`,
      `${prefix}%2F%2Fevil.test`,
    ]) {
      const { responses } = await sendRaw({
        port: proxy.port(),
        chunks: [`GET ${target} HTTP/1.1\r\nHost: a.test\r\n\r\n`],
      });
      // Above the prefix there is no router.
      if (target.includes('/..')) expect(responses[0]?.status).toBe(404);
      else expect(new URL(responses[0]!.header('location')!).host).toBe('a.test');
    }
  });
});
