import { describe, expect, it } from 'vitest';
import { isOffered, offeredUpgrade, offersWebsocket } from '../../../src/data/headers/upgrade.ts';

describe('an Upgrade field (RFC 9110 section 7.8)', () => {
  it.each([
    ['websocket', 'websocket'],
    ['WebSocket', 'websocket'],
    ['tcp', 'tcp'],
    ['SHTTP/1.3, IRC/6.9,RTA/x11', 'shttp/1.3, irc/6.9, rta/x11'],
    [', websocket ,', 'websocket'],
    ['websocket/13', 'websocket/13'],
    ['foo, websocket', 'foo, websocket'],
  ])('goes on: %s', (value, offered) => {
    expect(offeredUpgrade('GET', value)).toBe(offered);
  });

  it.each([
    ['', 'nothing'],
    [',', 'nothing'],
    ['h2c', 'requests of HTTP/2 in it'],
    ['H2C, websocket', 'the same beside another'],
    ['h2', 'the same'],
    ['h2c-14', 'a draft of it'],
    ['h3-29', 'another'],
    ['HTTP/2.0', 'the same, as nobody speaks it'],
    ['http/1.1', 'requests in requests'],
    ['TLS/1.0', 'RFC 2817: requests under TLS'],
    ['"h2c"', 'a quoted string'],
    ['h2c;x', 'a parameter'],
    ['foo h2c', 'two words'],
    ['websocket ;x', 'a parameter'],
    ['a/b/c', 'two versions'],
    ['/1', 'no name'],
    ['web\u00e9', 'beyond ASCII'],
    [Array.from({ length: 17 }, (_, i) => `p${i}`).join(','), 'more than anybody offers'],
  ])('is ignored: %s (%s)', (value) => {
    expect(offeredUpgrade('GET', value)).toBe(null);
  });

  it.each(['websocket', 'websocket,', ', websocket', 'websocket/13', 'websocket, foo', 'foo, WebSocket'])(
    'is ignored for websocket by another method than GET: %s',
    (value) => {
      for (const method of ['POST', 'PUT', 'HEAD', 'get']) expect(offeredUpgrade(method, value)).toBe(null);
    },
  );

  it('may be answered with what was offered, and nothing else', () => {
    const offered = 'shttp/1.3, irc/6.9, rta/x11';
    for (const answer of ['IRC/6.9', 'irc/6.9', 'IRC/6.9, RTA/x11', 'irc/6.9,']) {
      expect(isOffered(answer, offered)).toBe(true);
    }
    for (const answer of [undefined, '', ',', 'irc', 'IRC/6.9, h2c', 'IRC/6.9 RTA/x11', 'shttp/1.3, irc/6.9, x']) {
      expect(isOffered(answer, offered)).toBe(false);
    }
  });

  it('knows websocket', () => {
    for (const value of ['websocket', 'websocket/13', 'foo, websocket']) expect(offersWebsocket(value)).toBe(true);
    for (const value of [null, 'tcp', 'websockets', 'foo, x-websocket']) expect(offersWebsocket(value)).toBe(false);
  });
});
