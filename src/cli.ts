#!/usr/bin/env node
import { holdSignals } from './command/held-signals.ts';
import { keepCompiled } from './compile-cache.ts';

const OLDEST_NODE = 24;

if (Number(process.versions.node.split('.')[0]) < OLDEST_NODE) {
  console.error(
    `proxy: Node.js ${process.versions.node} is too old, ${OLDEST_NODE} is needed: run "npm ci" in the package's directory`,
  );
  process.exit(1);
}

const args = process.argv.slice(2);
holdSignals(args);
keepCompiled(process.env);
// Behind the cache, so that it holds for all of these.
const { main } = await import('./command/program.ts');
await main(args);
