import { readFile } from 'node:fs/promises';
import { describe, expect, it } from 'vitest';
import { fetchJson } from './fetch-json.ts';
import { PEBBLE_TOOLS, startPebble } from './pebble.ts';
import { STEP_CA_TOOLS, startStepCa } from './step-ca.ts';
import { toolsMissing } from './tools.ts';

describe.skipIf(toolsMissing('the ACME server pebble', ...PEBBLE_TOOLS))('pebble', () => {
  it('has a directory behind its own root', async () => {
    await using pebble = await startPebble();
    expect(await fetchJson(pebble.directory, pebble.root)).toHaveProperty('newOrder');
  });
});

describe.skipIf(toolsMissing('the CA step-ca', ...STEP_CA_TOOLS))('step-ca', () => {
  it('has a directory behind its own root, also after a halt', async () => {
    await using ca = await startStepCa();
    const root = await readFile(ca.rootFile, 'utf8');
    const before = await fetchJson(ca.directory, root);
    expect(before).toHaveProperty('newOrder');
    await ca.halt();
    await expect(fetchJson(ca.directory, root)).rejects.toThrow(/ECONNREFUSED/);
    await ca.start();
    expect(await fetchJson(ca.directory, root)).toEqual(before);
    expect(ca.fingerprint).toMatch(/^[0-9a-f]{64}$/);
  });
});
