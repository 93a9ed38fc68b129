import { fileURLToPath } from 'node:url';
import { afterEach, expect, it } from 'vitest';
import { Supervisor, type SupervisorOptions } from '../../src/control/supervisor.ts';
import type { Snapshot } from '../../src/core/snapshot.ts';
import { waitFor } from '../support/wait-for.ts';
import { build } from './build/harness.ts';

const EXEC = fileURLToPath(new URL('./fake-worker.ts', import.meta.url));
const lines: string[] = [];
let supervisor: Supervisor | undefined;

afterEach(async () => {
  await supervisor?.stop(0, 100);
  lines.length = 0;
});

async function start(workers: number, options: Partial<SupervisorOptions> = {}): Promise<Supervisor> {
  supervisor = new Supervisor({
    ...options,
    workers,
    // The tests that workers do not read: no log, no entry point.
    settings: { log: { level: 'ERROR', format: 'common' } } as never,
    exec: EXEC,
    // Those workers have nothing to say.
    silenceMs: 600_000,
    log: (level, message) => void lines.push(`${level}: ${message}`),
  });
  const started = supervisor.start(version(1));
  if (options.startMs !== undefined) stall(options.startMs + 2_000);
  await started;
  await waitFor('every worker', () => supervisor!.serving === workers);
  return supervisor;
}

function version(number: number): Snapshot {
  return { ...build('http: {}').snapshot, version: number };
}

/** This process does not run for so long. */
function stall(ms: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
}

const versions = (of: Supervisor): number[] => of.workers.map((worker) => worker.version);

it('hands a snapshot to every worker', async () => {
  const of = await start(3);
  expect(await of.publish(version(2))).toMatchObject({ version: 2, applied: 3, refused: [] });
  expect(versions(of)).toEqual([2, 2, 2]);
});

it('takes a snapshot that some workers refuse back from the others', async () => {
  const of = await start(4);
  await of.publish(version(2));
  const result = await of.publish(version(100));
  expect(result).toMatchObject({ version: 100, applied: 0, refused: ['odd workers do not take version 100'] });
  expect(versions(of)).toEqual([2, 2, 2, 2]);
  // And a worker that starts later gets what the others serve.
  process.kill(of.workers[0]!.pid, 'SIGKILL');
  await waitFor('its successor', () => of.deaths.respawns === 1 && of.serving === 4);
  expect(versions(of)).toEqual([2, 2, 2, 2]);
  expect(await of.publish(version(3))).toMatchObject({ applied: 4, refused: [] });
});

it('does not start a successor twice where a worker dies as it is replaced', async () => {
  const of = await start(2);
  const old = of.workers.map((worker) => worker.pid);
  const restarting = of.restart(1_000);
  process.kill(old[0]!, 'SIGKILL');
  await restarting;
  await waitFor('two new ones', () => of.workers.length === 2 && of.serving === 2);
  expect(of.workers.filter((worker) => old.includes(worker.pid))).toEqual([]);
});

it('refuses a second restart while one runs', async () => {
  const of = await start(2);
  const first = of.restart(1_000);
  expect(await of.restart(1_000)).toMatchObject({ replaced: 0, problem: expect.stringMatching(/under way already/) });
  expect(await first).toEqual({ replaced: 2 });
});

it('does not hold against a worker that starts what the primary itself did not run for', async () => {
  const of = await start(2, { startMs: 3_000 });
  expect(of.deaths.respawns).toBe(0);
});
