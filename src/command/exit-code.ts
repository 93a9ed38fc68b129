/** What the command says to scripts by its exit code. */
export const EXIT = {
  fine: 0,
  /** The configuration or the request was refused. */
  refused: 1,
  /** The command line cannot be understood. */
  usage: 2,
  /** The verb talks to a running proxy, and there is none. */
  notRunning: 3,
} as const;

export type ExitCode = (typeof EXIT)[keyof typeof EXIT];
