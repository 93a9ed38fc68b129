import { readFile } from 'node:fs/promises';
import { Agent, get } from 'node:https';
import { describe, expect, it } from 'vitest';
import { PEBBLE_TOOLS, startPebble } from './pebble.ts';
import { STEP_CA_TOOLS, startStepCa } from './step-ca.ts';
import { toolsMissing } from './tools.ts';

function fetchJson(url: string, ca: string): Promise<Record<string, unknown>> {
  return new Promise((resolve, reject) => {
    get(url, { agent: new Agent({ ca, keepAlive: false }), headers: { 'user-agent': 'test' } }, (response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (chunk) => {
        text += chunk;
      });
      response.on('end', () => resolve(JSON.parse(text)));
    }).on('error', reject);
  });
}

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
