import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { decodeDynamic } from '../../../src/core/config/decode.ts';
import { decodeStatic } from '../../../src/core/config/load-static.ts';

function fixture(name: string): string {
  return readFileSync(new URL(`../../fixtures/mesh/${name}`, import.meta.url), 'utf8');
}

describe("the mesh's static file", () => {
  const { config, diagnostics } = decodeStatic({
    file: { name: 'traefik.yml', text: fixture('traefik.yml') },
    flags: [],
    env: {},
  });

  it('loads without an error', () => {
    expect(diagnostics.filter(({ severity }) => severity === 'error')).toEqual([]);
    expect(config?.entryPoints).toMatchObject({
      web: {
        address: ':80',
        http: { redirections: { entryPoint: { to: 'websecure', scheme: 'https', permanent: true } } },
      },
      websecure: { address: ':8443', forwardedHeaders: { trustedIPs: ['10.0.0.153/32'] } },
      traefik: { address: ':8080' },
    });
    expect(config?.api).toMatchObject({ insecure: true, dashboard: true });
  });

  it.each([
    ['dynamic-in-static', 'http', /move the section/],
    ['directory-wins', 'providers.file.filename', /remove one/],
  ])('is told of %s', (code, path, hint) => {
    const found = diagnostics.find((d) => d.code === code);
    expect(found).toMatchObject({ severity: 'warning', path, file: 'traefik.yml', line: expect.any(Number) });
    expect(found?.hint).toMatch(hint);
  });

  it('hears that two resolvers share a storage, which is no fault', () => {
    expect(diagnostics.find(({ code }) => code === 'shared-storage')).toMatchObject({
      severity: 'info',
      path: 'certificatesResolvers.internal-resolver.acme.storage',
      hint: expect.stringContaining('proxy certs renew'),
    });
  });

  it('has nothing in it that is not acted on', () => {
    expect(diagnostics.filter(({ code }) => code === 'not-acted-on')).toEqual([]);
  });
});

describe("the mesh's dynamic files", () => {
  it.each(['dynamic_conf.yml', 'dynamic_conf.toml', 'no_services.yml', 'odd_case.yml'])('%s loads', (name) => {
    const { config, rejected, diagnostics } = decodeDynamic(name, fixture(name));
    expect(diagnostics).toEqual([]);
    expect(rejected).toEqual([]);
    expect(config).not.toBeNull();
  });

  it('mean what they say', () => {
    const { config } = decodeDynamic('dynamic_conf.yml', fixture('dynamic_conf.yml'));
    expect(config?.http.routers['ollama-router']).toMatchObject({
      rule: 'Host(`ollama.internal.thinkheads.ai`)',
      tls: { certResolver: 'internal-resolver' },
    });
    expect(config?.http.middlewares['redirect-to-https']?.redirectScheme).toEqual({
      scheme: 'https',
      port: '8443',
      permanent: false,
    });
    expect(config?.http.serversTransports['internal-ca']?.rootCAs).toEqual(['/etc/step-ca/ssl/phoenix_root_ca.crt']);
  });

  it('may have keys in odd case', () => {
    const { config } = decodeDynamic('odd_case.yml', fixture('odd_case.yml'));
    expect(config?.http.routers['Granite-3B-router']).toMatchObject({ entryPoints: ['web'], tls: {} });
    expect(config?.http.services['Granite-3B-service']?.loadBalancer).toMatchObject({
      passHostHeader: true,
      servers: [{ url: 'http://10.0.0.142:8000', weight: 2 }],
    });
  });

  it('cut off anywhere decode, or are refused with an error', () => {
    const text = fixture('dynamic_conf.yml');
    for (let end = 0; end <= text.length; end += 7) {
      const { config, diagnostics } = decodeDynamic('dynamic_conf.yml', text.slice(0, end));
      if (config === null) expect(diagnostics.some(({ severity }) => severity === 'error')).toBe(true);
    }
  });
});
