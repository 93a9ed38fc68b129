import { parseAddress } from './address.ts';
import type { Report } from './check-report.ts';
import { checkResolvers } from './check-resolvers.ts';
import type { Path } from './paths.ts';
import type { EntryPoint, StaticConfig } from './static.ts';
import { suggest } from './suggest.ts';

/** Checks what the schema cannot: that the parts of a static configuration fit each other. */
export function checkStatic(config: StaticConfig, report: Report): void {
  checkAddresses(config.entryPoints, report);
  checkRedirections(config.entryPoints, report);
  checkFileProvider(config, report);
  checkStorages(config, report);
  checkResolvers(config, report);
  const { ping } = config;
  if (ping !== undefined && !ping.manualRouting && !Object.hasOwn(config.entryPoints, ping.entryPoint)) {
    unknownEntryPoint(config.entryPoints, ['ping', 'entryPoint'], ping.entryPoint, report);
  }
}

function checkAddresses(entryPoints: Readonly<Record<string, EntryPoint>>, report: Report): void {
  const taken = new Map<string, string>();
  for (const [name, entryPoint] of Object.entries(entryPoints)) {
    const path = ['entryPoints', name, 'address'];
    const address = parseAddress(entryPoint.address);
    if (typeof address === 'string') {
      report('error', 'bad-address', path, address);
      continue;
    }
    if (address.protocol === 'udp') {
      report('warning', 'not-acted-on', path, `the entry point \`${name}\` is for UDP: accepted but not acted on yet`);
    }
    const key = `${address.host} ${address.port}/${address.protocol}`;
    const other = taken.get(key);
    if (other !== undefined && address.port !== 0) {
      report(
        'error',
        'address-taken',
        path,
        `the entry points \`${other}\` and \`${name}\` have the same address ${entryPoint.address}`,
      );
    }
    taken.set(key, name);
  }
}

function checkRedirections(entryPoints: Readonly<Record<string, EntryPoint>>, report: Report): void {
  for (const [name, { http }] of Object.entries(entryPoints)) {
    const to = http.redirections?.entryPoint?.to;
    if (to === undefined || /^:\d{1,5}$/.test(to) || Object.hasOwn(entryPoints, to)) continue;
    unknownEntryPoint(entryPoints, ['entryPoints', name, 'http', 'redirections', 'entryPoint', 'to'], to, report);
  }
}

function unknownEntryPoint(entryPoints: object, path: Path, name: string, report: Report): void {
  const names = Object.keys(entryPoints);
  const near = suggest(name, names);
  report(
    'error',
    'unknown-entry-point',
    path,
    `there is no entry point \`${name}\``,
    near === undefined ? `there are: ${names.join(', ')}` : `did you mean \`${near}\`?`,
  );
}

function checkFileProvider({ providers }: StaticConfig, report: Report): void {
  const { file } = providers;
  if (file === undefined) {
    report(
      'warning',
      'no-provider',
      ['providers'],
      'no file provider is configured: nothing will be routed',
      'set providers.file.directory',
    );
  } else if (file.directory !== undefined && file.filename !== undefined) {
    report(
      'warning',
      'directory-wins',
      ['providers', 'file', 'filename'],
      `both directory and filename are given: the directory ${file.directory} is read, the file name is not looked at`,
      'remove one of the two',
    );
  } else if (file.directory === undefined && file.filename === undefined) {
    report(
      'error',
      'missing-key',
      ['providers', 'file'],
      'the file provider has neither directory nor filename',
      'set providers.file.directory',
    );
  }
}

function checkStorages({ certificatesResolvers }: StaticConfig, report: Report): void {
  const users = new Map<string, string>();
  for (const [name, { acme }] of Object.entries(certificatesResolvers)) {
    if (acme === undefined) continue;
    const other = users.get(acme.storage);
    if (other === undefined) users.set(acme.storage, name);
    else {
      report(
        'info',
        'shared-storage',
        ['certificatesResolvers', name, 'acme', 'storage'],
        `the resolvers \`${other}\` and \`${name}\` share the storage ${acme.storage}: each keeps its own account and certificates in it`,
        'removing the file loses both, and is never needed: `proxy certs renew NAME`',
      );
    }
  }
}
