import type { Command } from 'commander';
import type { ReloadVerdict } from '../control/reload.ts';
import { formatDiagnostic } from '../core/diagnostic.ts';
import { callProxy } from './client.ts';
import { EXIT } from './exit-code.ts';
import { type RemoteOptions, remote } from './options.ts';
import { print, printable } from './print.ts';

/** `proxy reload`: reads every file again, waits for the verdict, and says what changed. */
export function addReload(program: Command): void {
  remote(
    program
      .command('reload')
      .description(
        'read every file again (as SIGHUP does), wait for the verdict, and say what changed or what is wrong',
      ),
  ).action(async (options: RemoteOptions) => {
    const { ok, data } = await callProxy(options, 'reload');
    if (options.json) print(JSON.stringify(data));
    else printVerdict(data as unknown as ReloadVerdict & { readonly message?: string });
    process.exitCode = ok ? EXIT.fine : EXIT.refused;
  });
}

function printVerdict(verdict: ReloadVerdict & { readonly message?: string }): void {
  // A proxy that cannot do it at all (it stops) says so, and nothing else.
  if (verdict.changes === undefined) {
    console.error(`proxy: ${verdict.message}`);
    return;
  }
  for (const diagnostic of verdict.diagnostics) {
    if (diagnostic.severity !== 'info') console.error(printable(formatDiagnostic(diagnostic)));
  }
  const changed: string[] = [];
  for (const [kind, { added, changed: modified, removed }] of Object.entries(verdict.changes)) {
    for (const [sign, names] of [
      ['+', added],
      ['~', modified],
      ['-', removed],
    ] as const) {
      for (const name of names) changed.push(printable(`  ${sign} ${kind} ${name}`));
    }
  }
  const static_ = verdict.taken.map((setting) => `  ~ static ${setting}`);
  const lines = [...changed, ...static_];
  print(
    lines.length === 0
      ? `version ${verdict.version} is live: nothing changed (${verdict.took} ms)`
      : `version ${verdict.version} is live (${verdict.took} ms)\n${lines.join('\n')}`,
  );
  for (const setting of verdict.needsRestart) print(`  ! static ${setting} needs a restart of the proxy`);
  if (!verdict.ok) console.error(`proxy: ${verdict.message ?? 'the configuration has errors'}`);
}
