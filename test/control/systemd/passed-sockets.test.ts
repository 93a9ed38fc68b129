import { describe, expect, it } from 'vitest';
import {
  assignSockets,
  type PassedSocket,
  takePassedSockets,
  type Wanted,
} from '../../../src/control/systemd/passed-sockets.ts';

const WEB: Wanted = { name: 'web', host: '::', port: 80 };
const SECURE: Wanted = { name: 'websecure', host: '::', port: 443 };

const closed: string[] = [];
function passed(name: string, host: string, port: number): PassedSocket {
  const id = `${name} ${host}:${port}`;
  return { name, address: { host, port }, socket: { handle: { id }, close: () => closed.push(id) } };
}

/** Entry point → which socket it got, and what was said. */
function assign(sockets: readonly PassedSocket[], wanted: readonly Wanted[]) {
  const warnings: string[] = [];
  closed.length = 0;
  const got = assignSockets(sockets, wanted, (_level, message) => warnings.push(message));
  return {
    got: Object.fromEntries([...got].map(([name, { handle }]) => [name, (handle as { id: string }).id])),
    warnings,
    closed: [...closed],
  };
}

describe('which entry point gets which passed socket', () => {
  it('goes by name', () => {
    expect(assign([passed('websecure', '::', 443), passed('web', '::', 80)], [WEB, SECURE])).toEqual({
      got: { web: 'web :::80', websecure: 'websecure :::443' },
      warnings: [],
      closed: [],
    });
  });

  it('goes by address where no name fits', () => {
    const unit = 'phoenix-proxy.socket';
    const { got, warnings } = assign([passed(unit, '::', 443), passed(unit, '0.0.0.0', 80)], [WEB, SECURE]);
    expect(got).toEqual({ web: `${unit} 0.0.0.0:80`, websecure: `${unit} :::443` });
    expect(warnings).toEqual([]);
  });

  it('prefers the address among sockets of one name', () => {
    const { got, closed } = assign([passed('web', '127.0.0.1', 80), passed('web', '::', 80)], [WEB]);
    expect(got).toEqual({ web: 'web :::80' });
    expect(closed).toEqual(['web 127.0.0.1:80']);
  });

  it('follows the name, with a warning, where the address differs', () => {
    const { got, warnings } = assign([passed('web', '::', 8080)], [WEB]);
    expect(got).toEqual({ web: 'web :::8080' });
    expect(warnings).toEqual([
      'entry point web is configured for :80, and listens on :8080: that is what its socket unit says',
    ]);
  });

  it('leaves to be bound what was not passed, and closes what nobody wants', () => {
    const { got, warnings, closed } = assign([passed('other', '::1', 9000)], [WEB]);
    expect(got).toEqual({});
    expect(closed).toEqual(['other ::1:9000']);
    expect(warnings[0]).toContain('no entry point wants the passed socket other on [::1]:9000');
  });
});

describe('the variables of socket activation', () => {
  const none = (): void => {};

  it('are of no meaning for another process, and go', () => {
    const env: NodeJS.ProcessEnv = { LISTEN_PID: '1', LISTEN_FDS: '1', LISTEN_FDNAMES: 'web', OTHER: 'stays' };
    expect(takePassedSockets(env, none)).toEqual([]);
    expect(env).toEqual({ OTHER: 'stays' });
  });

  it('may be nonsense', () => {
    const warnings: string[] = [];
    const env = { LISTEN_PID: String(process.pid), LISTEN_FDS: 'many' };
    expect(takePassedSockets(env, (_level, message) => warnings.push(message))).toEqual([]);
    expect(warnings).toEqual(['LISTEN_FDS=many is no number of sockets: none is taken']);
  });
});
