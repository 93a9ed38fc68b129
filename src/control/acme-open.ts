import type { AcmeConfig, StaticConfig } from '../core/config/static.ts';
import { AcmeService, type AcmeServiceOptions } from './acme-service.ts';

/** The service for the resolvers of the configuration; null where none is one of ACME. */
export async function openAcme(
  { certificatesResolvers }: StaticConfig,
  options: Omit<AcmeServiceOptions, 'resolvers' | 'open'>,
): Promise<AcmeService | null> {
  const resolvers: Record<string, AcmeConfig> = {};
  for (const [name, { acme }] of Object.entries(certificatesResolvers)) if (acme !== undefined) resolvers[name] = acme;
  if (Object.keys(resolvers).length === 0) return null;
  // Read where it is needed alone: it brings an HTTP client and a parser of certificates.
  const { openAcmeManager } = await import('./acme/manager.ts');
  return AcmeService.open({ ...options, resolvers, open: openAcmeManager });
}
