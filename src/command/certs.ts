import { chmodSync, mkdirSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Command } from 'commander';
import type { CertificateList, CertificateRow, ExportedCertificate } from '../control/acme-commands.ts';
import { outages, troubles, when } from './acme-progress.ts';
import { callProxy } from './client.ts';
import { EXIT } from './exit-code.ts';
import { CommandError } from './fail.ts';
import { type RemoteOptions, remote } from './options.ts';
import { print, printable, printJson } from './print.ts';
import { span } from './span.ts';
import { table } from './table.ts';

/** `proxy certs`: what certificates there are, when they are renewed, and what keeps them from it. */
export function addCerts(program: Command): void {
  const certs = program
    .command('certs')
    .description('certificates: list (what it does without a verb), renew, revoke, export');
  remote(
    certs
      .command('list', { isDefault: true })
      .description('names, issuer, expiry, next renewal and last error of every certificate'),
  ).action(async (options: RemoteOptions) => {
    const list = await call<CertificateList>(options, 'certs', {});
    if (options.json) printJson(list);
    else print(describeCertificates(list, Date.now()));
  });
  remote(
    certs
      .command('renew')
      .description('order a new certificate for a name now, and wait until it is served')
      .argument('<name>', 'a host that the certificate is for'),
  ).action(async (name: string, options: RemoteOptions) => {
    const list = await call<CertificateList>(options, 'certs-renew', { name });
    if (options.json) printJson(list);
    else {
      for (const { names, issuer, notAfter } of list.certificates) {
        print(printable(`renewed ${names.join(' ')}: from ${issuer}, valid for ${span((notAfter ?? 0) - Date.now())}`));
      }
    }
  });
  remote(
    certs
      .command('revoke')
      .description('revoke the certificate of a name at its authority; what is still wanted is ordered again')
      .argument('<name>', 'a host that the certificate is for'),
  ).action(async (name: string, options: RemoteOptions) => {
    const data = await call<{ readonly revoked: string }>(options, 'certs-revoke', { name });
    if (options.json) printJson(data);
    else print(printable(`revoked ${data.revoked}`));
  });
  remote(
    certs
      .command('export')
      .description('write the certificate with its chain to DIR/NAME.crt and its key to DIR/NAME.key')
      .argument('<name>', 'a host that the certificate is for')
      .requiredOption('--out <dir>', 'where to; made if it is not there'),
  ).action(async (name: string, options: RemoteOptions & { readonly out: string }) => {
    const found = await call<ExportedCertificate>(options, 'certs-export', { name });
    const files = write(options.out, found);
    if (options.json) printJson({ names: found.names, notAfter: found.notAfter, ...files });
    else print(`${files.cert}\n${files.key}`);
  });
}

async function call<T>(options: RemoteOptions, verb: string, args: object): Promise<T> {
  const { ok, data } = await callProxy(options, verb, args);
  if (!ok) throw new CommandError(EXIT.refused, printable(String(data.message)));
  return data as T;
}

/** Each file is there whole or not at all, and the key is never readable by others, not for a moment. */
function write(
  directory: string,
  { names, cert, key }: ExportedCertificate,
): { readonly cert: string; readonly key: string } {
  const base = (names[0] ?? 'certificate').replace('*', '_').replaceAll(':', '_');
  mkdirSync(directory, { recursive: true });
  const put = (name: string, text: string, mode: number): string => {
    const path = join(directory, name);
    const next = `${path}.${process.pid}`;
    writeFileSync(next, text, { mode });
    // An older file of that name may have had another mode, and so may the umask.
    chmodSync(next, mode);
    renameSync(next, path);
    return path;
  };
  return { cert: put(`${base}.crt`, cert, 0o644), key: put(`${base}.key`, key, 0o600) };
}

/** @param now milliseconds since the epoch */
export function describeCertificates({ certificates, resolvers }: CertificateList, now: number): string {
  const lines = table(
    ['NAMES', 'STATE', 'EXPIRES', 'NEXT', 'FROM', 'ISSUER'],
    certificates.map((row) => [
      // Its random name says nothing to anybody.
      row.from === 'generated' ? '(default)' : row.names.join(' '),
      row.state,
      row.notAfter === undefined
        ? '-'
        : row.notAfter < now
          ? `EXPIRED ${span(now - row.notAfter)} ago`
          : `in ${span(row.notAfter - now)}`,
      next(row, now),
      row.from,
      row.issuer?.replaceAll('\n', ', ') ?? '-',
    ]),
  );
  lines.push(...certificates.flatMap((row) => troubles(row, now)), ...resolvers.flatMap((one) => outages(one, now)));
  // Names, and what a CA says, come from others.
  return lines.map(printable).join('\n');
}

function next({ nextRenewal, nextAttempt }: CertificateRow, now: number): string {
  if (nextAttempt !== undefined) return `retry ${when(nextAttempt, now)}`;
  return nextRenewal === undefined ? '-' : `renewal ${when(nextRenewal, now)}`;
}
