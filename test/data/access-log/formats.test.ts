import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { ProxyError } from '../../../src/core/errors.ts';
import { type AccessLog, type OpenSink, openAccessLog } from '../../../src/data/access-log.ts';
import { LineWriter } from '../../../src/line-writer.ts';
import { openLog } from '../../../src/open-log.ts';
import { tempDir } from '../../support/temp.ts';
import { config, exchange, peer, proxied } from './support.ts';

const openSink: OpenSink = (path, bufferingSize, warn) =>
  new LineWriter({ path, open: () => openLog(path, 'accessLog.filePath'), bufferingSize, flushMs: 250, warn });

/** What a log with this configuration wrote. */
async function lines(given: Record<string, unknown>, write: (log: AccessLog) => void): Promise<string[]> {
  await using dir = await tempDir();
  const filePath = join(dir.path, 'access.log');
  const unwanted = (_level: string, message: string): void => {
    throw new Error(message);
  };
  const log = openAccessLog(config({ ...given, filePath }), unwanted, openSink);
  write(log);
  await new Promise<void>((resolve) => log.close(resolve));
  return readFileSync(filePath, 'utf8').split('\n').slice(0, -1);
}

async function objects(
  given: Record<string, unknown>,
  write: (log: AccessLog) => void,
): Promise<Record<string, unknown>[]> {
  return (await lines({ format: 'json', ...given }, write)).map((line) => JSON.parse(line));
}

const TLS = {
  sni: 'a',
  optionsName: 'default',
  clientAuthKey: '',
  version: 'TLSv1.3',
  cipher: 'TLS_AES_128_GCM_SHA256',
};
const RFC3339 = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,3})?(Z|[+-]\d\d:\d\d)$/;

