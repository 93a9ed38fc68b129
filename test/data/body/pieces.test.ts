import { expect, it } from 'vitest';
import { BodyMemory } from '../../../src/data/body/body-memory.ts';
import { Pieces } from '../../../src/data/body/pieces.ts';

it('keeps all bytes in order, and few pieces of many small ones', () => {
  const pieces = new Pieces();
  let expected = '';
  for (let i = 0; i < 50_000; i++) {
    const text = i % 1000 === 0 ? String.fromCharCode(97 + (i % 26)).repeat(3000) : String(i % 10);
    pieces.push(Buffer.from(text), i % 2 === 0);
    expected += text;
  }
  expect(Buffer.concat(pieces.all).toString()).toBe(expected);
  expect(pieces.all.length).toBeLessThan(150);
});

it('copies what is somebody else’s memory', () => {
  const pieces = new Pieces();
  const shared = Buffer.from('before');
  pieces.push(shared, true);
  shared.fill('x');
  expect(Buffer.concat(pieces.all).toString()).toBe('before');
});

it('a worker holds a bounded number of bytes', () => {
  const memory = new BodyMemory(100);
  expect([memory.take(60), memory.take(60), memory.held]).toEqual([true, false, 60]);
  memory.give(60);
  expect(memory.take(100)).toBe(true);
});
