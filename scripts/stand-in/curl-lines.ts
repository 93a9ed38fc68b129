const DOMAIN = 'internal.thinkheads.ai';

/** Where the entry points are. */
export interface Ports {
  readonly web: number;
  readonly websecure: number;
}

/** A command to try, and what it shows. */
export interface CurlLine {
  readonly says: string;
  readonly command: string;
}

/**
 * Commands that work as pasted into a shell, one for each row of the routing table. `--resolve` stands for DNS; `-k` is
 * for the generated certificate, which nobody signed.
 *
 * @param root PEM file of the root of a CA that has signed the certificates
 */
export function curlLines({ web, websecure }: Ports, root?: string): CurlLine[] {
  const trust = root === undefined ? 'k' : '';
  const secure = (name: string, path: string, options = '', flags = ''): string => {
    const host = `${name}.${DOMAIN}`;
    const more = options === '' ? '' : ` ${options}`;
    const ca = root === undefined ? '' : ` --cacert ${root}`;
    return `curl -${flags}s${trust}${ca} --resolve ${host}:${websecure}:127.0.0.1${more} https://${host}:${websecure}${path}`;
  };
  const post = (body: object): string => `-H 'Content-Type: application/json' -d '${JSON.stringify(body)}'`;
  const ollama = `ollama.${DOMAIN}`;
  return [
    { says: "the proxy's own API", command: secure('traefik', '/api/version') },
    {
      says: 'an embedding',
      command: secure('granite-embedding', '/v1/embeddings', post({ model: 'granite-embedding', input: 'hello' })),
    },
    { says: 'the models of a backend', command: secure('granite-3b', '/v1/models') },
    {
      says: 'a chat, streamed as Server-Sent Events: watch the words come one by one',
      command: secure(
        'granite-3b',
        '/v1/chat/completions',
        post({ model: 'granite-3b', stream: true, messages: [{ role: 'user', content: 'hello' }] }),
        'N',
      ),
    },
    {
      says: 'Ollama, streamed as lines of JSON',
      command: secure('ollama', '/api/generate', post({ model: 'stand-in', prompt: 'hello' }), 'N'),
    },
    { says: 'llama.cpp', command: secure('llamacpp', '/health') },
    {
      says: 'plain HTTP is redirected to HTTPS',
      command: `curl -si --resolve ${ollama}:${web}:127.0.0.1 http://${ollama}:${web}/api/tags`,
    },
    ...(root === undefined
      ? []
      : [
          {
            says: 'the certificate with its chain, from the step-ca of this machine',
            command: `openssl s_client -connect 127.0.0.1:${websecure} -servername ${ollama} -CAfile ${root} -showcerts </dev/null`,
          },
        ]),
  ];
}
