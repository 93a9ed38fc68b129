import { parentPort } from 'node:worker_threads';
import { verifyPassword } from './stored-hash.ts';

/** What the thread is asked; it answers `true` or `false`, one question after the other. */
export interface Question {
  readonly password: Uint8Array;
  readonly hash: string;
}

parentPort?.on('message', (question: Question) => {
  parentPort?.postMessage(verifyPassword(Buffer.from(question.password), question.hash));
});
