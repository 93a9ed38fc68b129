import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { type CaFront, startCaFront } from '../../support/ca-front.ts';
import { type Child, startChild } from '../../support/child.ts';
import { PEBBLE_TOOLS, type Pebble, startPebble } from '../../support/pebble.ts';
import { tempDir } from '../../support/temp.ts';
import { toolsMissing } from '../../support/tools.ts';
import { waitFor } from '../../support/wait-for.ts';

const CHILD = fileURLToPath(new URL('../../support/acme-child.ts', import.meta.url));

function start(front: CaFront, storage: string, names: readonly string[], ports?: Pebble): Child {
  const resolver = { caServer: front.directory, caCertificates: [front.root], httpChallenge: {}, storage };
  return startChild(process.execPath, [CHILD, JSON.stringify({ resolver, names, ports })]);
}

function orders(front: CaFront): number {
  return front.seen.filter((line) => line === 'POST /order-plz').length;
}

async function ends(child: Child): Promise<void> {
  child.kill('SIGKILL');
  await child.exit;
}

describe.skipIf(toolsMissing('crashes between order and storage', ...PEBBLE_TOOLS))('a proxy that is killed', () => {
  // Each is the path of the request before which it dies, as pebble names them.
  it.each([
    ['between the order and its challenges', /^\/authZ\//],
    ['between the challenge and finalising', /^\/finalize-order\//],
    ['between finalising and the certificate', /^\/certZ\//],
  ])('%s goes on with the same order and the same key', async (_, path) => {
    await using pebble = await startPebble();
    await using front = await startCaFront(pebble.directory);
    await using dir = await tempDir();
    const storage = join(dir.path, 'acme.json');
    let reached = false;
    front.fault = (request) => {
      if (!path.test(request.path)) return undefined;
      reached = true;
      return 'hang';
    };
    const first = start(front, storage, ['a.test'], pebble);
    await waitFor('the moment', () => reached, { describe: first.output, timeoutMs: 60_000 });
    await ends(first);
    const left = JSON.parse(await readFile(`${storage}.orders`, 'utf8')) as Record<string, { key: string }>;
    const [kept] = Object.values(left);

    front.fault = () => undefined;
    const second = start(front, storage, ['a.test'], pebble);
    await waitFor('the certificate', () => /have a\.test/.test(second.output()), {
      describe: second.output,
      timeoutMs: 60_000,
    });
    expect(second.output()).toMatch(/the order for a\.test is gone on with/);
    await second.stop();
    expect(orders(front)).toBe(1);
    expect(front.seen.filter((line) => line === 'POST /sign-me-up')).toHaveLength(1);
    const file = JSON.parse(await readFile(storage, 'utf8'));
    expect(Buffer.from(file.mesh.Certificates[0].key, 'base64').toString()).toBe(kept?.key);
    expect(JSON.parse(await readFile(`${storage}.orders`, 'utf8'))).toEqual({});
  });

  it('and whose order the CA has forgotten begins a new one', async () => {
    await using pebble = await startPebble();
    await using front = await startCaFront(pebble.directory);
    await using dir = await tempDir();
    const storage = join(dir.path, 'acme.json');
    let reached = false;
    front.fault = ({ path }) => {
      if (!path.startsWith('/finalize-order/')) return undefined;
      reached = true;
      return 'hang';
    };
    const first = start(front, storage, ['a.test'], pebble);
    await waitFor('the moment', () => reached, { describe: first.output, timeoutMs: 60_000 });
    await ends(first);
    const problem = { type: 'urn:ietf:params:acme:error:malformed', detail: 'no such order' };
    front.fault = ({ path, count }) =>
      path.startsWith('/my-order/') && count < 1000 && orders(front) === 1
        ? { status: 404, body: JSON.stringify(problem) }
        : undefined;
    const second = start(front, storage, ['a.test'], pebble);
    await waitFor('the certificate', () => /have a\.test/.test(second.output()), {
      describe: second.output,
      timeoutMs: 60_000,
    });
    expect(second.output()).toMatch(/is gone \(the CA refused \(malformed\): no such order\): a new one is made/);
    await second.stop();
    expect(orders(front)).toBe(2);
  });

  it('at any moment leaves a whole file, and loses nothing that was in it', async () => {
    await using pebble = await startPebble({ alwaysValid: true });
    await using front = await startCaFront(pebble.directory);
    await using dir = await tempDir();
    const storage = join(dir.path, 'acme.json');
    const names = Array.from({ length: 24 }, (_, i) => `n${i}.test`);
    const seen = new Set<string>();
    const rounds = 3;
    for (let round = 0; round <= rounds; round++) {
      const child = start(front, storage, names);
      const has = (): number =>
        new Set([...child.output().matchAll(/^(?:have|stored) (\S+)/gm)].map(([, name]) => name)).size;
      // A round that is killed late may have stored them all.
      const enough = round === rounds ? names.length : Math.min(names.length, seen.size + 1 + round);
      await waitFor(`${enough} certificates`, () => has() >= enough, { timeoutMs: 60_000, describe: child.output });
      await ends(child);
      const file = JSON.parse(await readFile(storage, 'utf8'));
      const stored = (file.mesh.Certificates ?? []).map(({ domain }: { domain: { main: string } }) => domain.main);
      for (const name of seen) expect(stored).toContain(name);
      for (const name of stored) seen.add(name);
    }
    // One order for each name, and at most one more for each that was created and not yet kept when the process died.
    expect(orders(front)).toBeLessThanOrEqual(names.length + rounds * 8);
    expect(front.seen.filter((line) => line === 'POST /sign-me-up').length).toBeLessThan(3);
    expect((await readdir(dir.path)).filter((name) => name.endsWith('.damaged'))).toEqual([]);
  }, 90_000);
});

describe.skipIf(toolsMissing('a root that the system has', ...PEBBLE_TOOLS))(
  'a root that is installed in the system',
  () => {
    it('is trusted by a resolver that names none', async () => {
      await using pebble = await startPebble({ alwaysValid: true });
      await using dir = await tempDir();
      const resolver = { caServer: pebble.directory, httpChallenge: {}, storage: join(dir.path, 'acme.json') };
      const child = startChild(process.execPath, [CHILD, JSON.stringify({ resolver, names: ['sys.test'] })], {
        SSL_CERT_FILE: pebble.rootFile,
      });
      await waitFor('the certificate', () => /have sys\.test/.test(child.output()), {
        timeoutMs: 60_000,
        describe: child.output,
      });
      await child.stop();
    });
  },
);

describe.skipIf(toolsMissing('two proxies on one storage', ...PEBBLE_TOOLS))('two proxies on one storage', () => {
  it('make one order for each name, and both serve the same certificate', async () => {
    await using pebble = await startPebble({ alwaysValid: true });
    await using front = await startCaFront(pebble.directory);
    await using dir = await tempDir();
    const storage = join(dir.path, 'acme.json');
    const names = ['a.test', 'b.test', 'c.test'];
    const proxies = [start(front, storage, names), start(front, storage, names)];
    // The second may be so late that it finds them stored.
    const all = (child: Child): string[] =>
      [...new Set([...child.output().matchAll(/^(?:have|stored) (\S+ \S+)$/gm)].map(([, which]) => which!))].sort();
    for (const proxy of proxies) {
      await waitFor('all certificates', () => all(proxy).length === 3, { timeoutMs: 60_000, describe: proxy.output });
    }
    expect(orders(front)).toBe(3);
    expect(all(proxies[0] as Child)).toEqual(all(proxies[1] as Child));
    await Promise.all(proxies.map((proxy) => proxy.stop()));
  });

  it('of which one is killed while it has the lock: the other one goes on', async () => {
    await using pebble = await startPebble({ alwaysValid: true });
    await using front = await startCaFront(pebble.directory);
    await using dir = await tempDir();
    const storage = join(dir.path, 'acme.json');
    let reached = false;
    front.fault = ({ path }) => {
      if (!path.startsWith('/finalize-order/')) return undefined;
      reached = true;
      return 'hang';
    };
    const first = start(front, storage, ['a.test']);
    await waitFor('the first to order', () => reached, { describe: first.output, timeoutMs: 60_000 });
    const second = start(front, storage, ['a.test']);
    await waitFor('the second to wait', () => /is in use by another process/.test(second.output()), {
      describe: second.output,
    });
    front.fault = () => undefined;
    await ends(first);
    await waitFor('the certificate', () => /have a\.test/.test(second.output()), {
      describe: second.output,
      timeoutMs: 60_000,
    });
    expect(orders(front)).toBe(1);
    await second.stop();
  });
});
