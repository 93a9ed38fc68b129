import { z } from 'zod';
import { type DeepReadonly, durationOr, emptyObject, flag, integer, strings, text } from './scalars.ts';

/** The values of `dnsChallenge.provider` that are there. */
export const DNS_PROVIDERS: readonly string[] = ['exec', 'rfc2136'];

export const acmeSchema = z.strictObject({
  email: text.exactOptional(),
  caServer: text.default('https://acme-v02.api.letsencrypt.org/directory'),
  preferredChain: text.exactOptional(),
  profile: text.exactOptional(),
  emailAddresses: strings.exactOptional(),
  disableCommonName: flag.default(false),
  /** Path of the file that keeps account and certificates. */
  storage: text.default('acme.json'),
  /** Of the certificates. Traefik: RSA4096, whose handshakes cost a server some thirty times as much. */
  keyType: z.enum(['EC256', 'EC384', 'RSA2048', 'RSA4096', 'RSA8192']).default('EC256'),
  eab: z.strictObject({ kid: text.exactOptional(), hmacEncoded: text.exactOptional() }).exactOptional(),
  /** Hours. Needless: a certificate's own dates say when it is renewed. */
  certificatesDuration: integer.default(2160),
  clientTimeout: durationOr(120_000),
  clientResponseHeaderTimeout: durationOr(30_000),
  certificateTimeout: durationOr(30_000),
  caCertificates: strings.default([]),
  caSystemCertPool: flag.default(false),
  /** The name that the CA's certificate must have, where it is not the one in `caServer`. */
  caServerName: text.exactOptional(),
  /** Ours: the SHA-256 of the CA's root certificate, in hexadecimal. The root is then fetched from step-ca itself. */
  caFingerprint: z
    .string()
    .transform((value) => value.replaceAll(':', '').toLowerCase())
    .refine(
      (value) => /^[0-9a-f]{64}$/.test(value),
      'must be 64 hexadecimal digits: step certificate fingerprint root_ca.crt',
    )
    .exactOptional(),
  /** Ours: the address (`host` or `host:port`) to connect to, whatever the name in `caServer` resolves to. */
  caAddress: text.exactOptional(),
  dnsChallenge: z
    .strictObject({
      provider: text.exactOptional(),
      resolvers: strings.exactOptional(),
      propagation: z
        .strictObject({
          disableChecks: flag.default(false),
          disableANSChecks: flag.default(false),
          requireAllRNS: flag.default(false),
          delayBeforeChecks: durationOr(0),
        })
        .exactOptional(),
      delayBeforeCheck: durationOr(0),
      disablePropagationCheck: flag.default(false),
    })
    .exactOptional(),
  httpChallenge: z.strictObject({ entryPoint: text.exactOptional(), delay: durationOr(0) }).exactOptional(),
  tlsChallenge: z.strictObject({ delay: durationOr(0) }).exactOptional(),
});
export type AcmeConfig = DeepReadonly<z.output<typeof acmeSchema>>;

export const certificatesResolverSchema = z.strictObject({
  acme: acmeSchema.exactOptional(),
  tailscale: emptyObject.exactOptional(),
});
export type CertificatesResolver = DeepReadonly<z.output<typeof certificatesResolverSchema>>;
