/**
 * `rerun-failed.ts REPORT`: what CI does when tests failed. A few files are run once more, by themselves: what fails again is
 * broken, and what does not is named as unstable, so that its cause is looked for. Many that fail are no noise of the machine.
 *
 * REPORT is what Vitest's JSON reporter wrote. Exit code 0 only if every file with a failure passed now.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { relative } from 'node:path';
import { z } from 'zod';

const MOST_FILES = 2;

const reportSchema = z.object({
  testResults: z.array(
    z.object({
      name: z.string(),
      status: z.string(),
      message: z.string(),
      assertionResults: z.array(z.object({ fullName: z.string(), status: z.string() })),
    }),
  ),
});

const path = process.argv[2];
if (path === undefined) give('name the report of the tests');
if (!existsSync(path)) give('no test ran: what failed stands above');
const { testResults } = reportSchema.parse(JSON.parse(readFileSync(path, 'utf8')));

const failed = testResults
  .filter(({ status }) => status !== 'passed')
  .map(({ name, message, assertionResults }) => ({
    file: relative('.', name),
    tests: assertionResults.filter(({ status }) => status === 'failed').map(({ fullName }) => fullName),
    message,
  }));
const names = failed.flatMap(({ file, tests, message }) =>
  tests.length === 0 ? [`${file}: ${message}`] : tests.map((test) => `${file}: ${test}`),
);

if (failed.length === 0) give('no test of the report failed: what did stands above');
if (failed.length > MOST_FILES) give(`${failed.length} files failed`);
console.log(`failed, and run once more:\n${names.join('\n')}`);
const { status } = spawnSync('vitest', ['run', ...failed.map(({ file }) => file)], { stdio: 'inherit' });
if (status !== 0) give('failed again');
console.log(`UNSTABLE: failed at first, and passed by themselves:\n${names.join('\n')}`);

/** Says why that was a failure, and ends. */
function give(why: string): never {
  console.error(`rerun-failed: ${why}`);
  process.exit(1);
}
