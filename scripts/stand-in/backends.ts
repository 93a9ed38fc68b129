import { LLAMA_CPP_ROUTES } from './llama-cpp.ts';
import { OLLAMA_ROUTES } from './ollama.ts';
import { openAiRoutes } from './openai.ts';
import type { Routes } from './respond.ts';

/** A row of the routing table: who answers for a name, and where. */
export interface Backend {
  readonly name: string;
  /** On the mesh 10.0.0.x. */
  readonly address: string;
  readonly port: number;
  readonly routes: Routes;
}

/** As config/dynamic/dynamic_conf.yml has them. */
export const BACKENDS: readonly Backend[] = [
  { name: 'granite-embedding', address: '127.0.0.141', port: 8000, routes: openAiRoutes('granite-embedding') },
  { name: 'granite-3b', address: '127.0.0.142', port: 8000, routes: openAiRoutes('granite-3b') },
  { name: 'ollama', address: '127.0.0.155', port: 11434, routes: OLLAMA_ROUTES },
  { name: 'llamacpp', address: '127.0.0.157', port: 8081, routes: LLAMA_CPP_ROUTES },
];
