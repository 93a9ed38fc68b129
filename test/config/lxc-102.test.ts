import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { buildSnapshot } from '../../src/control/build/build-snapshot.ts';
import { decodeDynamic } from '../../src/core/config/decode.ts';
import { decodeStatic } from '../../src/core/config/load-static.ts';
import { errors, GENERATED, NOW } from '../control/build/harness.ts';

function shipped(path: string): string {
  return readFileSync(new URL(`../../config/${path}`, import.meta.url), 'utf8');
}

/** Decodes and builds a pair of shipped files. */
function load(staticFile: string, dynamicFile: string) {
  const { config, diagnostics } = decodeStatic({
    file: { name: staticFile, text: shipped(staticFile) },
    flags: [],
    env: {},
  });
  const text = shipped(dynamicFile);
  const decoded = decodeDynamic(dynamicFile, text);
  const built = buildSnapshot({
    version: 1,
    now: NOW,
    static: config!,
    locateStatic: () => undefined,
    sources: [{ provider: 'file', file: dynamicFile, text, decoded }],
    read: () => Object.assign(new Error('ENOENT: no such file'), { code: 'ENOENT' }),
    defaultCertificate: GENERATED,
    ticketKeys: 'dGlja2V0cw==',
    internalSocket: '/run/proxy.sock',
  });
  return { ...built, diagnostics: [...diagnostics, ...decoded.diagnostics, ...built.diagnostics] };
}

const upstreams = ({ snapshot }: ReturnType<typeof load>) =>
  Object.fromEntries(
    Object.values(snapshot.http.services)
      .filter(({ kind }) => kind === 'configured')
      .map(({ name, config }) => [name, config.loadBalancer?.servers.map(({ url }) => url)]),
  );

describe('config/lxc-102', () => {
  const mesh = load('lxc-102/traefik.yml', 'lxc-102/dynamic/dynamic_conf.yml');

  it('gives nothing to warn of', () => {
    expect(mesh.diagnostics.filter(({ severity }) => severity !== 'info')).toEqual([]);
  });

  it("opens the mesh's ports and trusts the gateway alone", () => {
    const { web, websecure, traefik } = mesh.snapshot.entryPoints;
    expect([web?.port, websecure?.port, traefik?.port]).toEqual([80, 8443, 8080]);
    expect(web?.forwardedHeaders).toEqual({ insecure: false, trustedIPs: ['10.0.0.153/32'] });
  });

  it('answers every name over plain HTTP, as the gateway comes, and over TLS', () => {
    for (const name of ['traefik', 'granite-embedding', 'granite-3b', 'ollama', 'llamacpp']) {
      const [plain, secure] = [`${name}-router@file`, `${name}-secure-router@file`].map(
        (router) => mesh.snapshot.http.routers[router],
      );
      expect(plain).toMatchObject({ status: 'enabled', entryPoints: ['web'] });
      expect(plain?.tls).toBeUndefined();
      expect(secure).toMatchObject({ status: 'enabled', entryPoints: ['websecure'], tls: { options: 'default' } });
      expect(secure?.service).toBe(plain?.service);
    }
  });

  it('names the backends of the mesh', () => {
    expect(upstreams(mesh)).toEqual({
      'granite-embedding-service@file': ['http://10.0.0.141:8000'],
      'granite-3b-service@file': ['http://10.0.0.142:8000'],
      'ollama-service@file': ['http://10.0.0.155:11434'],
      'llamacpp-service@file': ['http://10.0.0.157:8081'],
    });
  });

  it('has the same table as what npm start serves, but for the network', () => {
    const local = load('proxy.yml', 'dynamic/dynamic_conf.yml');
    expect(errors(local.diagnostics)).toEqual([]);
    expect(JSON.parse(JSON.stringify(upstreams(local)).replaceAll('127.0.0.', '10.0.0.'))).toEqual(upstreams(mesh));
  });

  it('orders a certificate for each of them from the CA of the mesh', () => {
    expect(mesh.wanted.map(({ resolver, main, sans }) => [resolver, main, ...sans])).toEqual(
      ['granite-3b', 'granite-embedding', 'llamacpp', 'ollama', 'traefik'].map((name) => [
        'internal-resolver',
        `${name}.internal.thinkheads.ai`,
      ]),
    );
  });
});

describe('config/step-ca', () => {
  const local = load('proxy.yml', 'dynamic/dynamic_conf.yml');
  const stepCa = load('step-ca/proxy.yml', 'step-ca/dynamic/dynamic_conf.yml');

  it('has the same table as what npm start serves, with a certificate for each host', () => {
    expect(errors(stepCa.diagnostics)).toEqual([]);
    expect(upstreams(stepCa)).toEqual(upstreams(local));
    const withoutTls = ({ snapshot }: ReturnType<typeof load>) =>
      Object.values(snapshot.http.routers).map(({ name, rule, service, entryPoints }) => [
        name,
        rule,
        service,
        entryPoints,
      ]);
    expect(withoutTls(stepCa)).toEqual(withoutTls(local));
    expect(stepCa.wanted.map(({ resolver, main }) => [resolver, main])).toHaveLength(5);
  });
});
