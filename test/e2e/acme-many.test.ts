import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { certificateList, servedCertificate, startAcmeProxy, storageIn } from '../support/acme-proxy.ts';
import { STEP_CA_TOOLS, startStepCa } from '../support/step-ca.ts';
import { tempDir } from '../support/temp.ts';
import { toolsMissing } from '../support/tools.ts';
import { waitFor } from '../support/wait-for.ts';

/** 500 take some minutes on a small machine that does other things too. */
const MANY = Number(process.env.PHOENIX_ACME_DOMAINS ?? 50);

describe.skipIf(toolsMissing('many certificates at once', ...STEP_CA_TOOLS))(
  'hosts that are there at the start',
  () => {
    it.each([9, MANY])(
      'have certificates of their own soon, all %i of them, in bounded memory and descriptors',
      async (count) => {
        await using temp = await tempDir();
        await using ca = await startStepCa({ duration: '24h' });
        const hosts = Array.from({ length: count }, (_, i) => `host-${i}.test`);
        const start = performance.now();
        await using proxy = await startAcmeProxy(ca, { hosts, storage: storageIn(temp.path) });
        const ready = performance.now();
        const before = memory(proxy.pid);
        let descriptors = 0;
        await waitFor(
          'all certificates',
          () => {
            descriptors = Math.max(descriptors, readdirSync(`/proc/${proxy.pid}/fd`).length);
            return new Set(proxy.output().match(/certificate for host-\d+\.test from/g)).size === count;
          },
          { timeoutMs: 20_000 + count * 1_000, intervalMs: 50, describe: () => proxy.output().slice(-3000) },
        );
        const issued = performance.now();
        for (const host of [hosts[0]!, hosts.at(-1)!]) {
          await waitFor(
            `${host} to be served`,
            async () => (await servedCertificate(proxy, host)).checkHost(host) !== undefined,
          );
        }
        const { certificates } = await certificateList(proxy);
        expect(
          certificates.filter(({ state }) => state === 'valid' || state === 'ordering').length,
        ).toBeGreaterThanOrEqual(count);
        const after = memory(proxy.pid);
        console.info(
          `${count} certificates ${seconds(issued - ready)} s after the entry points, ${seconds(issued - start)} s after the start; primary ${before} → ${after} MiB, at most ${descriptors} descriptors`,
        );
        expect(descriptors).toBeLessThan(150);
        // A certificate with its key, as text and parsed, in the snapshot and in the storage.
        expect(after - before).toBeLessThan(100 + count * 0.25);
        for (const line of proxy.output().match(/.*ERR.*/g) ?? []) console.info(line);
      },
      60_000 + MANY * 2_000,
    );
  },
);

/** Resident memory in MiB. */
function memory(pid: number): number {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  return Math.round(Number(/^VmRSS:\s+(\d+)/m.exec(status)?.[1] ?? 0) / 1024);
}

function seconds(ms: number): string {
  return (ms / 1000).toFixed(1);
}
