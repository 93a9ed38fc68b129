/** An address as people write it: `::ffff:192.0.2.1` is how a dual-stack listener writes 192.0.2.1. Null stays unknown. */
export function plainAddress(address: string | undefined): string | null {
  if (address === undefined) return null;
  return address.startsWith('::ffff:') && address.includes('.') ? address.slice(7) : address;
}
