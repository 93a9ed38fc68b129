import { describe, expect, it } from 'vitest';
import type { BuildOutcome } from '../../src/control/build/build-snapshot.ts';
import { Publisher } from '../../src/control/publisher.ts';
import type { Snapshot } from '../../src/core/snapshot.ts';
import { build } from './build/harness.ts';

function outcome(version: number): BuildOutcome {
  const built = build('http: {}');
  return { ...built, snapshot: { ...built.snapshot, version } };
}

describe('a change that the proxy itself fails in', () => {
  it('leaves what is live, says so, and does not stand in the way of the next', async () => {
    const broken: string[] = [];
    const live: number[] = [];
    let fault = false;
    const publisher = new Publisher({
      build: (version) => {
        if (fault) throw new TypeError('cannot read properties of undefined');
        return outcome(version);
      },
      publish: async ({ version }: Snapshot) => ({ version, applied: 1, refused: [], problems: [] }),
      built: () => [],
      wanted: () => undefined,
      live: ({ snapshot }) => void live.push(snapshot.version),
      refused: () => undefined,
      broken: (_, problem) => void broken.push(problem),
    });
    publisher.begin(publisher.first());
    fault = true;
    publisher.changed();
    await publisher.settled();
    const problem = 'the change failed in the proxy (cannot read properties of undefined): version 1 stays live';
    expect(broken).toEqual([problem]);
    expect(publisher.problem).toBe(problem);
    expect(publisher.live?.version).toBe(1);
    expect(publisher.attempts).toMatchObject({ failed: 1, last: { ok: false, version: 1, message: problem } });
    fault = false;
    publisher.changed();
    await publisher.settled();
    expect(publisher.problem).toBeNull();
  });
});
