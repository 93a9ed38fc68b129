import { Agent, get } from 'node:https';

/** A JSON object from an HTTPS server with a root of its own (PEM). */
export function fetchJson(url: string, ca: string): Promise<Record<string, unknown>> {
  return new Promise((resolve, reject) => {
    get(url, { agent: new Agent({ ca, keepAlive: false }), headers: { 'user-agent': 'test' } }, (response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (chunk) => {
        text += chunk;
      });
      response.on('end', () => resolve(JSON.parse(text)));
    }).on('error', reject);
  });
}
