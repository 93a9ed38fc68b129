import { json, type Routes, stream, words } from './respond.ts';

const MODEL = 'stand-in:latest';

/** Answers as Ollama does: streams are lines of JSON, and streaming is what it does unless told otherwise. */
export const OLLAMA_ROUTES: Routes = {
  'GET /': (response) => void response.writeHead(200, { 'Content-Type': 'text/plain' }).end('Ollama is running'),
  'GET /api/tags': (response) => json(response, { models: [{ name: MODEL, model: MODEL, size: 0 }] }),
  'POST /api/generate': (response, { stream: streamed }) => {
    const line = (text: string, done: boolean): object => ({ model: MODEL, response: text, done });
    const pieces = words('ollama');
    if (streamed === false) {
      json(response, line(pieces.join(''), true));
      return;
    }
    const lines = [...pieces.map((text) => line(text, false)), line('', true)];
    return stream(
      response,
      'application/x-ndjson',
      lines.map((one) => `${JSON.stringify(one)}\n`),
    );
  },
};
