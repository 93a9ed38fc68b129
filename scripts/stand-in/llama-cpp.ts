import { event, json, type Routes, stream, words } from './respond.ts';

/** Answers as the server of llama.cpp does. */
export const LLAMA_CPP_ROUTES: Routes = {
  'GET /health': (response) => json(response, { status: 'ok' }),
  'POST /completion': (response, { stream: streamed }) => {
    const pieces = words('llamacpp');
    if (streamed !== true) {
      json(response, { content: pieces.join(''), stop: true });
      return;
    }
    return stream(response, 'text/event-stream', [
      ...pieces.map((content) => event({ content, stop: false })),
      event({ content: '', stop: true }),
    ]);
  },
};
