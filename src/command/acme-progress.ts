import type { AcmeResolverStatus } from '../control/acme/types.ts';
import type { AcmeProgress, CertificateRow } from '../control/acme-commands.ts';
import { span } from './span.ts';

/** A status is to be read at a glance. */
const MAX_OPEN = 10;

/** Lines for `proxy status`: how far certificates by ACME are, and why not further. */
export function describeProgress({ states, open, resolvers }: AcmeProgress, now: number): string[] {
  const counts = Object.entries(states).map(([state, count]) => `${count} ${state}`);
  return [
    `ACME: ${counts.length === 0 ? 'nothing is wanted' : counts.join(', ')}`,
    ...open
      .slice(0, MAX_OPEN)
      .flatMap((row) => [
        `  ${row.names.join(' ')} (${row.from}): ${row.state}${retry(row, now)}`,
        ...troubles(row, now).map((line) => `    ${line}`),
      ]),
    ...(open.length > MAX_OPEN ? [`  … and ${open.length - MAX_OPEN} more: proxy certs`] : []),
    ...resolvers.flatMap((one) => outages(one, now)).map((line) => `  ${line}`),
  ];
}

/** What is worth a line of its own about one certificate. */
export function troubles(row: CertificateRow, now: number): string[] {
  const name = row.names[0];
  const lines: string[] = [];
  if (row.progress !== undefined) lines.push(`${name}: ${row.progress}`);
  if (row.lastError !== undefined) {
    const ago = row.lastErrorAt === undefined ? '' : ` ${span(now - row.lastErrorAt)} ago`;
    const count = row.failures === undefined || row.failures < 2 ? '' : ` (${row.failures} times in a row)`;
    lines.push(`${name}: failed${ago}${count}: ${row.lastError}`);
  }
  if (row.stored === false && row.notAfter !== undefined)
    lines.push(`${name}: served from memory alone, it could not be stored`);
  return lines;
}

export function outages({ resolver, caServer, outage, storageError }: AcmeResolverStatus, now: number): string[] {
  const lines: string[] = [];
  if (outage !== undefined) {
    const { since, error, nextAttempt } = outage;
    lines.push(
      `${resolver}: ${caServer} not reached for ${span(now - since)}, tried again ${when(nextAttempt, now)}: ${error}`,
    );
  }
  if (storageError !== undefined) lines.push(`${resolver}: ${storageError}`);
  return lines;
}

/** `in 5m`, or `now`. */
export function when(at: number, now: number): string {
  return at <= now ? 'now' : `in ${span(at - now)}`;
}

function retry({ nextAttempt }: CertificateRow, now: number): string {
  return nextAttempt === undefined ? '' : `, tried again ${when(nextAttempt, now)}`;
}
