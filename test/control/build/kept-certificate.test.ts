import { describe, expect, it } from 'vitest';
import { buildSnapshot } from '../../../src/control/build/build-snapshot.ts';
import { makeCa } from '../../support/certs.ts';
import { inputOf, NOW } from './harness.ts';

const CONFIG = `
tls:
  certificates:
    - certFile: /ssl/a.crt
      keyFile: /ssl/a.key
`;

const DAY = 86_400_000;

describe('a certificate and its key that are replaced one after the other', () => {
  const ca = makeCa();
  const life = { notBefore: new Date(NOW - DAY), notAfter: new Date(NOW + DAY) };
  const old = ca.issue({ sans: ['a.test'], ...life });
  const renewed = ca.issue({ sans: ['a.test'], ...life });
  const first = buildSnapshot(
    inputOf(CONFIG, { referenced: { '/ssl/a.crt': old.cert, '/ssl/a.key': old.key } }),
  ).snapshot;
  const between = { referenced: { '/ssl/a.crt': renewed.cert, '/ssl/a.key': old.key } };

  it('are served as they were while they do not match, and it is said', () => {
    const { snapshot, diagnostics } = buildSnapshot({ ...inputOf(CONFIG, between), live: first });
    expect(snapshot.tls.certificates).toEqual(first.tls.certificates);
    expect(diagnostics.map(({ code }) => code)).toContain('certificate-kept');
  });

  it('are served anew when both are there', () => {
    const both = { referenced: { '/ssl/a.crt': renewed.cert, '/ssl/a.key': renewed.key } };
    const { snapshot } = buildSnapshot({ ...inputOf(CONFIG, both), live: first });
    expect(snapshot.tls.certificates[0]!.fingerprint).not.toBe(first.tls.certificates[0]!.fingerprint);
  });

  it('are not kept when the configuration no longer names them', () => {
    expect(buildSnapshot({ ...inputOf('http:', between), live: first }).snapshot.tls.certificates).toEqual([]);
  });

  it('are not served at the start', () => {
    expect(buildSnapshot(inputOf(CONFIG, between)).snapshot.tls.certificates).toEqual([]);
  });
});
