import { afterAll, describe, expect, it } from 'vitest';
import type { CertificateSnapshot } from '../../../src/core/snapshot.ts';
import { CertificateIndex } from '../../../src/data/tls/certificate-index.ts';
import { compileTls } from '../../../src/data/tls/certificate-store.ts';
import { tlsOptions, tlsSnapshot, Workshop } from './certificates.ts';

const shop = new Workshop();
const fallback = shop.make(['default.test']);
const a = shop.make(['a.test']);
const b = shop.make(['b.test']);
afterAll(() => shop.remove());

/** Enough of a certificate for the index. */
function named(origin: string, names: readonly string[], notBefore = 0, notAfter = 1000): CertificateSnapshot {
  return { cert: '', key: '', fingerprint: origin, names, notBefore, notAfter, origin };
}

describe('the index', () => {
  const standby = named('default', ['d.x']);
  const pick = (certificates: readonly CertificateSnapshot[], name: string | null, now = 500) => {
    const { certificate, matched } = new CertificateIndex(certificates, standby).choose(name, now);
    return matched ? certificate.origin : `(${certificate.origin})`;
  };

  it('prefers the exact name, then one wildcard label, then the default', () => {
    const certificates = [named('wild', ['*.x']), named('exact', ['a.x'])];
    expect(pick(certificates, 'a.x')).toBe('exact');
    expect(pick(certificates, 'b.x')).toBe('wild');
    expect(pick(certificates, 'c.b.x')).toBe('(default)');
    expect(pick(certificates, 'x')).toBe('(default)');
    expect(pick(certificates, null)).toBe('(default)');
    expect(pick([], 'd.x')).toBe('default');
  });

  it('takes the one that stays valid longest, whatever the order', () => {
    const short = named('short', ['a.x'], 0, 600);
    const long = named('long', ['a.x'], 0, 900);
    const future = named('future', ['a.x'], 800, 2000);
    for (const certificates of [
      [short, long, future],
      [future, long, short],
    ]) {
      expect(pick(certificates, 'a.x', 500)).toBe('long');
      expect(pick(certificates, 'a.x', 850)).toBe('future');
    }
  });

  it('prefers a valid wildcard to an expired exact one, and an expired one to none', () => {
    const expired = named('expired', ['a.x'], 0, 100);
    expect(pick([expired, named('wild', ['*.x'])], 'a.x')).toBe('wild');
    expect(pick([expired, named('old wild', ['*.x'], 0, 100)], 'a.x')).toBe('expired');
    expect(pick([expired], 'a.x')).toBe('expired');
  });

  it('gives no wildcard to an IP address', () => {
    expect(pick([named('wild', ['*.0.0.1'])], '127.0.0.1')).toBe('(default)');
  });
});

describe('contexts', () => {
  const contextOf = (runtime: ReturnType<typeof compileTls>, sni: string) => {
    const selection = runtime.entryPoint('e').select(sni, () => undefined);
    if (!selection.ok) throw new Error(selection.detail);
    return selection.context.socketOptions.secureContext;
  };

  it('are made when asked for and only once', () => {
    const runtime = compileTls(tlsSnapshot(fallback, [a, b]), {});
    expect(runtime.contexts.size).toBe(0);
    expect(contextOf(runtime, 'a.test')).toBe(contextOf(runtime, 'a.test'));
    expect(runtime.contexts.size).toBe(1);
  });

  it('are taken over where certificate and options are the same, by content', () => {
    const first = compileTls(tlsSnapshot(fallback, [a, b]), {});
    const [ofA, ofB] = [contextOf(first, 'a.test'), contextOf(first, 'b.test')];
    const second = compileTls(structuredClone(tlsSnapshot(fallback, [a])), {}, first);
    expect(contextOf(second, 'a.test')).toBe(ofA);
    expect(contextOf(second, 'b.test')).not.toBe(ofB);
    const otherOptions = tlsSnapshot(fallback, [a], tlsOptions('default', { minVersion: 'TLSv1.3' }));
    expect(contextOf(compileTls(otherOptions, {}, second), 'a.test')).not.toBe(ofA);
    const otherChain = tlsSnapshot(fallback, [{ ...a, cert: a.cert + b.cert }]);
    expect(contextOf(compileTls(otherChain, {}, second), 'a.test')).not.toBe(ofA);
    const otherTicketKeys = { ...tlsSnapshot(fallback, [a]), ticketKeys: Buffer.alloc(48, 9).toString('base64') };
    expect(contextOf(compileTls(otherTicketKeys, {}, second), 'a.test')).not.toBe(ofA);
  });

  it('are bounded, the least recently used going first', () => {
    const runtime = compileTls(tlsSnapshot(fallback, [a, b]), {}, undefined, { maxContexts: 2 });
    const ofA = contextOf(runtime, 'a.test');
    const ofB = contextOf(runtime, 'b.test');
    contextOf(runtime, 'a.test');
    contextOf(runtime, 'unknown.test');
    expect(runtime.contexts.size).toBe(2);
    expect(contextOf(runtime, 'a.test')).toBe(ofA);
    expect(contextOf(runtime, 'b.test')).not.toBe(ofB);
  });

  it('of ten thousand certificates cost a reload nothing', () => {
    const many = Array.from({ length: 10_000 }, (_, i) => ({ ...a, fingerprint: `f${i}`, names: [`n${i}.test`] }));
    const first = compileTls(tlsSnapshot(fallback, many), {});
    contextOf(first, 'n77.test');
    const second = compileTls(structuredClone(tlsSnapshot(fallback, many)), {}, first);
    expect(second.contexts.size).toBe(1);
    expect(contextOf(second, 'n77.test')).toBe(contextOf(first, 'n77.test'));
  });
});

describe('options by host', () => {
  it('are per entry point, and conflicts are told', () => {
    const runtime = compileTls(tlsSnapshot(fallback, [a], tlsOptions('x@file'), tlsOptions('y@file')), {
      one: [
        { host: 'a.test', options: 'x@file' },
        { host: 'a.test', options: 'y@file' },
        { host: 'b.test', options: 'x@file' },
      ],
      two: [{ host: 'a.test', options: 'y@file' }],
    });
    expect(runtime.entryPoint('one').optionsNameForHost('a.test')).toBe('default');
    expect(runtime.entryPoint('one').optionsFor('b.test')).toBe('x@file');
    expect(runtime.entryPoint('two').optionsFor('a.test')).toBe('y@file');
    expect(runtime.entryPoint('three').optionsFor('a.test')).toBe('default');
    expect(runtime.problems).toEqual([{ entryPoint: 'one', host: 'a.test', options: ['x@file', 'y@file'] }]);
  });
});

describe('under sniStrict', () => {
  const strict = tlsOptions('default', { sniStrict: true });
  const select = (certificate: CertificateSnapshot, options = strict) =>
    compileTls(tlsSnapshot(fallback, [certificate], options), {}, undefined, { now: () => a.notAfter + 1 })
      .entryPoint('e')
      .select('a.test', () => undefined);

  it('an expired certificate of a resolver is as good as none; one from a file goes on being served', () => {
    const ordered = { ...a, origin: 'acme internal', resolver: 'internal' };
    expect(select(ordered)).toMatchObject({
      ok: false,
      reason: 'no-certificate',
      detail: 'sniStrict: only an expired certificate for a.test',
    });
    expect(select(a).ok).toBe(true);
    expect(select(ordered, tlsOptions('default')).ok).toBe(true);
  });
});
