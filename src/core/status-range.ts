/** Compiles statuses as Traefik writes them, `503` or `500-599`, to a question. */
export function statusMatcher(ranges: readonly string[]): (status: number) => boolean {
  const bounds = ranges.map((range) => {
    const [from = '', to = from] = range.split('-');
    return { from: Number(from), to: Number(to) };
  });
  return (status) => bounds.some(({ from, to }) => status >= from && status <= to);
}
