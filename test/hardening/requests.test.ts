import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { RawClient } from '../support/raw-client.ts';
import type { SeenRequest } from '../support/request-framing.ts';
import { type Expectation, NO_ANSWER, type RequestCase, type Seen, SMUGGLED } from './request-case.ts';
import { REQUEST_CORPUS } from './request-corpus.ts';
import { startUnderTest, type UnderTest } from './under-test.ts';
import { type UpstreamView, unfinishedAreClosed, watchUpstream } from './upstream-view.ts';

const MODES = ['in one piece', 'byte by byte', 'over TLS'] as const;
type Mode = (typeof MODES)[number];

/** Longer ones are only sent whole: their byte-by-byte twins say nothing more and take seconds. */
const MAX_BYTE_BY_BYTE = 2_000;
/** Bytes, RFC 8446 §5.1. */
const TLS_RECORD = 16_384;

let underTest: UnderTest;
beforeAll(async () => {
  underTest = await startUnderTest();
});
afterAll(() => underTest?.[Symbol.asyncDispose]());

it('has names that are unique and sources for all', () => {
  const cases = Object.values(REQUEST_CORPUS).flat();
  expect(new Set(cases.map(({ name }) => name)).size).toBe(cases.length);
  expect(cases.every(({ source }) => source.length > 4)).toBe(true);
});

for (const [family, cases] of Object.entries(REQUEST_CORPUS)) {
  describe(`requests: ${family}`, () => {
    for (const mode of MODES) {
      const applicable = cases.filter(
        ({ bytes, whole }) => mode !== 'byte by byte' || (bytes.length <= MAX_BYTE_BY_BYTE && whole !== true),
      );
      it.for(applicable)(`$name: $expect.outcome, ${mode} ($source)`, async (request, { skip }) => {
        if (mode === 'over TLS' && underTest.secure === null) skip('the peer has no TLS here');
        await check(request, mode);
      });
    }
  });
}

async function check(request: RequestCase, mode: Mode): Promise<void> {
  const view = watchUpstream(underTest);
  const expectation = expectationOf(request, mode);
  const { statuses, closed, rest } = await send(request, expectation, mode);
  if (expectation.outcome !== 'served') await unfinishedAreClosed(underTest);
  judge(expectation, statuses, closed, await view());
  expect(rest, 'bytes behind the answer').toBe('');
}

function expectationOf(request: RequestCase, mode: Mode): Expectation {
  // What is longer than a TLS record comes in several, whatever the client does.
  const inPieces = mode === 'byte by byte' || (mode === 'over TLS' && request.bytes.length > TLS_RECORD);
  if (request.faultInBody === undefined || !inPieces) return request.expect;
  return { outcome: 'cut', statuses: [...(request.expect.statuses as number[]), NO_ANSWER] };
}

interface Answer {
  /** Final ones only. */
  readonly statuses: readonly number[];
  readonly closed: boolean;
  /** What came behind them. */
  readonly rest: string;
}

async function send(request: RequestCase, expectation: Expectation, mode: Mode): Promise<Answer> {
  const { outcome } = expectation;
  const follow = (outcome === 'refused' || outcome === 'cut') && request.alone === undefined ? SMUGGLED : '';
  const bytes = request.bytes + follow;
  const methods = methodsOf(request, expectation);
  const entry = mode === 'over TLS' && underTest.secure !== null ? underTest.secure : underTest;
  await using client = await RawClient.connect({
    port: request.impatient === true ? entry.impatientPort : entry.port,
    ...(mode === 'over TLS' ? { tls: { servername: 'app.test' } } : {}),
  });
  if (mode !== 'byte by byte') await client.write(bytes);
  else await client.writeInPieces(bytes, { evenIfAnswered: outcome === 'served' });
  if (request.end === true) client.end();

  const finals = (): number[] =>
    client
      .split(methods)
      .responses.filter((r) => r.status >= 200 && r.complete)
      .map((r) => r.status);
  const mustClose = outcome === 'refused' || outcome === 'cut' || (outcome === 'served' && expectation.closes === true);
  // A request that is served where it must not be is known at once; only silence is worth a long wait.
  const isServed = (): boolean => outcome !== 'served' && finals()[0] === 200;
  if (mustClose)
    await client.waitUntil('the connection to be closed', () => client.closed !== 'no' || isServed(), 20_000);
  else
    await client.waitUntil(
      `${methods.length} answers`,
      () => finals().length >= methods.length || client.closed !== 'no',
      20_000,
    );
  const refusedAfterAll = outcome === 'either' && finals()[0] !== 200;
  const closed = refusedAfterAll ? await client.closes() : client.closed !== 'no';
  return { statuses: finals(), closed, rest: client.split(methods).rest.toString('latin1') };
}

