/** The provider of everything that is built in. */
export const INTERNAL = 'internal';

/** The transport of services that name none; the static configuration's `serversTransport`. */
export const DEFAULT_TRANSPORT = 'default@internal';

/** `name@provider`; a name that has a provider keeps it. */
export function qualify(name: string, provider: string): string {
  return name.includes('@') ? name : `${name}@${provider}`;
}

/** The name without its provider, for suggestions where both are of one provider. */
export function shortName(qualified: string, provider: string): string {
  const suffix = `@${provider}`;
  return qualified.endsWith(suffix) ? qualified.slice(0, -suffix.length) : qualified;
}

/** Candidates for a suggestion, spelled as `written` is: with its provider, or as a reference from `provider` may leave it out. */
export function* spelledAs(written: string, provider: string, qualified: Iterable<string>): Iterable<string> {
  for (const name of qualified) yield written.includes('@') ? name : shortName(name, provider);
}

/** Traefik's `provider.Normalize`: letters and digits stay, what is between them becomes one hyphen. */
export function normalizeName(name: string): string {
  return name
    .split(/[^\p{L}\p{N}]+/u)
    .filter((part) => part !== '')
    .join('-');
}
