/** What became of a server's URL. */
export type CheckedServer =
  | { readonly ok: true; readonly warning?: string }
  | { readonly ok: false; readonly code: string; readonly message: string; readonly hint?: string };

const SCHEME = /^([a-z][a-z0-9+.-]*):\/\//i;

/** Checks the URL of a server: scheme, host, port. */
export function checkServerUrl(text: string): CheckedServer {
  const scheme = SCHEME.exec(text)?.[1]?.toLowerCase();
  if (scheme === undefined) {
    const hint = text === '' ? 'write for example http://10.0.0.141:8000' : `write http://${text.replace(/^\/+/, '')}`;
    return bad(`\`${text}\` is no URL: the scheme is missing`, hint);
  }
  if (scheme === 'h2c') {
    const message = `\`${text}\`: h2c (HTTP/2 without TLS) is not supported yet`;
    return { ok: false, code: 'not-implemented', message, hint: 'write http:// where the server speaks HTTP/1.1, too' };
  }
  if (scheme !== 'http' && scheme !== 'https') return bad(`\`${text}\`: the scheme must be http or https`);
  let url: URL;
  try {
    url = new URL(text);
  } catch {
    return bad(`\`${text}\` is no valid URL`, 'write for example http://10.0.0.141:8000');
  }
  if (url.port === '0') return bad(`\`${text}\`: port 0 cannot be connected to`);
  if (url.username !== '' || url.password !== '') {
    return { ok: true, warning: `the user and password in the URL of ${url.host} are not sent` };
  }
  return { ok: true };
}

function bad(message: string, hint?: string): CheckedServer {
  return { ok: false, code: 'bad-server-url', message, ...(hint === undefined ? {} : { hint }) };
}
