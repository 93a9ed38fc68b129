/**
 * `npm run audit`: fails where a dependency has a known weakness of moderate severity or worse. A registry that answers no such
 * question (mirrors do not) is said loudly, and is no failure: nothing is known then, good or bad.
 */
import { spawnSync } from 'node:child_process';

interface Report {
  readonly error?: { readonly summary?: string; readonly detail?: string };
  readonly message?: string;
  readonly metadata?: { readonly vulnerabilities: Readonly<Record<string, number>> };
}

const { stdout, status } = spawnSync('npm', ['audit', '--audit-level=moderate', '--json'], { encoding: 'utf8' });
const report = parse(stdout);
const counts = report?.metadata?.vulnerabilities;
if (counts === undefined) {
  const why = report?.error?.summary || report?.error?.detail || report?.message || 'no report';
  console.error('!'.repeat(78));
  console.error('!! NOT AUDITED: the registry does not answer npm audit. Whether a dependency has');
  console.error('!! a known weakness is not known. Run `npm run audit` where it does.');
  console.error(`!! ${why}`);
  console.error('!'.repeat(78));
  process.exit(0);
}
const found = Object.entries(counts).filter(([severity, count]) => severity !== 'total' && count > 0);
console.log(`audit: ${found.map(([severity, count]) => `${count} ${severity}`).join(', ') || 'nothing known'}`);
if (status !== 0) spawnSync('npm', ['audit', '--audit-level=moderate'], { stdio: 'inherit' });
process.exit(status === 0 ? 0 : 1);

function parse(text: string): Report | null {
  try {
    return JSON.parse(text) as Report;
  } catch {
    return null;
  }
}
