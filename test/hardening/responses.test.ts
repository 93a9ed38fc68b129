import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { RawClient, sendRaw } from '../support/raw-client.ts';
import { describeRequest, type UpstreamConnection } from '../support/recording-upstream.ts';
import type { RawResponse } from '../support/response-splitter.ts';
import { waitFor } from '../support/wait-for.ts';
import { type ClientSees, POISON, type ResponseCase } from './response-case.ts';
import { RESPONSE_CORPUS } from './response-corpus.ts';
import { startUnderTest, type UnderTest } from './under-test.ts';

const GET = 'GET /case HTTP/1.1\r\nHost: app.test\r\n\r\n';
const NEXT = 'GET /next HTTP/1.1\r\nHost: app.test\r\n\r\n';

let underTest: UnderTest;
beforeAll(async () => {
  underTest = await startUnderTest();
});
afterAll(() => underTest?.[Symbol.asyncDispose]());

it('has names that are unique and sources for all', () => {
  const cases = Object.values(RESPONSE_CORPUS).flat();
  expect(new Set(cases.map(({ name, outcome }) => `${name} ${outcome}`)).size).toBe(cases.length);
  expect(cases.every(({ source }) => source.length > 4)).toBe(true);
});

for (const [family, cases] of Object.entries(RESPONSE_CORPUS)) {
  describe(`responses: ${family}`, () => {
    it.each(cases)('$name: $outcome ($source)', check);
  });
}

/**
 * Sends the request of the case, looks at what the client gets, then sends another one on a new client connection: it
 * must be answered well, and never over the upstream connection that was poisoned.
 */
async function check(response: ResponseCase): Promise<void> {
  const connections: UpstreamConnection[] = [];
  underTest.upstream.use({
    onRequest: (request, connection) => {
      if (request.target !== '/case') return describeRequest(request, connection);
      connections.push(connection);
      return response.steps;
    },
  });
  const request = response.request ?? GET;
  await using client = await RawClient.connect({ port: underTest.port });
  await client.write(request);
  const methods = [request.startsWith('HEAD') ? 'HEAD' : 'GET'];
  const finals = (): RawResponse[] => client.split(methods).responses.filter(({ status }) => status >= 200);
  // The head of anything but a 502 settles a `bad` case: its body may never end.
  const isWrong = (): boolean =>
    response.outcome === 'bad' &&
    client.split(methods).responses.some(({ status }) => status === 101 || (status >= 200 && status !== 502));
  await client.waitUntil(
    'an answer or the end',
    () => client.closed !== 'no' || isUnreadable(client, methods) || finals()[0]?.complete === true || isWrong(),
  );
  // An idempotent request that got no byte back may be sent again, twice at most.
  expect(connections.length).toBeLessThanOrEqual(3);

  await judge(response, client, methods);
  await expectNoReuse(response, connections);
  if (client.closed === 'no') await expectUnharmed(client, methods);
}

/** Whether what the client got is no HTTP at all: no use waiting for more, and judge() says what it is. */
function isUnreadable(client: RawClient, methods: readonly string[]): boolean {
  try {
    client.split(methods);
    return false;
  } catch {
    return true;
  }
}

async function judge(response: ResponseCase, client: RawClient, methods: readonly string[]): Promise<void> {
  const { responses } = client.split(methods);
  const final = responses.find(({ status }) => status >= 200);
  switch (response.outcome) {
    case 'bad':
      expect(final, client.received.toString('latin1').slice(0, 500)).toMatchObject({ status: 502, complete: true });
      return;
    case 'aborted':
      if (final?.status === 502) return expect(final.complete).toBe(true);
      // What comes in one piece is known to be bad before anything went out.
      expect(isOnePiece(response), 'no 502, though nothing had gone out').toBe(false);
      expect(final?.complete ?? false, 'a complete message out of an incomplete one').toBe(false);
      expect(client.closed).not.toBe('no');
      return;
    case 'answered':
    case 'passed':
      expectSeen(responses, response.sees ?? {});
  }
}

