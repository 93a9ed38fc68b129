/** Content of a file as it was last read. */
export interface ReadableFile {
  readonly kind: 'ok';
  /** The bytes as they are on disk. */
  readonly bytes: Buffer;
  /** The bytes as UTF-8, without a byte order mark. */
  readonly text: string;
  /** SHA-256 of the bytes, in hex. */
  readonly hash: string;
}

/** A file that exists but cannot be used; `code` is the system's (`EACCES`, `EISDIR`, `EFBIG`…), `message` says what to do. */
export interface UnreadableFile {
  readonly kind: 'unreadable';
  readonly error: { readonly code: string; readonly message: string };
}

export type FileState = ReadableFile | UnreadableFile;

/** What happened since the last event: paths as they stand in `FilesWatcher.files`. */
export interface FilesChanged {
  /** Files that are new, have other content, or became readable or unreadable. */
  readonly changed: readonly string[];
  readonly removed: readonly string[];
  /** True where `FilesWatcher.problems` differs from before. */
  readonly problemsChanged: boolean;
}

/** Something about the paths themselves that keeps files from being read. */
export interface PathProblem {
  readonly path: string;
  /** Stable, kebab-case: `path-missing`, `path-unreadable`, `symlinked-directory`, `too-many-files`, `stale-mount`. */
  readonly code: string;
  readonly message: string;
}

/** Where log lines go: the caller's logger. Without one, warnings and errors go to standard error. */
export type Log = (level: 'debug' | 'info' | 'warn' | 'error', message: string, fields?: object) => void;

export interface WatchOptions {
  /** Files or directories, absolute or relative to the working directory. They need not exist yet. */
  readonly paths: readonly string[];
  /** Which files of a directory count, for example `['.yml', '.yaml']`; all where absent. Never applied to a path named in `paths`. */
  readonly extensions?: readonly string[];
  /** Look at every file each so many milliseconds instead of asking the kernel: for network mounts. */
  readonly poll?: number;
  /** False: files are read once, and again on `rescan()` only. */
  readonly watch: boolean;
  readonly log?: Log;
}

/** A live view of a set of files. */
export interface FilesWatcher {
  /** Settled content by absolute path, in path order. A path that does not exist is absent. */
  readonly files: ReadonlyMap<string, FileState>;
  readonly problems: readonly PathProblem[];
  /** Looks at and reads everything now, as an operator's SIGHUP asks; resolves after `onChange` has run. */
  rescan(): Promise<void>;
  /** Watches these paths from now on; resolves when their files have been read and `onChange` has run. */
  setPaths(paths: readonly string[]): Promise<void>;
  /** Ends all watching; resolves when no timer, descriptor or callback is left. */
  close(): Promise<void>;
}

/** Bounds: what is beyond them is reported as a problem and not read. */
export const LIMITS = {
  files: 10_000,
  directories: 10_000,
  /** Of one file. */
  bytes: 16 * 1024 * 1024,
  /** Of all files of one watcher together. */
  totalBytes: 256 * 1024 * 1024,
  depth: 32,
  problems: 100,
} as const;

/** All times of the watcher, in milliseconds. */
export const TIMES = {
  /** Events are gathered this long before anything is looked at. */
  coalesce: 5,
  /** A file written in place is read when it has been quiet this long. */
  quiet: 100,
  /** …or this long after its first unread change, if it never is. */
  unreadAtMost: 1_000,
  /** An emptied file keeps its content this long. */
  emptyHold: 3_000,
  /** A deleted file keeps its content this long, for editors that delete and write anew. */
  missingGrace: 150,
  /** A file that is replaced again and again is read no more often than this. */
  betweenReads: 20,
  /** Everything is looked at again this often, in case the kernel dropped events. */
  safetyScan: 30_000,
  /** …and this often where the kernel cannot tell of changes (network file systems, no watches left, directories that cannot be listed). */
  weakScan: 1_000,
  /** Pause after an error that nobody foresaw. */
  afterFailure: 1_000,
  /** A shorter `poll` is taken as this. */
  pollAtLeast: 10,
} as const;
