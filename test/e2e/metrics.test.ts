import { afterAll, beforeAll, expect, it } from 'vitest';
import { type HttpUpstream, startEchoServer } from '../support/http-upstreams.ts';
import { type ProxyProcess, startProxy } from '../support/proxy.ts';
import { sendRaw } from '../support/raw-client.ts';
import { waitFor } from '../support/wait-for.ts';
import { allTo } from './setup.ts';

let echo: HttpUpstream;
beforeAll(async () => {
  echo = await startEchoServer();
});
afterAll(() => echo.close());

async function scrape(proxy: ProxyProcess): Promise<{ type: string; text: string }> {
  const { responses } = await sendRaw({
    port: proxy.port(),
    chunks: ['GET /metrics HTTP/1.1\r\nHost: a.test\r\n\r\n'],
  });
  return { type: responses[0]?.header('content-type') ?? '', text: responses[0]?.body.toString() ?? '' };
}

it('the metrics say how reloads ended, which workers there are, whose fault failures were, when certificates expire', async () => {
  await using proxy = await startProxy({
    static: { entryPoints: { web: {} }, metrics: { prometheus: { entryPoint: 'web' } } },
    dynamic: { 'a.yml': JSON.stringify(allTo(echo.url)) },
  });
  const first = await scrape(proxy);
  expect(first.type).toMatch(/^text\/plain; version=0\.0\.4/);
  expect(first.text).toMatch(/^traefik_config_last_reload_success 1$/m);
  expect(first.text).toMatch(/^phoenix_workers\{state="serving"\} 1$/m);
  expect(first.text).toMatch(/^traefik_tls_certs_not_after\{cn="[^"]+",serial="\d+",sans="[^"]+"\} \d+/m);
  expect(first.text).toMatch(/^traefik_service_server_up\{service="app@file",url="http:[^"]+"\} 1$/m);
  await sendRaw({ port: proxy.port(), chunks: ['GET / HTTP/1.1\r\nHost: a b\r\n\r\n'] });
  await proxy.writeDynamic('http: [', { file: 'a.yml' });
  let seen = '';
  await waitFor(
    'the failures',
    async () => {
      const { text } = await scrape(proxy);
      seen = text;
      return (
        /^traefik_config_last_reload_success 0$/m.test(text) &&
        /^phoenix_config_reload_failures_total [1-9]\d*$/m.test(text) &&
        /^phoenix_requests_failed_total\{code="CLIENT_BAD_REQUEST",source="client"\} 1$/m.test(text)
      );
    },
    { describe: () => seen },
  );
});
