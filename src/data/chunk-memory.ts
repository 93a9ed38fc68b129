/**
 * Who owns the memory of a body chunk. A reader reuses its buffer for the next read unless somebody downstream still
 * needs the bytes when the call that delivered them returns, and said so here. Everything is synchronous, so one flag does.
 */
let kept = false;

/** The bytes just delivered are still needed after this call: the reader must take other memory for its next read. */
export function keepChunk(): void {
  kept = true;
}

/** For readers: whether the chunk was kept since the last call. */
export function takeKept(): boolean {
  const was = kept;
  kept = false;
  return was;
}
