import { describe, expect, it } from 'vitest';
import { type Notify, ServiceManager } from '../../../src/control/systemd/service-manager.ts';
import { waitFor } from '../../support/wait-for.ts';

const HEALTHY = (): boolean => true;

interface Manager {
  readonly service: ServiceManager;
  readonly messages: string[][];
  readonly warnings: string[];
  /** While set, messages are held back; call it to let them go. */
  hold(): () => void;
  answer: string | null;
}

/** A service that is watched by a manager whose messages are kept. */
function watched(env: NodeJS.ProcessEnv = {}): Manager {
  const messages: string[][] = [];
  const warnings: string[] = [];
  let gate: Promise<void> = Promise.resolve();
  const notify: Notify = async (assignments) => {
    messages.push([...assignments]);
    await gate;
    return manager.answer;
  };
  const manager: Manager = {
    service: new ServiceManager(
      { NOTIFY_SOCKET: '/run/notify', ...env },
      (_level, message) => warnings.push(message),
      notify,
    ),
    messages,
    warnings,
    answer: null,
    hold() {
      const { promise, resolve } = Promise.withResolvers<void>();
      gate = promise;
      return resolve;
    },
  };
  return manager;
}

describe('what systemd is told', () => {
  it('is nothing without a socket to tell it to', async () => {
    const told: unknown[] = [];
    const service = new ServiceManager(
      {},
      () => {},
      async (message) => {
        told.push(message);
        return null;
      },
    );
    service.ready(() => 'up', HEALTHY);
    service.reloading();
    await service.stopping('down');
    expect(service.present).toBe(false);
    expect(told).toEqual([]);
  });

  it('is nothing before every entry point is served', async () => {
    const { service, messages } = watched();
    service.reloading();
    service.reloaded();
    await new Promise(setImmediate);
    expect(messages).toEqual([]);
    service.ready(() => 'version 1 live', HEALTHY);
    expect(messages).toEqual([['READY=1', 'STATUS=version 1 live']]);
    service.close();
  });

  it('is a reload with the time it began, then that it is ready again', async () => {
    const { service, messages } = watched();
    let version = 1;
    service.ready(() => `version ${version}`, HEALTHY);
    await waitFor('the first message', () => messages.length === 1);
    await new Promise(setImmediate);
    const before = process.hrtime.bigint() / 1000n;
    service.reloading();
    await new Promise(setImmediate);
    version = 2;
    service.reloaded();
    await waitFor('three messages', () => messages.length === 3);
    expect(messages[1]).toEqual(['RELOADING=1', expect.stringMatching(/^MONOTONIC_USEC=\d+$/), 'STATUS=reloading']);
    const at = BigInt(messages[1]![1]!.split('=')[1]!);
    expect(at >= before && at <= process.hrtime.bigint() / 1000n).toBe(true);
    expect(messages[2]).toEqual(['READY=1', 'STATUS=version 2']);
  });

  it('comes in order, and is the newest alone when it comes fast', async () => {
    const manager = watched();
    const release = manager.hold();
    let version = 1;
    manager.service.ready(() => `version ${version}`, HEALTHY);
    while (++version < 999) {
      manager.service.reloading();
      manager.service.reloaded();
    }
    manager.service.reloading();
    manager.service.reloaded();
    expect(manager.messages).toHaveLength(1);
    release();
    await waitFor('the newest', () => manager.messages.length === 2);
    expect(manager.messages[1]).toEqual(['STATUS=version 999']);
  });

  it('follows what changes by itself', async () => {
    const { service, messages } = watched();
    let workers = 1;
    service.ready(() => `${workers} workers`, HEALTHY);
    workers = 2;
    await waitFor('another status', () => messages.length === 2);
    expect(messages[1]).toEqual(['STATUS=2 workers']);
    service.close();
  });

  it('is one line, whatever the text', () => {
    const { service, messages } = watched();
    service.ready(() => 'a\nREADY=0\r\nb', HEALTHY);
    expect(messages).toEqual([['READY=1', 'STATUS=a READY=0 b']]);
  });

  it('is told before the process stops', async () => {
    const { service, messages } = watched();
    service.ready(() => 'up', HEALTHY);
    await service.stopping('draining');
    expect(messages.at(-1)).toEqual(['STOPPING=1', 'STATUS=draining']);
  });

  it('is complained of once where it cannot be told, and told again later', async () => {
    const manager = watched();
    manager.answer = 'there is no program systemd-notify';
    manager.service.ready(() => 'up', HEALTHY);
    await waitFor('a warning', () => manager.warnings.length > 0);
    manager.answer = null;
    await waitFor('another try', () => manager.messages.length === 2);
    expect(manager.messages[1]).toEqual(manager.messages[0]);
    expect(manager.warnings).toEqual(['systemd was not told (READY=1 STATUS=up): there is no program systemd-notify']);
  });
});

describe('signs of life', () => {
  it('are given while healthy, and at no other time', async () => {
    const { service, messages } = watched({ WATCHDOG_USEC: '20000', WATCHDOG_PID: String(process.pid) });
    let healthy = false;
    let asked = 0;
    service.ready(
      () => 'up',
      () => {
        asked++;
        return healthy;
      },
    );
    await waitFor('a few questions', () => asked >= 3);
    expect(messages).toEqual([['READY=1', 'STATUS=up']]);
    healthy = true;
    await waitFor('a sign of life', () => messages.length >= 3);
    expect(messages.slice(1, 3)).toEqual([['WATCHDOG=1'], ['WATCHDOG=1']]);
    service.close();
  });

  it('are not given for another process', async () => {
    const { service, messages } = watched({ WATCHDOG_USEC: '2000', WATCHDOG_PID: String(process.pid + 1) });
    let asked = 0;
    service.ready(
      () => 'up',
      () => asked++ >= 0,
    );
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect([asked, messages.length]).toEqual([0, 1]);
  });

  it('are nothing that a child could give', () => {
    const env: NodeJS.ProcessEnv = { NOTIFY_SOCKET: '/run/n', WATCHDOG_USEC: '1000', WATCHDOG_PID: '1' };
    new ServiceManager(env, () => {});
    expect(env).toEqual({});
  });
});
