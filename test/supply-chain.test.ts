import { execFile, execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { tempDir } from './support/temp.ts';

const ROOT = fileURLToPath(new URL('..', import.meta.url));

interface Locked {
  readonly version?: string;
  readonly integrity?: string;
  readonly resolved?: string;
  readonly hasInstallScript?: boolean;
}

const lock = JSON.parse(readFileSync(`${ROOT}package-lock.json`, 'utf8')) as {
  readonly packages: Readonly<Record<string, Locked>>;
};
const manifest = JSON.parse(readFileSync(`${ROOT}package.json`, 'utf8')) as Readonly<
  Record<'dependencies' | 'devDependencies' | 'optionalDependencies', Readonly<Record<string, string>>>
>;
const packages = Object.entries(lock.packages).filter(([path]) => path !== '');

describe('the supply chain', () => {
  it('holds every package to its content', () => {
    expect(packages.length).toBeGreaterThan(100);
    expect(packages.filter(([, { integrity }]) => !/^sha512-/.test(integrity ?? '')).map(([path]) => path)).toEqual([]);
  });

  it('runs no script of a package at its installation', () => {
    expect(packages.filter(([, { hasInstallScript }]) => hasInstallScript === true).map(([path]) => path)).toEqual([]);
    // What proves it: CI installs like that.
    expect(readFileSync(`${ROOT}.ci/run`, 'utf8')).toMatch(/^npm ci --ignore-scripts$/m);
  });

  it('names no registry, and takes nothing from anywhere else', () => {
    expect(packages.filter(([, { resolved }]) => resolved !== undefined).map(([path]) => path)).toEqual([]);
  });

  it('pins exact versions', () => {
    const { dependencies, devDependencies, optionalDependencies } = manifest;
    const loose = Object.entries({ ...dependencies, ...devDependencies, ...optionalDependencies }).filter(
      ([, version]) => !/^\d+\.\d+\.\d+$/.test(version),
    );
    expect(loose).toEqual([]);
  });

  it('has a bill of materials with everything that is shipped, and nothing else', () => {
    const bom = JSON.parse(execFileSync('npm', ['run', '--silent', 'sbom'], { cwd: ROOT, encoding: 'utf8' })) as {
      readonly bomFormat: string;
      readonly components: readonly { readonly name: string; readonly version: string }[];
    };
    expect(bom.bomFormat).toBe('CycloneDX');
    const shipped = new Map(bom.components.map(({ name, version }) => [name, version]));
    for (const [name, version] of Object.entries(manifest.dependencies)) expect(shipped.get(name), name).toBe(version);
    for (const name of Object.keys(manifest.devDependencies)) expect(shipped.has(name), name).toBe(false);
  });

  it('is audited in CI', () => {
    expect(readFileSync(`${ROOT}.ci/run`, 'utf8')).toMatch(/^npm run audit$/m);
    expect(readFileSync(`${ROOT}scripts/audit.ts`, 'utf8')).toContain('--audit-level=moderate');
  });
});

describe('npm run audit', () => {
  /** Runs it against a registry that answers with this; `null` = it refuses the question. */
  async function audit(advisories: Record<string, unknown> | null): Promise<{ code: number; said: string }> {
    const registry = createServer((request, response) => {
      if (request.method === 'POST' && advisories === null) response.statusCode = 405;
      response.setHeader('Content-Type', 'application/json');
      request.resume();
      request.on('end', () => {
        if (request.method === 'POST') response.end(JSON.stringify(advisories ?? {}));
        else response.end(JSON.stringify({ name: request.url?.slice(1), versions: {}, 'dist-tags': {} }));
      });
    });
    await new Promise<void>((resolve) => registry.listen(0, '127.0.0.1', resolve));
    // npm remembers advisories: these are nobody's business but the test's.
    const cache = await tempDir();
    const url = `http://127.0.0.1:${(registry.address() as AddressInfo).port}/`;
    try {
      return await new Promise((resolve) => {
        execFile(
          process.execPath,
          ['scripts/audit.ts'],
          {
            cwd: ROOT,
            env: {
              ...process.env,
              npm_config_registry: url,
              npm_config_cache: cache.path,
              npm_config_fetch_retries: '0',
            },
          },
          (error, stdout, stderr) => resolve({ code: error === null ? 0 : Number(error.code), said: stdout + stderr }),
        );
      });
    } finally {
      registry.close();
      registry.closeAllConnections();
      await cache.remove();
    }
  }

  const weakness = (severity: string) => ({
    zod: [{ id: 1, url: 'https://advisories.test/1', title: 'a weakness', severity, vulnerable_versions: '*' }],
  });

  it('passes where nothing is known', async () => {
    expect(await audit({})).toMatchObject({ code: 0, said: expect.stringContaining('nothing known') });
  });

  it('fails at moderate, and not below', async () => {
    expect(await audit(weakness('moderate'))).toMatchObject({ code: 1, said: expect.stringContaining('a weakness') });
    expect(await audit(weakness('low'))).toMatchObject({ code: 0, said: expect.stringContaining('1 low') });
  });

  it('says loudly that it knows nothing where the registry does not answer', async () => {
    expect(await audit(null)).toMatchObject({ code: 0, said: expect.stringContaining('NOT AUDITED') });
  });
});