/** The methods of the requests as the strict reader sees them: an answer to HEAD has no body. */
function methodsOf(request: RequestCase, expectation: Expectation): string[] {
  const count = expectation.outcome === 'served' ? expectation.statuses.length : 1;
  const first = request.bytes.startsWith('HEAD ') ? 'HEAD' : 'GET';
  return [first, ...new Array<string>(count - 1).fill('GET')];
}

function judge(expectation: Expectation, statuses: readonly number[], closed: boolean, view: UpstreamView): void {
  const targets = view.requests.map((request) => request.target);
  expect(targets, 'a smuggled request').not.toContain('/smuggled');
  switch (expectation.outcome) {
    case 'refused':
      expect(view.bytes, 'bytes that reached the upstream').toBe('');
      expect(closed).toBe(true);
      expect(expectation.statuses).toContain(statuses[0] ?? NO_ANSWER);
      return;
    case 'cut':
      expect(
        view.requests.map((request) => request.head),
        'complete requests that reached the upstream',
      ).toEqual([]);
      expect(closed).toBe(true);
      expect(expectation.statuses).toContain(statuses[0] ?? NO_ANSWER);
      return;
    case 'either':
      if (statuses[0] === 200) expectSeen(view, expectation.sees);
      else judge({ ...expectation, outcome: 'refused' }, statuses, closed, view);
      return;
    case 'served':
      expect(statuses).toEqual(expectation.statuses);
      if (expectation.closes === true) expect(closed).toBe(true);
      expectSeen(view, expectation.sees);
  }
}

function expectSeen(view: UpstreamView, sees: readonly Seen[]): void {
  expect(view.unfinished, 'bytes behind the last request').toEqual([]);
  expect(view.requests).toHaveLength(sees.length);
  // Requests of one client may take different upstream connections: compared in the order of the corpus, by content.
  const left = [...view.requests];
  for (const seen of sees) {
    const index = left.findIndex((request) => mismatches(request, seen).length === 0);
    if (index === -1)
      expect.fail(
        `the upstream saw ${JSON.stringify(left, null, 1)}\nwhich is not ${JSON.stringify(seen)}: ${mismatches(left[0]!, seen).join('; ')}`,
      );
    left.splice(index, 1);
  }
}

function mismatches(request: SeenRequest, seen: Seen): string[] {
  const found: string[] = [];
  const line = `${request.method} ${request.target}`;
  if (seen.line !== undefined && seen.line !== line) found.push(`line ${line}`);
  if (seen.body !== undefined && seen.body !== request.body.toString('latin1'))
    found.push(`body ${request.body.toString('latin1')}`);
  for (const [name, wanted] of Object.entries(seen.headers ?? {})) {
    const values = request.headers.filter(([key]) => key.toLowerCase() === name).map(([, value]) => value);
    const value = values.length === 0 ? null : values.join(', ');
    const matches = wanted instanceof RegExp ? value !== null && wanted.test(value) : value === wanted;
    if (!matches) found.push(`${name}: ${value}`);
  }
  // An upstream that trusts one of the two is what smuggling lives on.
  if (request.header('transfer-encoding') !== undefined && request.header('content-length') !== undefined)
    found.push('both framings');
  return found;
}
