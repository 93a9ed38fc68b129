/** Reads one answer with a Content-Length, as all peers give it to the requests of the bench. */
export class AnswerReader {
  #head = '';
  #left = -1;
  /** The three digits; empty until the head is complete. */
  status = '';

  /** Returns true when the answer is complete. */
  push(chunk: Buffer): boolean {
    if (this.#left < 0) {
      this.#head += chunk.toString('latin1');
      const end = this.#head.indexOf('\r\n\r\n');
      if (end < 0) return false;
      this.status = this.#head.slice(9, 12);
      const length = /\r\ncontent-length: *(\d+)/i.exec(this.#head.slice(0, end + 2))?.[1];
      this.#left = Number(length ?? 0) - (this.#head.length - end - 4);
      this.#head = '';
    } else {
      this.#left -= chunk.length;
    }
    return this.#left <= 0;
  }
}
