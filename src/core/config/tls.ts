import { z } from 'zod';
import { type DeepReadonly, fileOrContent, flag, strings, text } from './scalars.ts';

/** A certificate's names: the main one and the subject alternative names. */
export const domainSchema = z.strictObject({ main: text.exactOptional(), sans: strings.exactOptional() });
export type Domain = DeepReadonly<z.output<typeof domainSchema>>;

function needsKey({
  value,
  issues,
}: z.core.ParsePayload<{ readonly certFile: string; readonly keyFile?: string }>): void {
  if (value.keyFile !== undefined || /\.(?:p12|pfx)$/i.test(value.certFile)) return;
  issues.push({
    code: 'custom',
    path: ['keyFile'],
    message: '`keyFile` is missing',
    input: value,
    params: { code: 'missing-key' },
  });
}

/** Go's names of the TLS versions, as Traefik's files write them. */
export const tlsVersion = z.enum(['VersionTLS10', 'VersionTLS11', 'VersionTLS12', 'VersionTLS13']);
export type TlsVersion = z.output<typeof tlsVersion>;

const keyPairFields = {
  certFile: fileOrContent,
  /** Left out where `certFile` is PKCS#12 (`.p12`, `.pfx`), which holds the key as well. */
  keyFile: fileOrContent.exactOptional(),
  /** Ours: of a PKCS#12 file. */
  password: text.exactOptional(),
  /** Ours: a file whose first line is the password. */
  passwordFile: text.exactOptional(),
};

/** A certificate with its key; each a file path or PEM text. */
export const keyPairSchema = z.strictObject(keyPairFields).check(needsKey);
export type KeyPair = DeepReadonly<z.output<typeof keyPairSchema>>;

export const tlsCertificateSchema = z
  .strictObject({ ...keyPairFields, stores: strings.exactOptional() })
  .check(needsKey);
export type TlsCertificate = DeepReadonly<z.output<typeof tlsCertificateSchema>>;

export const clientAuthSchema = z.strictObject({
  caFiles: z.array(fileOrContent).default([]),
  clientAuthType: z
    .enum([
      'NoClientCert',
      'RequestClientCert',
      'RequireAnyClientCert',
      'VerifyClientCertIfGiven',
      'RequireAndVerifyClientCert',
    ])
    .exactOptional(),
});
export type ClientAuth = DeepReadonly<z.output<typeof clientAuthSchema>>;

export const tlsOptionsSchema = z.strictObject({
  minVersion: tlsVersion.default('VersionTLS12'),
  maxVersion: tlsVersion.exactOptional(),
  /** Go's names of the suites. */
  cipherSuites: strings.exactOptional(),
  curvePreferences: strings.exactOptional(),
  clientAuth: clientAuthSchema.exactOptional(),
  sniStrict: flag.default(false),
  alpnProtocols: strings.default(['h2', 'http/1.1', 'acme-tls/1']),
  disableSessionTickets: flag.default(false),
  /** Without effect since Traefik 3; kept so that old files load. */
  preferServerCipherSuites: flag.exactOptional(),
});
export type TlsOptions = DeepReadonly<z.output<typeof tlsOptionsSchema>>;

export const tlsStoreSchema = z.strictObject({
  defaultCertificate: keyPairSchema.exactOptional(),
  defaultGeneratedCert: z
    .strictObject({ resolver: text.exactOptional(), domain: domainSchema.exactOptional() })
    .exactOptional(),
});
export type TlsStore = DeepReadonly<z.output<typeof tlsStoreSchema>>;

export const tlsConfigSchema = z.strictObject({
  certificates: z.array(tlsCertificateSchema).default([]),
  options: z.record(z.string(), tlsOptionsSchema).default({}),
  stores: z.record(z.string(), tlsStoreSchema).default({}),
});
export type TlsConfig = DeepReadonly<z.output<typeof tlsConfigSchema>>;

/** TLS toward something else: a forwardAuth server, Redis. */
export const clientTlsSchema = z.strictObject({
  ca: fileOrContent.exactOptional(),
  cert: fileOrContent.exactOptional(),
  key: fileOrContent.exactOptional(),
  insecureSkipVerify: flag.default(false),
  /** Without effect since Traefik 3; kept so that old files load. */
  caOptional: flag.exactOptional(),
});
export type ClientTls = DeepReadonly<z.output<typeof clientTlsSchema>>;
