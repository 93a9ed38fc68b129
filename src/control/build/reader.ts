/** Gives the content of files that the configuration names, and remembers which were asked for. */
export class Reader {
  readonly #read: (path: string) => string | Error;
  readonly #cache = new Map<string, string | Error>();

  constructor(read: (path: string) => string | Error) {
    this.#read = read;
  }

  /** Every path that was asked for, sorted: what a watcher has to look at, unreadable ones among them. */
  get files(): readonly string[] {
    return [...this.#cache.keys()].sort();
  }

  readonly file = (path: string): string | Error => {
    let content = this.#cache.get(path);
    if (content === undefined) {
      content = this.#read(path);
      this.#cache.set(path, content);
    }
    return content;
  };
}
