import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { describe, expect, it } from 'vitest';
import { parseStat, readTree } from '../../bench/measure/cpu.ts';

describe('CPU time of a process tree', () => {
  it('is read behind a command name that holds anything', () => {
    const line = '7 (a) (b c) S 3 7 7 0 -1 4194560 1 2 3 4 11 22 33 44 20 0 1 0';
    expect(parseStat(line)).toEqual({ parent: 3, ticks: 33, childTicks: 77 });
  });

  it('counts children, also those that ended', async () => {
    // 300 ms of work in a child of the child, which ends; its parent waits for it and stays.
    const burn = 'const end = process.cpuUsage().user + 300000; while (process.cpuUsage().user < end);';
    const script = `require("child_process").spawnSync(process.execPath, ["-e", ${JSON.stringify(burn)}]); console.log("done"); setInterval(() => {}, 1000)`;
    const child = spawn(process.execPath, ['-e', script], { stdio: ['ignore', 'pipe', 'inherit'] });
    try {
      await once(child.stdout, 'data');
      const usage = readTree(child.pid ?? 0);
      expect(usage.cpuMicros).toBeGreaterThan(300_000);
      expect(usage.rssBytes).toBeGreaterThan(10_000_000);
      expect(usage.pids).toEqual([child.pid]);
    } finally {
      child.kill('SIGKILL');
    }
  });
});
