import { describe, expect, it } from 'vitest';
import { startModelServer } from '../../support/model-server.ts';
import { type ProxyProcess, startProxy } from '../../support/proxy.ts';
import { RawClient } from '../../support/raw-client.ts';
import { toolsMissing } from '../../support/tools.ts';
import { waitFor } from '../../support/wait-for.ts';
import { ask, balanced, services, statusOf } from './support.ts';

function request(model: string, tokens: number): { method: string; path: string; headers: string[]; body: string } {
  const body = JSON.stringify({
    messages: [{ role: 'user', content: 'hello' }],
    stream: true,
    max_tokens: tokens,
    model,
  });
  return { method: 'POST', path: '/v1/chat/completions', headers: ['Content-Type: application/json'], body };
}

/** A stream that has begun. */
async function begin(proxy: ProxyProcess, model: string, tokens: number): Promise<RawClient> {
  const { path, headers, body } = request(model, tokens);
  const client = await RawClient.connect({ port: proxy.port() });
  await client.write(
    `POST ${path} HTTP/1.1\r\nHost: a.test\r\n${headers[0]}\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
  );
  await client.waitUntil('a token', (one) => one.received.includes('token0'));
  return client;
}

describe.skipIf(toolsMissing('a model server in Python', 'python3'))('model servers', () => {
  it('by model, with few slots, behind 2 workers: all answered, none beyond its slots, nothing held back', async () => {
    await using granite = await startModelServer('granite-3b', { slots: 2 });
    await using one = await startModelServer('llama-one', { slots: 2 });
    await using two = await startModelServer('llama-two', { slots: 2, loadingSeconds: 2 });
    const limits = { strategy: 'leastconn', maxInFlight: 2, queue: { limit: 200, timeout: '60s' } };
    await using proxy = await startProxy({
      workers: 2,
      dynamic: services(
        { byModel: { models: { 'granite-3b': 'granite', 'llama*': 'llama' } } },
        {
          granite: balanced([granite.url], limits),
          llama: balanced([one.url, two.url], {
            ...limits,
            healthCheck: { path: '/health', interval: '300ms', initial: 'unhealthy' },
          }),
        },
      ),
    });
    await waitFor('the first llama', async () => (await ask(proxy.port(), request('llama-3', 1))).status === 200, {
      timeoutMs: 20_000,
    });
    // Loading is no failure that a client sees: the other one answers.
    for (let i = 0; i < 3; i++) expect((await ask(proxy.port(), request('llama-3', 1))).status).toBe(200);
    await waitFor(
      'the second llama',
      async () =>
        (await statusOf(proxy)).services.find((s) => s.name === 'llama@file')?.servers.every((s) => s.status === 'UP'),
      { timeoutMs: 20_000 },
    );
    const answers = await Promise.all(
      Array.from({ length: 60 }, (_, i) => ask(proxy.port(), request(i % 3 === 0 ? 'granite-3b' : 'llama-3', 5))),
    );
    for (const answer of answers) {
      expect(answer.status).toBe(200);
      expect(answer.body.toString()).toMatch(/token4 .*\n\ndata: \[DONE\]\n\n$/s);
    }
    for (const server of [granite, one, two]) expect((await server.figures()).most).toBeLessThanOrEqual(2);
    const [first, second] = [await one.figures(), await two.figures()];
    expect(Math.min(first.requests, second.requests)).toBeGreaterThan(8);
    expect((await ask(proxy.port(), request('gpt', 1))).status).toBe(404);
  });

  it('stop generating when the client leaves, and the slot is the next one’s', async () => {
    await using model = await startModelServer('granite-3b', { slots: 1 });
    await using proxy = await startProxy({
      workers: 2,
      dynamic: services(balanced([model.url], { maxInFlight: 1, queue: { limit: 10, timeout: '60s' } })),
    });
    const long = await begin(proxy, 'granite-3b', 4_000);
    const next = ask(proxy.port(), request('granite-3b', 3));
    long.reset();
    expect((await next).status).toBe(200);
    const after = await model.figures();
    expect(after.stopped).toBe(1);
    expect(after.tokens).toBeLessThan(3_000);
    await new Promise((resolve) => setTimeout(resolve, 100));
    expect((await model.figures()).tokens).toBe(after.tokens);
  });

  it('end to end, a stream that breaks midway is no success: the client’s connection is cut', async () => {
    const model = await startModelServer('granite-3b');
    await using proxy = await startProxy({ dynamic: services(balanced([model.url])) });
    await using client = await begin(proxy, 'granite-3b', 4_000);
    await model[Symbol.asyncDispose]();
    expect(await client.closes(30_000)).toBe(true);
    expect(client.received.toString().endsWith('0\r\n\r\n')).toBe(false);
  });
});
