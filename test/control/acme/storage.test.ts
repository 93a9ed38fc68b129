import { execFileSync } from 'node:child_process';
import { createPrivateKey, generateKeyPairSync } from 'node:crypto';
import { chmod, mkdir, readdir, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { replaceFile } from '../../../src/control/acme/atomic-write.ts';
import { systemClock } from '../../../src/control/acme/clock.ts';
import { holdCertificate } from '../../../src/control/acme/held-certificate.ts';
import { AcmeStorage } from '../../../src/control/acme/storage.ts';
import { makeCa } from '../../support/certs.ts';
import { tempDir } from '../../support/temp.ts';
import { waitFor } from '../../support/wait-for.ts';

const ca = makeCa();
const signal = new AbortController().signal;

/** A file as Traefik 3 writes it: an account with an RSA key in PKCS#1, EC certificates, fields that only it knows. */
function traefikFile() {
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const pair = ca.issue({ sans: ['old.test', 'www.old.test'] });
  return {
    'internal-resolver': {
      Account: {
        Email: 'admin@thinkheads.test',
        Registration: {
          body: { status: 'valid', contact: ['mailto:admin@thinkheads.test'], orders: 'https://ca/orders/1' },
          uri: 'https://ca.test/acme/acme/account/1',
        },
        PrivateKey: privateKey.export({ type: 'pkcs1', format: 'der' }).toString('base64'),
        KeyType: 'P384',
      },
      Certificates: [
        {
          domain: { main: 'old.test', sans: ['www.old.test'] },
          certificate: Buffer.from(pair.cert).toString('base64'),
          key: Buffer.from(pair.key).toString('base64'),
          Store: 'default',
          Extra: 'kept',
        },
      ],
    },
    'external-resolver': { Account: null, Certificates: null, SomethingNew: { a: 1 } },
  };
}

function held(resolver: string, name: string) {
  const pair = ca.issue({ sans: [name] });
  return holdCertificate({ resolver, names: [name], ...pair, store: 'default' });
}

async function open(path: string, options: { write?: typeof replaceFile } = {}) {
  const lines: string[] = [];
  const storage = new AcmeStorage(path, {
    log: (level, message) => void lines.push(`${level} ${message}`),
    clock: systemClock,
    ...options,
  });
  await storage.open();
  return { storage, lines };
}

describe('the storage', () => {
  it("reads Traefik's file, and gives it back with a change and everything it does not know", async () => {
    await using dir = await tempDir();
    const path = join(dir.path, 'acme.json');
    const before = traefikFile();
    await writeFile(path, JSON.stringify(before, null, 2), { mode: 0o600 });
    const { storage, lines } = await open(path);
    const account = storage.account('internal-resolver');
    expect(account).toMatchObject({ email: 'admin@thinkheads.test', uri: 'https://ca.test/acme/acme/account/1' });
    expect(createPrivateKey(account?.key ?? '').asymmetricKeyType).toBe('rsa');
    const [stored] = storage.certificates('internal-resolver').values();
    expect(stored).toMatchObject({ main: 'old.test', sans: ['www.old.test'], store: 'default', issuer: 'Test CA' });

    expect(await storage.putCertificate(held('internal-resolver', 'new.test'))).toBe(true);
    if (account !== null) await storage.putAccount('internal-resolver', account, 'EC384');
    await storage.close();
    const after = JSON.parse(await readFile(path, 'utf8'));
    expect(after['external-resolver']).toEqual(before['external-resolver']);
    expect(after['internal-resolver'].Certificates[0]).toEqual(before['internal-resolver'].Certificates[0]);
    expect(after['internal-resolver'].Certificates).toHaveLength(2);
    expect(after['internal-resolver'].Account.PrivateKey).toBe(before['internal-resolver'].Account.PrivateKey);
    expect(after['internal-resolver'].Account.KeyType).toBe('P384');
    expect(JSON.parse(await readFile(`${path}.bak`, 'utf8'))['internal-resolver'].Certificates).toHaveLength(2);
    expect(lines).toEqual([]);
  });

  it('is for its owner alone, whatever it was', async () => {
    await using dir = await tempDir();
    const path = join(dir.path, 'acme.json');
    await writeFile(path, '', { mode: 0o644 });
    const { storage, lines } = await open(path);
    expect((await stat(path)).mode & 0o777).toBe(0o600);
    expect(lines).toEqual([expect.stringMatching(/could be read by others \(mode 644\): it is 600 now/)]);
    await storage.putCertificate(held('r', 'a.test'));
    await storage.close();
    for (const file of await readdir(dir.path)) {
      if (file !== 'acme.json.lock') expect((await stat(join(dir.path, file))).mode & 0o077).toBe(0);
    }
  });

  it('that is no file of ours keeps its mode, and one that is no file at all is said to be none', async () => {
    await using dir = await tempDir();
    const foreign = join(dir.path, 'hosts');
    await writeFile(foreign, '127.0.0.1 localhost', { mode: 0o644 });
    await chmod(foreign, 0o644);
    expect((await open(foreign)).storage.error).toContain("not Traefik's acme.json");
    expect((await stat(foreign)).mode & 0o777).toBe(0o644);
    expect((await open(dir.path)).storage.error).toContain('it is a directory');
    const pipe = join(dir.path, 'pipe');
    execFileSync('mkfifo', [pipe]);
    expect((await open(pipe)).storage.error).toContain('it is no regular file');
  });

  it('leaves nothing behind of a process that was killed while it wrote', async () => {
    await using dir = await tempDir();
    const path = join(dir.path, 'acme.json');
    const left = ['acme.json.1.tmp', 'acme.json.bak.1.tmp', 'acme.json.orders.1.tmp'];
    const others = ['acme.json.old.tmp', 'other.json.1.tmp', 'xacme.json.1.tmp'];
    for (const name of [...left, ...others]) await writeFile(join(dir.path, name), '');
    const { storage } = await open(path);
    await storage.putCertificate(held('a', 'a.test'));
    await storage.close();
    const names = await readdir(dir.path);
    expect(names.filter((name) => name.endsWith('.tmp')).sort()).toEqual(others.sort());
  });

  it('of several resolvers in one file keeps each', async () => {
    await using dir = await tempDir();
    const { storage } = await open(join(dir.path, 'acme.json'));
    await Promise.all(['r', 's'].flatMap((r) => ['a', 'b'].map((n) => storage.putCertificate(held(r, `${n}.test`)))));
    await storage.close();
    const again = await open(join(dir.path, 'acme.json'));
    expect(again.storage.certificates('r').size).toBe(2);
    expect(again.storage.certificates('s').size).toBe(2);
  });

  it('that is torn is an error, its backup is used, and it is kept aside', async () => {
    await using dir = await tempDir();
    const path = join(dir.path, 'acme.json');
    const text = JSON.stringify(traefikFile(), null, 2);
    await writeFile(`${path}.bak`, text, { mode: 0o600 });
    await writeFile(path, text.slice(0, 700), { mode: 0o600 });
    const { storage, lines } = await open(path);
    expect(lines).toEqual([
      expect.stringMatching(
        /^error .*acme\.json: it is torn or damaged: .*; the certificates of .*acme\.json\.bak are used/,
      ),
    ]);
    expect(storage.certificates('internal-resolver').size).toBe(1);
    expect(await storage.putCertificate(held('internal-resolver', 'a.test'))).toBe(true);
    await storage.close();
    expect(await readFile(`${path}.damaged`, 'utf8')).toBe(text.slice(0, 700));
    expect(JSON.parse(await readFile(path, 'utf8'))['internal-resolver'].Certificates).toHaveLength(2);
  });

  it.each([
    ['zeros of a crash', '\0'.repeat(500), /torn or damaged/, true],
    ['another JSON file', '{"name": "phoenix", "version": "1"}', /not Traefik's acme\.json: see `name`/, false],
    ['a list', '[1]', /no object of resolvers/, false],
    ['text', 'root:x:0:0\n', /it is not JSON, and so not Traefik's acme\.json/, false],
    ['the format of Traefik 1', '{"Account": {}, "DomainsCertificate": {}}', /format of Traefik 1/, false],
  ])('that is %s loses nothing', async (_, text, message, replaced) => {
    await using dir = await tempDir();
    const path = join(dir.path, 'acme.json');
    await writeFile(path, text, { mode: 0o600 });
    const { storage, lines } = await open(path);
    expect(lines[0]).toMatch(message);
    expect(await storage.putCertificate(held('r', 'a.test'))).toBe(replaced);
    expect(storage.certificates('r').size).toBe(1); // served from memory all the same
    expect(storage.error === undefined).toBe(replaced);
    await storage.close();
    expect(await readFile(replaced ? `${path}.damaged` : path, 'utf8')).toBe(text);
  });

  it('that became empty while there is a backup goes on with that', async () => {
    await using dir = await tempDir();
    const path = join(dir.path, 'acme.json');
    await writeFile(`${path}.bak`, JSON.stringify(traefikFile()), { mode: 0o600 });
    await writeFile(path, '', { mode: 0o600 });
    const { storage, lines } = await open(path);
    expect(storage.certificates('internal-resolver').size).toBe(1);
    expect(lines[0]).toMatch(/^error .*is empty: the certificates of .*\.bak are used/);
  });

  it('on a full disk is what memory says, and is written when there is room', async () => {
    await using dir = await tempDir();
    const path = join(dir.path, 'acme.json');
    let full = true;
    const { storage, lines } = await open(path, {
      write: async (...args) => {
        if (full) throw Object.assign(new Error('ENOSPC: no space left on device, write'), { code: 'ENOSPC' });
        return replaceFile(...args);
      },
    });
    const certificate = held('r', 'a.test');
    expect(await storage.putCertificate(certificate)).toBe(false);
    expect(storage.error).toMatch(/the disk is full/);
    expect(storage.certificates('r').size).toBe(1);
    full = false;
    await waitFor('it to be written', () => storage.error === undefined);
    expect(lines.map((line) => line.replace(dir.path, ''))).toEqual([
      'error /acme.json cannot be written: the disk is full; new certificates are served from memory alone, and it is tried again',
      'info /acme.json is written again: every certificate is stored',
    ]);
    await storage.close();
    expect((await open(path)).storage.certificates('r').size).toBe(1);
  });

  it('keeps a second process out, and shows it afterwards what came', async () => {
    await using dir = await tempDir();
    const path = join(dir.path, 'acme.json');
    const first = await open(path);
    const second = await open(path);
    const release = await first.storage.lease(signal, () => undefined);
    let waited = false;
    let got = false;
    const later = second.storage
      .lease(signal, () => {
        waited = true;
      })
      .then((free) => {
        got = true;
        return free;
      });
    await waitFor('the second to wait', () => waited);
    await first.storage.putCertificate(held('r', 'a.test'));
    expect(got).toBe(false);
    release();
    (await later)();
    expect(second.storage.certificates('r').size).toBe(1);
    await Promise.all([first.storage.close(), second.storage.close()]);
  });

  it('behind a symbolic link is replaced where it is', async () => {
    await using dir = await tempDir();
    await mkdir(join(dir.path, 'real'));
    await writeFile(join(dir.path, 'real/acme.json'), '{}', { mode: 0o600 });
    await symlink(join(dir.path, 'real/acme.json'), join(dir.path, 'acme.json'));
    const { storage } = await open(join(dir.path, 'acme.json'));
    expect(await storage.putCertificate(held('r', 'a.test'))).toBe(true);
    await storage.close();
    expect(Object.keys(JSON.parse(await readFile(join(dir.path, 'real/acme.json'), 'utf8')))).toEqual(['r']);
  });

  it('that was deleted is written again with the next change', async () => {
    await using dir = await tempDir();
    const path = join(dir.path, 'acme.json');
    const { storage } = await open(path);
    await storage.putCertificate(held('r', 'a.test'));
    await rm(path);
    await storage.putCertificate(held('r', 'b.test'));
    await storage.close();
    expect((await open(path)).storage.certificates('r').size).toBe(2);
  });

  it('whose one certificate is damaged uses the others, and keeps that one', async () => {
    await using dir = await tempDir();
    const path = join(dir.path, 'acme.json');
    const file = traefikFile();
    const damaged = { domain: { main: 'x.test' }, certificate: 'AAAA', key: 'AAAA', Store: 'default' };
    file['internal-resolver'].Certificates.push(damaged as never);
    await writeFile(path, JSON.stringify(file), { mode: 0o600 });
    const { storage, lines } = await open(path);
    expect(storage.certificates('internal-resolver').size).toBe(1);
    expect(lines[0]).toMatch(/the certificate for x\.test cannot be used: .*; it is left as it is/);
    await storage.putCertificate(held('internal-resolver', 'a.test'));
    await storage.close();
    expect(JSON.parse(await readFile(path, 'utf8'))['internal-resolver'].Certificates).toContainEqual(damaged);
  });
});

describe('an order under way', () => {
  it('is found again by the next process, for a week', async () => {
    await using dir = await tempDir();
    const path = join(dir.path, 'acme.json');
    const order = { url: 'https://ca.test/order/1', key: 'PEM', directory: 'https://ca.test/dir', since: Date.now() };
    const first = await open(path);
    const release = await first.storage.lease(signal, () => undefined);
    await first.storage.orders.put('new', order);
    await first.storage.orders.put('old', { ...order, since: Date.now() - 8 * 86_400_000 });
    release();
    const second = await open(path);
    (await second.storage.lease(signal, () => undefined))();
    expect(second.storage.orders.get('new')).toEqual(order);
    expect(second.storage.orders.get('old')).toBeUndefined();
    expect((await stat(`${path}.orders`)).mode & 0o777).toBe(0o600);
  });

  it('that cannot be kept is said once for each trouble, not for each order', async () => {
    await using dir = await tempDir();
    const path = join(dir.path, 'acme.json');
    await mkdir(`${path}.orders`);
    const { storage, lines } = await open(path);
    const order = { url: 'https://ca.test/order/1', key: 'PEM', directory: 'https://ca.test/dir', since: Date.now() };
    const said = (): number => lines.filter((line) => line.includes('orders under way cannot be kept')).length;
    for (const name of ['a', 'b', 'c']) await storage.orders.put(name, order);
    expect(said()).toBe(1);
    await rm(`${path}.orders`, { recursive: true });
    await storage.orders.put('d', order);
    await rm(`${path}.orders`);
    await mkdir(`${path}.orders`);
    await storage.orders.put('e', order);
    expect(said()).toBe(2);
  });
});
