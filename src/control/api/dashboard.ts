import { formatDiagnostic } from '../../core/diagnostic.ts';
import type { Status } from '../../core/snapshot.ts';
import { type Answer, html, type InternalRequest, plainText, refuseMethod } from './answer.ts';
import { maskText } from './redact.ts';
import type { ApiState } from './state.ts';
import { typeOf } from './views.ts';

/** Rows of one table; the API has them all. */
const MAX_ROWS = 1_000;

/** `dashboard@internal`: one plain page, without assets of its own. */
export function dashboard(request: InternalRequest, state: ApiState): Answer {
  const refused = refuseMethod(request.method);
  if (refused !== null) return refused;
  if (!['', '/', '/dashboard', '/dashboard/'].includes(request.path)) return plainText(404, '404 page not found\n');
  return dashboardPage(state);
}

/** From `/` or `/dashboard` to the page. Relative, so that it holds below any prefix that the client knows of. */
export const toDashboard: Answer = {
  status: 302,
  headers: { Location: 'dashboard/', 'Content-Type': 'text/plain; charset=utf-8' },
  body: 'See dashboard/\n',
};

/** The page: what is routed where, and what is wrong. */
export function dashboardPage(state: ApiState): Answer {
  const { snapshot, diagnostics } = state;
  const routers = Object.values(snapshot.http.routers).map((router) => [
    mark(router.status),
    escapeHtml(router.name),
    `<code>${escapeHtml(router.rule)}</code>`,
    escapeHtml(router.entryPoints.join(', ')),
    escapeHtml(router.service),
    lines(router.errors),
  ]);
  const services = Object.values(snapshot.http.services).map((service) => [
    mark(service.status),
    escapeHtml(service.name),
    escapeHtml(service.kind === 'internal' ? 'internal' : typeOf(service)),
    (service.config.loadBalancer?.servers ?? [])
      .map(({ url }) => `<code>${escapeHtml(maskText(url))}</code> ${state.serverStatus?.(service.name, url) ?? 'UP'}`)
      .join('<br>'),
    lines(service.errors),
  ]);
  const findings = diagnostics.map((diagnostic) => [escapeHtml(maskText(formatDiagnostic(diagnostic)))]);
  return html(`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>phoenix-proxy</title>
<style>${STYLE}</style>
</head>
<body>
<h1>phoenix-proxy ${escapeHtml(state.version)}</h1>
<p>Configuration ${snapshot.version} of ${time(new Date(snapshot.createdAt))}, running since ${time(state.startedAt)}${
    state.draining ? ', <strong>shutting down</strong>' : ''
  }.</p>
${table('Findings', ['What and where'], findings)}
${table('Routers', ['Status', 'Name', 'Rule', 'Entry points', 'Service', 'Problems'], routers)}
${table('Services', ['Status', 'Name', 'Type', 'Servers', 'Problems'], services)}
</body>
</html>
`);
}

const STYLE = `
:root { color-scheme: light dark; font: 15px/1.4 system-ui, sans-serif; }
body { margin: 2rem auto; max-width: 80rem; padding: 0 1rem; }
table { border-collapse: collapse; width: 100%; }
th, td { text-align: left; vertical-align: top; padding: .3rem .6rem; border-bottom: 1px solid #8884; overflow-wrap: anywhere; }
.enabled { color: #2a8a3e; } .warning { color: #b07800; } .disabled { color: #c8312b; font-weight: bold; }
`;

function table(title: string, columns: readonly string[], rows: readonly (readonly string[])[]): string {
  const heading = `<h2>${title} (${rows.length})</h2>`;
  if (rows.length === 0) return `${heading}<p>None.</p>`;
  const shown = rows.slice(0, MAX_ROWS).map((cells) => `<tr>${cells.map((cell) => `<td>${cell}</td>`).join('')}</tr>`);
  const more = rows.length > MAX_ROWS ? `<p>And ${rows.length - MAX_ROWS} more: ask the API.</p>` : '';
  const head = columns.map((column) => `<th>${column}</th>`).join('');
  return `${heading}<table><thead><tr>${head}</tr></thead><tbody>\n${shown.join('\n')}\n</tbody></table>${more}`;
}

function mark(status: Status): string {
  return `<span class="${status}">${status}</span>`;
}

function lines(errors: readonly string[]): string {
  return errors.map((error) => escapeHtml(maskText(error))).join('<br>');
}

function time(date: Date): string {
  return `${date.toISOString().slice(0, 19)}Z`;
}

const ENTITIES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};

/** For text and for quoted attribute values. */
export function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (c) => ENTITIES[c]!);
}
