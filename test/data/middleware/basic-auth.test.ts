import { describe, expect, it, vi } from 'vitest';
import { passwordVerifier } from '../../../src/data/htpasswd/verifier.ts';
import { compile } from './run.ts';

const ANN = 'ann:$2y$05$0IbM4EsPMjELBYBpl54SX.yrPo2gaMpF7cbFFWvVIOAuxU1KE4.oS';
const BOB = 'bob:$apr1$JeXk2urH$knsIqZSh9ZhmfJP17/i1E1';
const CAT = 'cat:{SHA}5en6G6MezRroT3XKqkdPOmY/BfQ=';

const basic = (text: string): string[] => ['Authorization', `Basic ${Buffer.from(text, 'utf8').toString('base64')}`];

describe('basicAuth', () => {
  it.each(['ann', 'bob', 'cat'])('lets %s pass with the right password', async (name) => {
    const { exchange, client, upstream } = compile({ basicAuth: { users: [ANN, BOB, CAT] } }).run({
      headers: basic(`${name}:secret`),
    });
    await client.done();
    expect([client.status, upstream.called, exchange.user]).toEqual([200, true, name]);
    expect(exchange.headers.has('authorization')).toBe(true);
  });

  it.each([
    ['a wrong password', basic('ann:wrong')],
    ['no password', basic('ann:')],
    ['an unknown user', basic('eve:secret')],
    ['a name of Object.prototype', basic('constructor:secret')],
    ['no name', basic(':secret')],
    ['no header', []],
    ['another scheme', ['Authorization', 'Bearer abc']],
    ['no base64', ['Authorization', 'Basic !!!']],
    ['the hash itself', basic(ANN)],
  ])('refuses %s', async (_what, headers) => {
    const { client, upstream } = compile({ basicAuth: { users: [ANN] } }).run({ headers });
    await client.done();
    expect(upstream.called).toBe(false);
    expect([client.status, client.body]).toEqual([401, '401 Unauthorized\n']);
    expect(client.header('www-authenticate')).toBe('Basic realm="traefik"');
    expect(client.header('content-type')).toBe('text/plain');
  });

  it('takes a realm, quotes escaped', async () => {
    const { client } = compile({ basicAuth: { users: [ANN], realm: 'the "mesh" \\' } }).run();
    expect(client.header('www-authenticate')).toBe('Basic realm="the \\"mesh\\" \\\\"');
  });

  it('removeHeader takes the password away, headerField says who it is, whatever the client said', async () => {
    const { exchange, client } = compile({
      basicAuth: { users: [ANN], removeHeader: true, headerField: 'X-WebAuth-User' },
    }).run({ headers: [...basic('ann:secret'), 'x-webauth-user', 'root', 'X-WEBAUTH-USER', 'admin'] });
    await client.done();
    expect(exchange.headers.has('authorization')).toBe(false);
    expect(exchange.headers.getAll('x-webauth-user')).toEqual(['ann']);
  });

  it('a headerField written with `_` for `-` goes too', async () => {
    const { exchange, client } = compile({
      basicAuth: { users: [ANN], headerField: 'X-WebAuth-User' },
    }).run({ headers: [...basic('ann:secret'), 'X_WebAuth_User', 'root', 'x-webauth_user', 'root', 'X-Other', 'a'] });
    await client.done();
    const names: string[] = [];
    exchange.headers.forEach((name, value) => void names.push(`${name}: ${value}`));
    expect(names.slice(2)).toEqual(['X-Other: a', 'X-WebAuth-User: ann']);
  });

  it('of two Authorization fields none is believed: the upstream could take the other', async () => {
    const compiled = compile({ basicAuth: { users: [ANN, BOB] } });
    for (const [first, second] of [
      ['ann:secret', 'bob:secret'],
      ['ann:secret', 'ann:secret'],
    ]) {
      const { client } = compiled.run({ headers: [...basic(first!), ...basic(second!)] });
      await client.done();
      expect(client.status).toBe(401);
    }
  });

  it('computes a password once, then remembers it and nothing else', async () => {
    const verify = vi.spyOn(passwordVerifier, 'verify');
    try {
      const compiled = compile({ basicAuth: { users: [ANN, BOB] } });
      const attempt = async (credentials: string): Promise<number> => {
        const { client } = compiled.run({ headers: basic(credentials) });
        await client.done();
        return client.status;
      };
      expect(await attempt('ann:secret')).toBe(200);
      expect(verify).toHaveBeenCalledTimes(1);
      expect(await attempt('ann:secret')).toBe(200);
      expect(verify).toHaveBeenCalledTimes(1);
      expect(await attempt('ann:wrong')).toBe(401);
      expect(await attempt('bob:secret')).toBe(200);
      expect(await attempt('ann:wrong')).toBe(401);
      expect(verify).toHaveBeenCalledTimes(4);
      expect(await attempt('ann:secret')).toBe(200);
      expect(verify).toHaveBeenCalledTimes(4);
    } finally {
      verify.mockRestore();
    }
  });

  it('a remembered password passes without waiting', async () => {
    const compiled = compile({ basicAuth: { users: [ANN] } });
    await compiled.run({ headers: basic('ann:secret') }).client.done();
    expect(compiled.run({ headers: basic('ann:secret') }).client.status).toBe(200);
  });

  it('computes for unknown users what it would for a known one', async () => {
    const verify = vi.spyOn(passwordVerifier, 'verify');
    try {
      const { client } = compile({ basicAuth: { users: [ANN] } }).run({ headers: basic('eve:secret') });
      await client.done();
      // The decoy's own password does not let a stranger in.
      expect(client.status).toBe(401);
      expect(verify.mock.calls[0]?.[1]).toBe(ANN.slice(4));
    } finally {
      verify.mockRestore();
    }
  });

  it('does not go on when the client has left meanwhile', async () => {
    const compiled = compile({ basicAuth: { users: [ANN] } });
    const { exchange, client, upstream } = compiled.run({ headers: basic('ann:secret') });
    exchange.finished = true;
    // The queue is in order: when a later check is answered, this one is over.
    await compiled.run({ headers: basic('ann:x') }).client.done();
    expect([upstream.called, client.started]).toEqual([false, null]);
  });

  it('answers 503 when too many checks wait, and 500 when they cannot be made: nobody gets in', async () => {
    const compiled = compile({ basicAuth: { users: [ANN] } });
    const verify = vi.spyOn(passwordVerifier, 'verify');
    try {
      verify.mockResolvedValueOnce('busy');
      const busy = compiled.run({ headers: basic('ann:secret') });
      await busy.client.done();
      expect([busy.client.status, busy.upstream.called, busy.exchange.error?.code]).toEqual([
        503,
        false,
        'PROXY_OVERLOADED',
      ]);
      verify.mockRejectedValueOnce(new Error('the thread died'));
      const broken = compiled.run({ headers: basic('ann:secret') });
      await broken.client.done();
      expect([broken.client.status, broken.upstream.called, broken.exchange.error?.code]).toEqual([
        500,
        false,
        'PROXY_INTERNAL',
      ]);
    } finally {
      verify.mockRestore();
    }
  });

  it('names users whose hash cannot be used, without the hash, and lets the others in', async () => {
    const compiled = compile({ basicAuth: { users: ['plain:secret', 'old:DkR5NPMY/x9vc', CAT] } });
    expect(compiled.warnings).toEqual([
      expect.stringMatching(/^basicAuth\.users: plain cannot log in: (?!.*secret)/),
      expect.stringMatching(/^basicAuth\.users: old cannot log in: (?!.*DkR5)/),
    ]);
    for (const [credentials, status] of [
      ['plain:secret', 401],
      ['cat:secret', 200],
    ] as const) {
      const { client } = compiled.run({ headers: basic(credentials) });
      await client.done();
      expect(client.status).toBe(status);
    }
  });

  it('with nobody to let in refuses everybody', async () => {
    const compiled = compile({ basicAuth: {} });
    expect(compiled.warnings[0]).toContain('nobody');
    expect(compiled.run({ headers: basic('a:b') }).client.status).toBe(401);
  });

  it.each([
    [{ users: ['ann'] }, 'line 1'],
    [{ users: [ANN], realm: 'a\r\nb' }, 'basicAuth.realm'],
    [{ users: [ANN], headerField: 'a b' }, 'basicAuth.headerField'],
    [{ users: ['a\x01b:{SHA}5en6G6MezRroT3XKqkdPOmY/BfQ='] }, 'control character'],
  ])('refuses %j', (config, message) => {
    expect(() => compile({ basicAuth: config })).toThrow(message);
  });
});
