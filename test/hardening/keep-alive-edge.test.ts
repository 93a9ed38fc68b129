import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { allTo } from '../e2e/setup.ts';
import { type ProxyProcess, startProxy } from '../support/proxy.ts';
import { RawClient } from '../support/raw-client.ts';
import {
  type RecordingUpstream,
  type Step,
  startRecordingUpstream,
  type UpstreamConnection,
} from '../support/recording-upstream.ts';
import { waitFor } from '../support/wait-for.ts';

/** Hazards 16 and 17: what an upstream says or does between two requests must reach no request. */
const SIZE = Number(process.env.HARDENING_SIZE ?? 1);
vi.setConfig({ testTimeout: 120_000 * SIZE });

const OK = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok';
const POISON = 'HTTP/1.1 200 OK\r\nX-Poison: yes\r\nContent-Length: 6\r\n\r\npoison';

let upstream: RecordingUpstream;
let proxy: ProxyProcess;
beforeAll(async () => {
  upstream = await startRecordingUpstream();
  proxy = await startProxy({ static: { entryPoints: { web: {} } }, dynamic: allTo(upstream.url) });
});
afterAll(async () => {
  await proxy.stop();
  await upstream.close();
});

/** Sends requests one after another on one connection, and returns the answers that are no `200 ok`. */
async function ask(
  request: (turn: number) => string,
  count: number,
  between?: () => Promise<unknown>,
): Promise<string[]> {
  const wrong: string[] = [];
  let client = await RawClient.connect({ port: proxy.port() });
  for (let turn = 0; turn < count; turn++) {
    if (client.closed !== 'no') client = await RawClient.connect({ port: proxy.port() });
    client.clear();
    await client.write(request(turn));
    await client.waitUntil('an answer', () => client.closed !== 'no' || client.split().responses[0]?.complete === true);
    const text = client.received.toString('latin1');
    if (!text.startsWith('HTTP/1.1 200') || !text.endsWith('\r\n\r\nok')) wrong.push(text.slice(0, 200));
    await between?.();
  }
  client.socket.destroy();
  return wrong;
}

describe('an upstream that closes as the next request comes (hazard 17)', () => {
  let turn = 0;
  /** The connection ends a moment behind each third answer: before, as, or after the next request is written to it. */
  const closing = (): readonly Step[] => {
    turn++;
    if (turn % 3 !== 0) return [OK];
    const moment = { delayMs: turn % 4 };
    return turn % 2 === 0 ? [OK, moment, 'END'] : [OK, moment, 'RESET'];
  };

  it(`fails no GET of ${2_000 * SIZE}`, async () => {
    upstream.use({ onRequest: closing });
    expect(await ask(() => 'GET / HTTP/1.1\r\nHost: a.test\r\n\r\n', 2_000 * SIZE)).toEqual([]);
  });

  it('gets no POST twice', async () => {
    const seen = new Map<string, number>();
    upstream.use({
      onRequest: (request) => {
        const id = request.target;
        seen.set(id, (seen.get(id) ?? 0) + 1);
        return closing();
      },
    });
    const count = 1_000 * SIZE;
    const wrong = await ask((n) => `POST /${n} HTTP/1.1\r\nHost: a.test\r\nContent-Length: 2\r\n\r\nab`, count);
    expect([...seen].filter(([, times]) => times > 1)).toEqual([]);
    // One that may have been seen is not sent again, and the client is told so.
    expect(wrong.filter((text) => !text.startsWith('HTTP/1.1 502'))).toEqual([]);
    expect(seen.size + wrong.length).toBeGreaterThanOrEqual(count);
  });
});

describe('an upstream that speaks unasked (hazard 16)', () => {
  it('is heard by none of 1,000', async () => {
    // Behind each answer, at once or a moment later, comes another. A connection where that happens is never used again.
    let turn = 0;
    let poisoned: UpstreamConnection | undefined;
    upstream.use({
      onRequest: (_, connection) => {
        turn++;
        poisoned = connection;
        return turn % 3 === 0 ? [OK + POISON] : [OK, { delayMs: turn % 2 }, POISON];
      },
    });
    const letGo = (): Promise<unknown> => waitFor('the connection to be let go of', () => poisoned?.closed !== 'no');
    const wrong = await ask(() => 'GET / HTTP/1.1\r\nHost: a.test\r\n\r\n', 1_000, letGo);
    expect(wrong).toEqual([]);
  });
});
