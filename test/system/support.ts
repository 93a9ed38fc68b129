import { afterAll, beforeAll, describe, inject } from 'vitest';
import { Container } from './container.ts';

export interface Load {
  readonly requests: number;
  readonly statuses: Readonly<Record<string, number>>;
  /** Connections that were refused. */
  readonly refused: number;
  /** From the first to the last of them. */
  readonly refusedForMs: number;
  /** Requests that broke off, by error code. */
  readonly failed: Readonly<Record<string, number>>;
  /** Milliseconds. */
  readonly slowest: number;
}

/** A group of tests that share one container. Where there can be none they are skipped; the set-up has said why. */
export function describeInContainer(name: string, tests: (box: () => Container) => void): void {
  const system = inject('system');
  if ('missing' in system) {
    describe.skip(name, () => tests(() => never()));
    return;
  }
  describe(name, () => {
    let box: Container | undefined;
    beforeAll(async () => {
      box = await Container.start(system.rootfs, system.archive);
    });
    afterAll(async () => {
      await box?.destroy();
    });
    tests(() => box!);
  });
}

function never(): never {
  throw new Error('a skipped test asked for its container');
}

/** Requests to `http://127.0.0.1:PORT/` at an even rate, each on a new connection. */
export async function load(
  box: Container,
  seconds: number,
  { port = 80, host = 'app.test', rate = 100 } = {},
): Promise<Load> {
  const out = await box.ok(
    `/opt/test/node /opt/test/load.mjs http://127.0.0.1:${port}/ ${host} ${seconds} ${rate}`,
    (seconds + 40) * 1000,
  );
  return JSON.parse(out) as Load;
}

/** The status of one request in the container; 0 where there is none. */
export async function status(box: Container, url: string, host = 'app.test'): Promise<number> {
  const { stdout } = await box.run(`curl -sk -m 5 -o /dev/null -w '%{http_code}' -H 'Host: ${host}' ${url}`);
  return Number(stdout);
}

export function mainPid(box: Container, unit = 'phoenix-proxy'): Promise<number> {
  return box.ok(`systemctl show --property=MainPID --value ${unit}`).then(Number);
}

/** A dynamic file that sends `host` to an upstream's port. */
export function route(host: string, port: number): string {
  return [
    'http:',
    '  routers:',
    `    app: { rule: "Host(\`${host}\`)", service: app, entryPoints: [web] }`,
    '  services:',
    `    app: { loadBalancer: { servers: [{ url: "http://127.0.0.1:${port}" }] } }`,
    '',
  ].join('\n');
}
