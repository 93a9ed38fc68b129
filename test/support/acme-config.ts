import { type AcmeConfig, staticConfigSchema } from '../../src/core/config/static.ts';

/** What a resolver's settings are after their defaults. */
export function acmeConfig(acme: Record<string, unknown>): AcmeConfig {
  const { certificatesResolvers } = staticConfigSchema.parse({ certificatesResolvers: { r: { acme } } });
  const config = certificatesResolvers.r?.acme;
  if (config === undefined) throw new Error('no acme');
  return config;
}
