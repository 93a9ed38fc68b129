import { event, json, type Routes, stream, words } from './respond.ts';

/** Answers as vLLM does: the part of OpenAI's interface that clients of the mesh use. */
export function openAiRoutes(model: string): Routes {
  const id = 'chatcmpl-stand-in';
  return {
    'GET /health': (response) => void response.writeHead(200).end(),
    'GET /v1/models': (response) =>
      json(response, { object: 'list', data: [{ id: model, object: 'model', owned_by: 'stand-in' }] }),
    'POST /v1/embeddings': (response, { input }) => {
      const inputs: unknown[] = Array.isArray(input) ? input : [input ?? ''];
      json(response, {
        object: 'list',
        model,
        data: inputs.map((one, index) => ({ object: 'embedding', index, embedding: embeddingOf(String(one)) })),
        usage: { prompt_tokens: inputs.length, total_tokens: inputs.length },
      });
    },
    'POST /v1/chat/completions': (response, { stream: streamed }) => {
      if (streamed !== true) {
        const message = { role: 'assistant', content: words(model).join('') };
        json(response, {
          id,
          object: 'chat.completion',
          model,
          choices: [{ index: 0, message, finish_reason: 'stop' }],
        });
        return;
      }
      const chunk = (delta: object, finish: string | null): string =>
        event({
          id,
          object: 'chat.completion.chunk',
          model,
          choices: [{ index: 0, delta, finish_reason: finish }],
        });
      return stream(response, 'text/event-stream', [
        ...words(model).map((content) => chunk({ content }, null)),
        chunk({}, 'stop'),
        event('[DONE]'),
      ]);
    },
  };
}

/** Eight numbers that depend on the text, so that two texts can be told apart. */
function embeddingOf(text: string): number[] {
  const sums = new Array<number>(8).fill(0);
  for (let i = 0; i < text.length; i++) sums[i % 8] = (sums[i % 8]! + text.charCodeAt(i)) % 1000;
  return sums.map((sum) => sum / 1000);
}