describe('the JSON access log', () => {
  it("has Traefik's fields for a proxied request", async () => {
    const before = Date.now();
    const [line] = await objects({}, (log) => {
      log.exchange(proxied({ target: '/v1/models?x=1', peer: { tls: TLS }, state: { user: 'ada', retries: 1 } }));
    });
    expect(line).toEqual({
      ClientAddr: '192.0.2.7:40000',
      ClientHost: '192.0.2.7',
      ClientPort: '40000',
      ClientUsername: 'ada',
      DownstreamContentSize: 1234,
      DownstreamStatus: 200,
      Duration: expect.any(Number),
      OriginContentSize: 1234,
      OriginDuration: 1_000_000,
      OriginStatus: 200,
      Overhead: expect.any(Number),
      RequestAddr: 'example.com:8080',
      RequestContentSize: 3,
      RequestCount: 1,
      RequestHost: 'example.com',
      RequestMethod: 'GET',
      RequestPath: '/v1/models?x=1',
      RequestPort: '8080',
      RequestProtocol: 'HTTP/1.1',
      RequestScheme: 'https',
      RetryAttempts: 1,
      RouterName: 'api@file',
      ServiceAddr: '10.0.0.141:8000',
      ServiceName: 'api@file',
      ServiceURL: 'http://10.0.0.141:8000',
      StartLocal: expect.stringMatching(RFC3339),
      StartUTC: expect.stringMatching(RFC3339),
      TLSCipher: 'TLS_AES_128_GCM_SHA256',
      TLSVersion: '1.3',
      entryPointName: 'web',
      level: 'info',
      msg: '',
      time: expect.stringMatching(RFC3339),
    });
    expect(Math.abs(Date.parse(String(line!.StartUTC)) - before)).toBeLessThan(60_000);
    expect(Date.parse(String(line!.StartLocal))).toBe(Date.parse(String(line!.StartUTC)));
  });

  it('says what failed, and whose fault it was', async () => {
    const [line] = await objects({}, (log) => {
      const error = new ProxyError('UPSTREAM_REFUSED', 'connect ECONNREFUSED "10.0.0.141:8000"');
      log.exchange(proxied({ state: { status: 502, upstreamStatus: 0, error } }));
    });
    expect(line).toMatchObject({
      DownstreamStatus: 502,
      ErrorCode: 'UPSTREAM_REFUSED',
      ErrorSource: 'upstream',
      ErrorDetail: 'connect ECONNREFUSED "10.0.0.141:8000"',
    });
    expect(line).toMatchObject({ OriginStatus: 0, OriginContentSize: 0 });
  });

  it('has a line for what was refused before it was a request', async () => {
    const [line] = await objects({}, (log) => {
      log.refused('websecure', peer({ address: '2001:db8::1' }), new ProxyError('CLIENT_BAD_CHUNK'), 400);
    });
    expect(line).toMatchObject({
      ClientAddr: '[2001:db8::1]:40000',
      DownstreamStatus: 400,
      ErrorCode: 'CLIENT_BAD_CHUNK',
      ErrorSource: 'client',
      entryPointName: 'websecure',
    });
    expect(line).not.toHaveProperty('RequestMethod');
  });

  it('believes X-Forwarded-For of a trusted peer alone', async () => {
    const headers = ['X-Forwarded-For', '203.0.113.9', 'X-Forwarded-For', '10.1.1.1'];
    const hosts = await objects({}, (log) => {
      log.exchange(exchange({ headers }));
      log.exchange(exchange({ headers, peer: { trusted: true } }));
    });
    expect(hosts.map((line) => line.ClientHost)).toEqual(['192.0.2.7', '203.0.113.9, 10.1.1.1']);
  });

  it('drops, keeps and redacts fields, names in any case', async () => {
    const [line] = await objects(
      { fields: { defaultMode: 'drop', names: { requestpath: 'keep', ClientHost: 'redact', RouterName: 'redact' } } },
      (log) => log.exchange(exchange({ target: '/a' })),
    );
    expect(line).toEqual({
      RequestPath: '/a',
      ClientHost: 'REDACTED',
      level: 'info',
      msg: '',
      time: expect.any(String),
    });
  });

  it('shows no header unless told to', async () => {
    const headers = ['user-agent', 'curl', 'AUTHORIZATION', 'Basic x', 'Accept', 'a', 'Accept', 'b'];
    const write = (log: AccessLog): void => void log.exchange(exchange({ headers }));
    const shown = async (fields: object): Promise<object> => {
      const [line] = await objects({ fields: { headers: fields } }, write);
      return Object.fromEntries(Object.entries(line!).filter(([key]) => key.startsWith('request_')));
    };
    expect(await shown({})).toEqual({});
    expect(await shown({ names: { 'User-Agent': 'keep', authorization: 'redact', Missing: 'keep' } })).toEqual({
      'request_User-Agent': 'curl',
      request_Authorization: 'REDACTED',
    });
    expect(await shown({ defaultMode: 'keep', names: { authorization: 'drop' } })).toEqual({
      'request_User-Agent': 'curl',
      request_Accept: 'a,b',
    });
    expect(await shown({ defaultMode: 'redact', names: { accept: 'keep' } })).toEqual({
      'request_User-Agent': 'REDACTED',
      request_Authorization: 'REDACTED',
      request_Accept: 'a,b',
    });
  });

  it.each([
    ['keep', '/a?token=1&b'],
    ['drop', '/a'],
    ['redact', '/a?token=REDACTED&REDACTED'],
  ])('query parameters: %s', async (defaultMode, expected) => {
    const [line] = await objects({ fields: { queryParameters: { defaultMode } } }, (log) => {
      log.exchange(exchange({ target: '/a?token=1&b' }));
    });
    expect(line!.RequestPath).toBe(expected);
  });

  it('writes whole JSON lines whatever a client sends, without a raw control character', async () => {
    const every = Array.from({ length: 256 }, (_, c) => String.fromCharCode(c)).join('');
    const text = await lines({ format: 'json', fields: { headers: { defaultMode: 'keep' } } }, (log) => {
      log.exchange(
        exchange({
          headers: ['User-Agent', every, 'X-"\\', 'q'],
          authority: `h${every}`,
          state: { user: '\u2028"\ud800' },
        }),
      );
    });
    expect(text).toHaveLength(1);
    expect(text[0]).not.toMatch(/[\x00-\x1f\x7f-\x9f\u2028]/);
    const line = JSON.parse(text[0]!);
    expect(line.RequestAddr).toBe(`h${every}`);
    expect(line.ClientUsername).toBe('\u2028"\ud800');
    expect(line['request_X-"\\']).toBe('q');
  });

  it('shows obs-text as the UTF-8 it is, or byte by byte', async () => {
    const latin1 = Buffer.from('Müller', 'utf8').toString('latin1');
    const text = await lines({ format: 'json', fields: { headers: { defaultMode: 'keep' } } }, (log) => {
      log.exchange(exchange({ headers: ['A', latin1, 'B', 'M\xfcller', 'C', '\xc2\x9b[2J'] }));
    });
    expect(text[0]).toContain('"request_A":"Müller"');
    expect(text[0]).toContain('"request_B":"M\\u00fcller"');
    expect(text[0]).toContain('"request_C":"\\u009b[2J"');
  });

  it('shows no password of a server URL', async () => {
    const [line] = await objects({}, (log) => log.exchange(proxied({ state: { upstreamUrl: 'http://u:p@h:1/x' } })));
    expect(line!.ServiceURL).toBe('http://h:1/x');
  });
});

