import { type Mapped, mapName } from './mapped.ts';

/** Go's constants and the names of the RFCs (8422, 8446 section 4.2.7, hybrids of draft-ietf-tls-ecdhe-mlkem), to OpenSSL's. */
const CURVES: ReadonlyMap<string, string> = new Map([
  ['CurveP256', 'P-256'],
  ['CurveP384', 'P-384'],
  ['CurveP521', 'P-521'],
  ['P256', 'P-256'],
  ['P384', 'P-384'],
  ['P521', 'P-521'],
  ['P-256', 'P-256'],
  ['P-384', 'P-384'],
  ['P-521', 'P-521'],
  ['secp256r1', 'P-256'],
  ['secp384r1', 'P-384'],
  ['secp521r1', 'P-521'],
  ['X25519', 'X25519'],
  ['CurveX25519', 'X25519'],
  ['X25519MLKEM768', 'X25519MLKEM768'],
  ['SecP256r1MLKEM768', 'SecP256r1MLKEM768'],
  ['SecP384r1MLKEM1024', 'SecP384r1MLKEM1024'],
]);

/** A curve of `curvePreferences` (`CurveP256`, `secp256r1`, `X25519MLKEM768`) to OpenSSL's name of the group. */
export function mapCurve(name: string): Mapped<string> {
  return mapName(CURVES, name, 'curve');
}