function isOnePiece({ steps: [only, ...more] }: ResponseCase): boolean {
  return more.length === 0 && typeof only === 'string' && only.length < 4_096;
}

function expectSeen(responses: readonly RawResponse[], sees: ClientSees): void {
  const final = responses.find(({ status }) => status >= 200);
  expect(final?.complete).toBe(true);
  if (sees.status !== undefined) expect(final?.status).toBe(sees.status);
  if (sees.body !== undefined) expect(final?.body.toString('latin1')).toBe(sees.body);
  if (sees.trailers !== undefined) expect(final?.trailers).toEqual(sees.trailers);
  if (sees.interim !== undefined)
    expect(responses.filter(({ status }) => status < 200).map(({ status }) => status)).toEqual(sees.interim);
  for (const { status, headers } of responses) {
    const names = headers.map(([key]) => key.toLowerCase());
    if (status < 200) expect(names.filter((name) => sees.interimWithout?.includes(name))).toEqual([]);
  }
  for (const [name, values] of Object.entries(sees.headers ?? {})) {
    expect(
      final?.headers.filter(([key]) => key.toLowerCase() === name).map(([, value]) => value),
      name,
    ).toEqual(values);
  }
}

async function expectNoReuse({ outcome }: ResponseCase, poisoned: readonly UpstreamConnection[]): Promise<void> {
  if (outcome !== 'passed') {
    await waitFor('the proxy to close the poisoned connection', () =>
      poisoned.every((c) => c.closed !== 'no' || c.socket.destroyed),
    );
  }
  const { responses } = await sendRaw({ port: underTest.port, chunks: [NEXT] });
  expect(responses.at(-1), 'the next request').toMatchObject({ status: 200 });
  const seen = JSON.parse(responses.at(-1)!.body.toString()) as { connection: number; target: string };
  expect(seen.target).toBe('/next');
  if (outcome !== 'passed') expect(poisoned.map(({ id }) => id)).not.toContain(seen.connection);
}

/** The client's own connection, where it goes on, must not be out of step either. */
async function expectUnharmed(client: RawClient, methods: readonly string[]): Promise<void> {
  expect(client.split(methods).rest.toString('latin1'), 'bytes behind the answer').toBe('');
  client.clear();
  await client.write(NEXT);
  await client.waitUntil(
    'the answer or the end',
    () => client.closed !== 'no' || client.split().responses[0]?.complete === true,
  );
  const [answer] = client.split().responses;
  if (answer === undefined) return;
  expect(answer.header('x-poison')).toBeUndefined();
  expect(JSON.parse(answer.body.toString())).toMatchObject({ target: '/next' });
}

describe('responses: on an idle upstream connection', () => {
  it('a response nobody asked for is discarded with its connection', async () => {
    underTest.upstream.use({});
    for (let round = 0; round < 20; round++) {
      const first = await sendRaw({ port: underTest.port, chunks: [NEXT] });
      expect(first.responses.at(-1)?.status).toBe(200);
      for (const connection of underTest.upstream.connections)
        if (connection.closed === 'no') await connection.play([POISON]);
      const { responses } = await sendRaw({ port: underTest.port, chunks: [NEXT] });
      expect(responses.at(-1)?.header('x-poison')).toBeUndefined();
      expect(responses.at(-1)?.status).toBe(200);
    }
  });

  it('a response that comes with the connection, before the request, does not outlive it', async () => {
    const greeted: number[] = [];
    underTest.upstream.use({
      onConnect: ({ id }) => {
        greeted.push(id);
        return [POISON];
      },
      onRequest: (request, connection) => describeRequest(request, connection),
    });
    for (const connection of underTest.upstream.connections) connection.socket.destroy();
    await sleep(20);
    await sendRaw({ port: underTest.port, chunks: [GET] });
    underTest.upstream.use({});
    const { responses } = await sendRaw({ port: underTest.port, chunks: [NEXT] });
    expect(responses.at(-1)?.header('x-poison')).toBeUndefined();
    expect(greeted).not.toContain((JSON.parse(responses.at(-1)!.body.toString()) as { connection: number }).connection);
  });
});
