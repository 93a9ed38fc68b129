import type { Socket } from 'node:net';
import { describe, expect, it } from 'vitest';
import { turn } from '../../../src/data/turn.ts';
import { UpstreamConnection, type UpstreamReceiver } from '../../../src/data/upstream/connection.ts';
import { FakeSocket } from '../http1/fake-socket.ts';

function connect() {
  const socket = new FakeSocket();
  const released: UpstreamConnection[] = [];
  const owner = { released: (connection: UpstreamConnection) => void released.push(connection), closed: () => {} };
  const connection = new UpstreamConnection(socket as unknown as Socket, owner, null);
  const events: string[] = [];
  const receiver: UpstreamReceiver = {
    state: null,
    onInform: (head) => void events.push(`inform ${head.status}`),
    onHead: (head) => void events.push(`head ${head.status}`),
    onUpgrade: () => void events.push('upgrade'),
    onBody: (chunk) => void events.push(`body ${chunk.length}`),
    onPause: () => {},
    onEnd: () => void events.push('end'),
    onDrain: () => {},
    onFail: (error, silent, unsent) =>
      void events.push(`fail ${error.code}${silent ? ' silent' : ''}${unsent ? ' unsent' : ''}`),
  };
  return { socket, connection, released, events, receiver };
}

const HEAD = 'GET / HTTP/1.1\r\nHost: a.test\r\n\r\n';

describe('an upstream connection', () => {
  it('reads again after a response whose last piece was too much for the client', () => {
    const { socket, connection, released, receiver } = connect();
    receiver.onBody = () => connection.pause();
    connection.request(receiver, 'GET', HEAD, 'none', false);
    socket.emit('data', Buffer.from('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok'));
    expect(released).toEqual([connection]);
    expect(socket.paused).toBe(false);
  });

  it('is closed when it speaks without being asked', () => {
    const { socket, connection, events, receiver } = connect();
    connection.request(receiver, 'GET', HEAD, 'none', false);
    socket.emit('data', Buffer.from('HTTP/1.1 204 No Content\r\n\r\n'));
    socket.emit('data', Buffer.from('HTTP/1.1 200 OK\r\n\r\n'));
    expect(events).toEqual(['head 204', 'end']);
    expect(socket.destroyed).toBe(true);
  });

  it('reads a response however it is cut, informational ones before it too', () => {
    const bytes = Buffer.from(
      'HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc',
      'latin1',
    );
    for (let at = 1; at < bytes.length; at++) {
      const { socket, connection, released, events, receiver } = connect();
      connection.request(receiver, 'GET', HEAD, 'none', false);
      socket.emit('data', Buffer.from(bytes.subarray(0, at)));
      socket.emit('data', Buffer.from(bytes.subarray(at)));
      expect(events.filter((event) => !event.startsWith('body'))).toEqual(['inform 103', 'head 200', 'end']);
      expect(released).toEqual([connection]);
    }
  });

  describe('whose request still waits for the end of the turn', () => {
    function waiting() {
      const made = connect();
      // So much goes on that writes wait.
      while (!turn.busy) turn.atEnd({ endTurn: () => {} });
      made.connection.request(made.receiver, 'POST', HEAD.replace('GET', 'POST'), 'none', false);
      expect(made.socket.output).toBe('');
      return made;
    }

    it('takes no bytes for its answer: nobody was asked', () => {
      const { socket, released, events } = waiting();
      socket.emit('data', Buffer.from('HTTP/1.1 408 Request Timeout\r\nContent-Length: 6\r\n\r\nPOISON'));
      expect(events).toEqual(['fail UPSTREAM_CLOSED silent unsent']);
      expect(socket.destroyed).toBe(true);
      turn.end();
      expect(socket.output).toBe('');
      expect(released).toEqual([]);
    });

    it('says of an upstream that closes that nothing was sent', () => {
      const { socket, events } = waiting();
      socket.emit('end');
      expect(events).toEqual(['fail UPSTREAM_CLOSED silent unsent']);
      turn.end();
      expect(socket.output).toBe('');
    });
  });

  it('says of an upstream that closes behind the request that it was sent', () => {
    const { socket, connection, events, receiver } = connect();
    connection.request(receiver, 'GET', HEAD, 'none', false);
    turn.end();
    expect(socket.output).toBe(HEAD);
    socket.emit('end');
    expect(events).toEqual(['fail UPSTREAM_CLOSED silent']);
  });
});