describe('the common access log', () => {
  it("is Traefik's common log format", async () => {
    const fields = { headers: { names: { 'User-Agent': 'keep', Referer: 'keep' } } };
    const text = await lines({ fields }, (log) => {
      const startedAt = performance.now() - 12;
      log.exchange(
        proxied({
          target: '/a?b',
          headers: ['User-Agent', 'curl/8 "x"', 'Referer', 'http://r/'],
          state: { user: 'ada', startedAt },
        }),
      );
      log.exchange(exchange({ state: { status: 404 } }));
    });
    const date = String.raw`\[\d\d/[A-Z][a-z]{2}/\d{4}:\d\d:\d\d:\d\d \+0000\]`;
    expect(text[0]).toMatch(
      new RegExp(
        String.raw`^192\.0\.2\.7 - ada ${date} "GET /a\?b HTTP/1\.1" 200 1234 "http://r/" "curl/8 \\"x\\"" 1 "api@file" "http://10\.0\.0\.141:8000" \d+ms$`,
      ),
    );
    expect(text[1]).toMatch(
      new RegExp(String.raw`^192\.0\.2\.7 - - ${date} "GET / HTTP/1\.1" 404 0 "-" "-" 2 "-" "-" \d+ms$`),
    );
  });

  it('ends after the user agent in the generic format', async () => {
    const text = await lines({ format: 'genericCLF' }, (log) => log.exchange(proxied()));
    expect(text[0]).toMatch(/ "GET \/ HTTP\/1\.1" 200 1234 "-" "-"$/);
  });

  it('lets no client forge a field or a line', async () => {
    const text = await lines({ fields: { headers: { defaultMode: 'keep' } } }, (log) => {
      log.exchange(
        exchange({
          headers: ['User-Agent', 'a" 200\r\n1.2.3.4 - -'],
          peer: { trusted: true },
          state: { user: 'a b\n' },
        }),
      );
      log.refused('web', peer(), new ProxyError('CLIENT_BAD_REQUEST'), 400);
    });
    expect(text).toHaveLength(2);
    expect(text[0]).toContain(' - a\\u0020b\\u000a [');
    expect(text[0]).toContain('"a\\" 200\\u000d\\u000a1.2.3.4 - -"');
    expect(text[1]).toMatch(/^192\.0\.2\.7 - - \[.*\] "- - -" 400 0 "-" "-" 2 "-" "-" 0ms$/);
  });

  it('has the local time, and no duration, where the other is dropped, as in Traefik', async () => {
    const text = await lines({ fields: { names: { StartUTC: 'drop', Duration: 'drop' } } }, (log) => {
      log.exchange(exchange({ state: { startedAt: performance.now() - 2_000 } }));
    });
    expect(text[0]).toMatch(/ - - \[\d\d\/[A-Z][a-z]{2}\/\d{4}:\d\d:\d\d:\d\d [+-]\d{4}\] .* 0ms$/);
  });

  it('shows - for what is dropped', async () => {
    const text = await lines({ fields: { names: { ClientHost: 'drop', ClientUsername: 'redact' } } }, (log) => {
      log.exchange(exchange());
    });
    expect(text[0]).toMatch(/^- - REDACTED \[/);
  });
});

describe('what gets a line', () => {
  const count = async (given: Record<string, unknown>, write: (log: AccessLog) => void): Promise<number> =>
    (await lines(given, write)).length;

  it('filters by status, retries and duration: one that says yes is enough', async () => {
    const write = (log: AccessLog): void => {
      log.exchange(exchange({ state: { status: 200 } }));
      log.exchange(exchange({ state: { status: 404 } }));
      log.exchange(exchange({ state: { status: 503 } }));
      log.exchange(exchange({ state: { retries: 1 } }));
      log.exchange(exchange({ state: { startedAt: performance.now() - 5_000 } }));
    };
    expect(await count({}, write)).toBe(5);
    expect(await count({ filters: {} }, write)).toBe(5);
    expect(await count({ filters: { statusCodes: ['404', '500-599'] } }, write)).toBe(2);
    expect(await count({ filters: { statusCodes: [' 500 - 599 '], retryAttempts: true } }, write)).toBe(2);
    expect(await count({ filters: { minDuration: '4s' } }, write)).toBe(1);
  });

  it('leaves internal services out unless asked for', async () => {
    const write = (log: AccessLog): void => {
      log.exchange(exchange({ state: { logged: 'internal' } }));
      log.exchange(exchange({ state: { logged: 'no' } }));
    };
    expect(await count({}, write)).toBe(0);
    expect(await count({ addInternals: true }, write)).toBe(1);
  });
});
