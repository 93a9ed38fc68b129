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

/** The same for people, below the help of each verb. */
export const EXIT_HELP =
  'Exit codes: 0 fine, 1 the configuration or the request was refused, 2 wrong usage, 3 nothing is running.';
