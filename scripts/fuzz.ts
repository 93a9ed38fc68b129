/**
 * `npm run fuzz [-- --seed N] [--runs N] [--only requests|responses]`: the differential fuzzer, longer than in the suite and from
 * a seed of its own. What it finds is made short and becomes a corpus file under test/hardening/found/.
 */
import { spawnSync } from 'node:child_process';
import { randomInt } from 'node:crypto';
import { parseArgs } from 'node:util';

const { values } = parseArgs({
  options: { seed: { type: 'string' }, runs: { type: 'string' }, only: { type: 'string' } },
});
const seed = values.seed ?? String(randomInt(2 ** 32));
const runs = values.runs ?? '50000';
if (!/^\d+$/.test(seed) || !/^[1-9]\d*$/.test(runs)) {
  console.error('fuzz: --seed and --runs are whole numbers');
  process.exit(2);
}
if (values.only !== undefined && values.only !== 'requests' && values.only !== 'responses') {
  console.error(`fuzz: --only is requests or responses, not ${values.only}`);
  process.exit(2);
}
console.log(`fuzz: seed ${seed}, ${runs} streams each; again with: npm run fuzz -- --seed ${seed} --runs ${runs}`);
const file = `test/hardening/fuzz/${values.only ?? ''}`;
const { status } = spawnSync('vitest', ['run', file], {
  stdio: 'inherit',
  env: { ...process.env, FUZZ_SEED: seed, FUZZ_RUNS: runs, FUZZ_SAVE: '1' },
});
process.exit(status ?? 1);
