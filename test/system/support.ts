import { afterAll, beforeAll, describe, inject } from 'vitest';
import { waitFor } from '../support/wait-for.ts';
import { Container } from './container.ts';

export interface Load {
  readonly requests: number;
  readonly statuses: Readonly<Record<string, number>>;
  /** Answers by who gave them. */
  readonly servers: Readonly<Record<string, number>>;
  /** Connections that were refused. */
  readonly refused: number;
  /** Requests that broke off, by error code. */
  readonly failed: Readonly<Record<string, number>>;
  /** From the first to the last of both. */
  readonly troubleForMs: number;
  readonly slowestMs: number;
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

let loads = 0;

/**
 * Requests to `http://127.0.0.1/` at an even rate, each on a new connection, from before some work until after it.
 * @returns what became of them, and what the work gave
 */
export async function underLoad<T>(box: Container, work: () => Promise<T>, rate = 100): Promise<[Load, T]> {
  const name = `load-${++loads}`;
  const output = `/opt/test/${name}.json`;
  const stop = `/opt/test/${name}.stop`;
  const unit = `systemd-run --quiet --collect --unit=${name} --property=StandardOutput=file:${output}`;
  await box.ok(`${unit} /opt/test/node /opt/test/load.mjs http://127.0.0.1:80/ app.test ${rate} ${stop}`);
  // Some answers before and behind what is done.
  await box.ok('sleep 1');
  let done: T;
  try {
    done = await work();
  } finally {
    await box.ok(`sleep 1; touch ${stop}`);
  }
  const text = await waitFor('the load to end', async () => (await box.run(`cat ${output}`)).stdout, {
    timeoutMs: 40_000,
    intervalMs: 200,
  });
  return [JSON.parse(text) as Load, done];
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
