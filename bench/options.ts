import { parseArgs } from 'node:util';

/** What one run of the bench is asked to do. */
export interface Options {
  /** Names of scenarios, in the order to run; `all`; null = the default set. */
  readonly scenarios: readonly string[] | null;
  /** Names of peers; null = every peer. The splice is always added where ratios are wanted. */
  readonly peers: readonly string[] | null;
  readonly rounds: number;
  /** Measured seconds for each peer in each round. */
  readonly seconds: number;
  /** Unmeasured seconds before the first round for a peer that compiles while it runs; others get a fifth. */
  readonly warmupSeconds: number;
  /** Load generator to force where it can do the scenario, for cross-checks; null = the best that is installed. */
  readonly generator: string | null;
  /** File for the machine-readable report; null = none. */
  readonly json: string | null;
  /** File for the report as a web page; null = none. */
  readonly html: string | null;
  readonly quick: boolean;
  readonly help: boolean;
}

export const USAGE = `npm run bench [-- options]

  --scenario a,b    only these scenarios, or \`all\` (some 20 minutes); the default leaves out the long ones
  --peer x,y        only these peers; the splice is added, since every ratio is to it
  --rounds N        rounds, each peer once per round, in rotating order (default 3, quick 2)
  --seconds S       measured seconds per peer and round (default 1.2, quick 0.4)
  --warmup S        warm-up seconds of a Node peer in each scenario, a fifth of it for others (default 2.5, quick 1)
  --generator NAME  force a load generator (wrk, autocannon, own) where it can do the scenario
  --json FILE       also write every sample as JSON
  --html FILE       also write a web page with charts (one file)
  --quick           under a minute: a rough look, not a figure to quote
  --help            this text
`;

/** Reads the command line. Throws an Error with a message for the user when it makes no sense. */
export function readOptions(argv: readonly string[]): Options {
  const { values } = parseArgs({
    args: [...argv],
    options: {
      scenario: { type: 'string' },
      peer: { type: 'string' },
      rounds: { type: 'string' },
      seconds: { type: 'string' },
      warmup: { type: 'string' },
      generator: { type: 'string' },
      json: { type: 'string' },
      html: { type: 'string' },
      quick: { type: 'boolean', default: false },
      help: { type: 'boolean', short: 'h', default: false },
    },
  });
  const quick = values.quick;
  return {
    scenarios: list(values.scenario),
    peers: list(values.peer),
    rounds: Math.floor(number('--rounds', values.rounds, quick ? 2 : 3, 1, 1_000)),
    seconds: number('--seconds', values.seconds, quick ? 0.4 : 1.2, 0.1, 600),
    warmupSeconds: number('--warmup', values.warmup, quick ? 1 : 2.5, 0, 60),
    generator: values.generator ?? null,
    json: values.json ?? null,
    html: values.html ?? null,
    quick,
    help: values.help,
  };
}

function list(value: string | undefined): string[] | null {
  if (value === undefined) return null;
  const names = value.split(',').map((name) => name.trim());
  return names.filter((name) => name !== '');
}

function number(flag: string, value: string | undefined, otherwise: number, least: number, most: number): number {
  if (value === undefined) return otherwise;
  const parsed = Number(value);
  if (!(parsed >= least && parsed <= most)) {
    throw new Error(`${flag} ${value}: expected a number from ${least} to ${most}`);
  }
  return parsed;
}
