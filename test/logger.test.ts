import { spawnSync } from 'node:child_process';
import { chmodSync, existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { formatLine } from '../src/log-line.ts';
import { createLogger, type Logger, type LoggerSettings } from '../src/logger.ts';
import { tempDir } from './support/temp.ts';

const LOGGER = new URL('../src/logger.ts', import.meta.url).href;

/** Logs into a file, and returns what stands there after close(). */
async function logged(
  settings: Pick<LoggerSettings, 'level' | 'format'>,
  write: (log: Logger) => void,
): Promise<string> {
  await using dir = await tempDir();
  const filePath = join(dir.path, 'proxy.log');
  const log = createLogger({ ...settings, filePath });
  write(log);
  await new Promise<void>((resolve) => log.close(resolve));
  return readFileSync(filePath, 'utf8');
}

describe('the log', () => {
  it('writes JSON with the level as text, the time and the fields', async () => {
    const text = await logged({ level: 'DEBUG', format: 'json' }, (log) => {
      log.info('listening %s', { entryPoint: 'web', port: 80 });
      log.debug('second');
    });
    const [first, second] = text
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line));
    expect(first).toEqual({
      level: 'info',
      time: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/),
      message: 'listening %s',
      entryPoint: 'web',
      port: 80,
    });
    expect(second).toMatchObject({ level: 'debug', message: 'second' });
  });

  it('writes one readable line in the common format', async () => {
    const text = await logged({ level: 'INFO', format: 'common' }, (log) => {
      log.warn('file skipped', { file: '/etc/a b.yml', lines: 3, list: ['a'] });
    });
    expect(text).toMatch(
      /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ WRN file skipped file="\/etc\/a b.yml" lines=3 list="\[\\"a\\"\]"\n$/,
    );
  });

  it.each([
    ['TRACE', ['trace', 'debug', 'info', 'warn', 'error']],
    ['INFO', ['info', 'warn', 'error']],
    ['ERROR', ['error']],
    ['FATAL', []],
    ['PANIC', []],
  ] as const)('at level %s writes %j', async (level, expected) => {
    const text = await logged({ level, format: 'json' }, (log) => {
      for (const name of ['trace', 'debug', 'info', 'warn', 'error'] as const) log[name](name);
    });
    expect(
      text
        .split('\n')
        .filter(Boolean)
        .map((line) => JSON.parse(line).message),
    ).toEqual(expected);
  });

  it('shows errors with their stack, and says no key twice', async () => {
    const text = await logged({ level: 'INFO', format: 'json' }, (log) => {
      log.error('failed', { error: new Error('boom'), level: 7, time: 'x', message: 'y' });
    });
    expect(JSON.parse(text)).toMatchObject({
      level: 'error',
      message: 'failed',
      error: expect.stringMatching(/^Error: boom\n/),
      level_: 7,
      time_: 'x',
      message_: 'y',
    });
  });

  it('lets no text pose as a line or move the cursor', () => {
    const json = JSON.stringify({
      level: 'info',
      time: '2026-11-23T09:00:00.000Z',
      message: 'a\n2026 ERR b\x1b[2J\x9b',
      k: 'c\nd',
    });
    expect(formatLine(json, false)).toBe('2026-11-23T09:00:00Z INF a\n    2026 ERR b\\u001b[2J\\u009b k="c\\nd"\n');
  });

  it('goes on in a new file after a rotation', async () => {
    await using dir = await tempDir();
    const filePath = join(dir.path, 'proxy.log');
    const log = createLogger({ level: 'INFO', format: 'json', filePath });
    log.info('before');
    log.flush();
    renameSync(filePath, `${filePath}.1`);
    log.reopen();
    log.info('after');
    await new Promise<void>((resolve) => log.close(resolve));
    expect(readFileSync(`${filePath}.1`, 'utf8')).toContain('before');
    expect(readFileSync(filePath, 'utf8')).toContain('after');
  });

  it('keeps the old file, and says so, where the new one cannot be opened', async () => {
    await using dir = await tempDir();
    const filePath = join(dir.path, 'a', 'proxy.log');
    const log = createLogger({ level: 'INFO', format: 'json', filePath });
    log.flush();
    renameSync(join(dir.path, 'a'), join(dir.path, 'b'));
    writeFileSync(join(dir.path, 'a'), 'no directory');
    log.reopen();
    log.info('still here');
    await new Promise<void>((resolve) => log.close(resolve));
    const text = readFileSync(join(dir.path, 'b', 'proxy.log'), 'utf8');
    expect(text).toMatch(/not reopened, the old file stays in use: .*is not a directory/);
    expect(text).toContain('still here');
  });

  it('names the path and what to do where the file cannot be written', async () => {
    await using dir = await tempDir();
    writeFileSync(join(dir.path, 'file'), '');
    const inFile = join(dir.path, 'file', 'proxy.log');
    expect(() => createLogger({ level: 'INFO', format: 'json', filePath: inFile })).toThrow(
      `log.filePath: cannot write to ${inFile}: ${join(dir.path, 'file')} is not a directory; change log.filePath`,
    );
    expect(() => createLogger({ level: 'INFO', format: 'json', filePath: dir.path })).toThrow('it is a directory');
    if (process.getuid?.() !== 0) {
      chmodSync(dir.path, 0o500);
      expect(() => createLogger({ level: 'INFO', format: 'json', filePath: join(dir.path, 'x') })).toThrow(
        'permission denied',
      );
    }
  });

  it('loses no last word when the process exits, and colours nothing that is no terminal', () => {
    const script = `import { createLogger } from ${JSON.stringify(LOGGER)};
      const log = createLogger({ level: 'INFO', format: 'common' });
      for (let i = 0; i < 100; i++) log.info('word ' + i);
      log.flush();
      process.exit(3);`;
    const { stdout, status } = spawnSync(process.execPath, ['--input-type=module', '-e', script], { encoding: 'utf8' });
    expect(status).toBe(3);
    expect(stdout).toContain('INF word 99\n');
    expect(stdout).not.toContain('\x1b');
  });

  it.runIf(existsSync('/dev/full'))('complains on standard error when its destination is full, and goes on', () => {
    const script = `import { createLogger } from ${JSON.stringify(LOGGER)};
      const log = createLogger({ level: 'INFO', format: 'json', filePath: '/dev/full' });
      for (let i = 0; i < 10; i++) log.info('word');
      log.close(() => { console.log('closed'); process.exit(0); });`;
    const { stdout, stderr } = spawnSync(process.execPath, ['--input-type=module', '-e', script], { encoding: 'utf8' });
    expect(stdout).toBe('closed\n');
    expect(stderr.match(/the log: \d+ lines? (was|were) lost: ENOSPC/g)).toHaveLength(1);
  });
});
