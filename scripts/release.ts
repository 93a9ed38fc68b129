import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  copyFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { VERSION } from '../src/version.ts';

/*
 * `npm run release`: release/phoenix-proxy-VERSION-linux-ARCH.tar.gz, which runs on a machine that has neither npm nor Node.
 *
 *   compile ─► gather ─► tar (sorted, one owner, one time) ─► unpack ─► bin/proxy --version ─► release/
 *
 * The dependencies are those of node_modules, which `npm ci` put there by the lockfile.
 */

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const SHIPPED = ['bin', 'config', 'docs', 'README.md', 'SECURITY.md', 'LICENSE', 'package.json', 'package-lock.json'];
/** Of the pinned Node: what compiles native modules, manuals, and a history of half a megabyte. */
const LEFT_OUT = /\/node-linux-[a-z0-9]+\/(include|share|CHANGELOG\.md|README\.md)$/;
/** When the sources say nothing of their time (no git): any fixed one makes the same archive twice. */
const SOME_TIME = '1735689600';

function main(): void {
  const name = `phoenix-proxy-${VERSION}`;
  const archive = `${name}-linux-${process.arch}.tar.gz`;
  const work = mkdtempSync(join(tmpdir(), 'phoenix-release-'));
  try {
    const root = join(work, name);
    mkdirSync(root);
    run('node_modules/.bin/tsc', ['-p', 'tsconfig.build.json', '--outDir', join(root, 'dist')]);
    for (const part of SHIPPED) cpSync(join(ROOT, part), join(root, part), { recursive: true });
    gatherDependencies(root);
    gatherLibraries(root);
    writeIdentity(root);
    pack(work, name, archive);
    check(work, name, archive);
    mkdirSync(join(ROOT, 'release'), { recursive: true });
    const out = join(ROOT, 'release', archive);
    cpSync(join(work, archive), `${out}.new`);
    renameSync(`${out}.new`, out);
    const megabytes = (statSync(out).size / 1e6).toFixed(1);
    console.log(`release/${archive}: ${megabytes} MB, unpacked and started`);
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

/** Copies what `dependencies` and the platform's pinned Node need, and nothing of the development's. */
function gatherDependencies(root: string): void {
  const listed = run('npm', ['ls', '--all', '--omit=dev', '--parseable']).split('\n');
  const packages = listed.filter((path) => path.includes('/node_modules/'));
  for (const path of packages) {
    const to = join(root, relative(ROOT, path));
    if (existsSync(to)) continue;
    mkdirSync(dirname(to), { recursive: true });
    cpSync(path, to, { recursive: true, filter: (source) => !LEFT_OUT.test(source) });
  }
  const node = `node-linux-${process.arch}`;
  if (!packages.some((path) => basename(path) === node))
    throw new Error(`node_modules/${node} is missing, which is the pinned Node: run npm ci without --omit=optional`);
}

/** Node is linked to a library of the compiler that a minimal Debian does not have. The launcher uses it only where it is needed. */
function gatherLibraries(root: string): void {
  const linked = run('ldd', [join(root, 'node_modules', `node-linux-${process.arch}`, 'bin/node')]);
  const found = /libatomic\.so\.1 => (\S+)/.exec(linked)?.[1];
  if (found === undefined) return;
  mkdirSync(join(root, 'lib'));
  copyFileSync(found, join(root, 'lib/libatomic.so.1'));
  writeFileSync(
    join(root, 'lib/NOTICE'),
    [
      'libatomic.so.1 is part of GCC, copyright Free Software Foundation, under the GPL version 3 or later with the',
      'GCC Runtime Library Exception. It is the file of the Debian package libatomic1, whose source is gcc:',
      'https://packages.debian.org/source/stable/gcc-defaults',
      '',
    ].join('\n'),
  );
}

/** A digest of everything, by which an installer knows that it has been there. */
function writeIdentity(root: string): void {
  const hash = createHash('sha256');
  const files = readdirSync(root, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  for (const path of files.map((entry) => join(entry.parentPath, entry.name)).sort()) {
    hash.update(`${relative(root, path)}\n`).update(readFileSync(path));
  }
  writeFileSync(join(root, 'RELEASE'), `${VERSION} linux-${process.arch} ${hash.digest('hex')}\n`);
}

function pack(work: string, name: string, archive: string): void {
  const time = process.env.SOURCE_DATE_EPOCH ?? commitTime() ?? SOME_TIME;
  run('tar', [
    '--create',
    '--use-compress-program=gzip -n',
    `--file=${join(work, archive)}`,
    `--directory=${work}`,
    '--sort=name',
    `--mtime=@${time}`,
    '--owner=0',
    '--group=0',
    '--numeric-owner',
    '--mode=u+rwX,go+rX,go-w',
    '--format=gnu',
    name,
  ]);
}

/** Starts the command of an unpacked copy, far from this directory and with no other Node within reach. */
function check(work: string, name: string, archive: string): void {
  const copy = join(work, 'unpacked');
  mkdirSync(copy);
  run('tar', ['--extract', `--file=${join(work, archive)}`, `--directory=${copy}`]);
  const said = execFileSync(join(copy, name, 'bin/proxy'), ['--version'], {
    cwd: '/',
    env: { PATH: '/usr/bin:/bin' },
    encoding: 'utf8',
  }).trim();
  if (said !== VERSION) throw new Error(`the unpacked command says it is version ${said}, not ${VERSION}`);
  const stray = readdirSync(join(copy, name)).filter(
    (part) => ![...SHIPPED, 'RELEASE', 'dist', 'lib', 'node_modules'].includes(part),
  );
  if (stray.length > 0) throw new Error(`the archive holds what nobody asked for: ${stray.join(', ')}`);
}

function commitTime(): string | null {
  try {
    return execFileSync('git', ['log', '-1', '--format=%ct'], { cwd: ROOT, encoding: 'utf8', stdio: 'pipe' }).trim();
  } catch {
    return null;
  }
}

function run(command: string, args: readonly string[]): string {
  return execFileSync(command, [...args], { cwd: ROOT, encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] });
}

try {
  main();
} catch (error) {
  console.error(`npm run release: ${error instanceof Error ? error.message : String(error)}`);
  process.exitCode = 1;
}
