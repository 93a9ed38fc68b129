import { describe, expect, it } from 'vitest';
import type { Stamp } from '../../../src/control/files/read.ts';
import { Settling } from '../../../src/control/files/settle.ts';
import { TIMES } from '../../../src/control/files/types.ts';

const EVENT = { event: true, eventsWork: true };
const SCAN = { event: false, eventsWork: true };
const NEVER = Number.POSITIVE_INFINITY;

function stamp(ino: number, size: number, time = 0): Stamp {
  return { dev: 1n, ino: BigInt(ino), size: BigInt(size), mtimeNs: BigInt(time), ctimeNs: BigInt(time), nlink: 1n };
}

/** A file whose content (inode 1, size 3) was read at time 0. */
function readFile(): Settling {
  const file = new Settling();
  file.look(0, stamp(1, 3), SCAN);
  file.state = { kind: 'ok', bytes: Buffer.from('one'), text: 'one', hash: '' };
  file.taken(0, stamp(1, 3), false);
  return file;
}

describe('Settling', () => {
  it('has nothing to do for a file that looks as it did', () => {
    const file = readFile();
    file.look(1_000, stamp(1, 3), SCAN);
    expect(file.dueAt).toBe(NEVER);
  });

  it('waits for quiet after each write in place, but not beyond the bound', () => {
    const file = readFile();
    let now = 1_000;
    for (let i = 1; now < 1_000 + TIMES.unreadAtMost; now += 50) {
      file.note('change');
      file.look(now, stamp(1, 3 + i, i), EVENT);
      expect(file.dueAt).toBe(Math.min(now + TIMES.quiet, 1_000 + TIMES.unreadAtMost));
      i++;
    }
    expect(file.isOverdue(now)).toBe(true);
  });

  it('reads again on an event even where the stamp is the same, as for two writes within one tick of the clock', () => {
    const file = readFile();
    file.note('change');
    file.look(1_000, stamp(1, 3), EVENT);
    expect(file.dueAt).toBe(1_000 + TIMES.quiet);
  });

  it('does not forget an event because a scan finds the same stamp', () => {
    const file = readFile();
    file.note('change');
    file.look(1_000, stamp(1, 3), EVENT);
    file.look(1_050, stamp(1, 3), SCAN);
    expect(file.dueAt).toBe(1_000 + TIMES.quiet);
  });

  it('reads a file with another inode at once', () => {
    const file = readFile();
    file.note('rename');
    file.look(1_000, stamp(2, 5), EVENT);
    expect(file.dueAt).toBe(1_000);
  });

  it('waits for quiet where a file with another inode is being written', () => {
    const file = readFile();
    file.note('rename');
    file.note('change');
    file.look(1_000, stamp(2, 5), EVENT);
    expect(file.dueAt).toBe(1_000 + TIMES.quiet);
  });

  it('never takes another inode for a whole file where no events tell of writes', () => {
    const file = readFile();
    file.look(1_000, stamp(2, 5), { event: false, eventsWork: false });
    expect(file.dueAt).toBe(1_000 + TIMES.quiet);
  });

  it('reads a new file at once only where it was moved into place', () => {
    const moved = new Settling();
    moved.note('rename');
    moved.look(1_000, stamp(2, 5), EVENT);
    expect(moved.dueAt).toBe(1_000);
    const found = new Settling();
    found.look(1_000, stamp(2, 5), SCAN);
    expect(found.dueAt).toBe(1_000 + TIMES.quiet);
  });

  it('holds an emptied file, and gives who fills it the usual time', () => {
    const file = readFile();
    file.note('change');
    file.look(1_000, stamp(1, 0, 1), EVENT);
    expect(file.dueAt).toBe(1_000 + TIMES.emptyHold);
    expect(file.believesEmpty(3_999)).toBe(false);
    file.note('change');
    file.look(3_000, stamp(1, 5, 2), EVENT);
    expect(file.dueAt).toBe(3_000 + TIMES.quiet);
    expect(file.isOverdue(3_100)).toBe(false);
  });

  it('believes an emptied file in the end', () => {
    const file = readFile();
    file.look(1_000, stamp(1, 0, 1), EVENT);
    file.look(2_000, stamp(1, 0, 2), EVENT);
    expect(file.believesEmpty(1_000 + TIMES.emptyHold)).toBe(true);
  });

  it('does not starve for a file that is emptied and filled without end', () => {
    const file = readFile();
    let now = 1_000;
    for (let time = 1; now < 1_000 + TIMES.emptyHold + TIMES.unreadAtMost; now += 150, time++) {
      file.note('change');
      file.look(now, stamp(1, time % 2 === 0 ? 0 : 5, time), EVENT);
    }
    expect(file.isOverdue(now)).toBe(true);
  });

  it('holds a missing file for a moment, and reads it when it is back', () => {
    const file = readFile();
    file.look(1_000, 'missing', EVENT);
    expect(file.dueAt).toBe(1_000 + TIMES.missingGrace);
    expect(file.believesMissing(1_000 + TIMES.missingGrace)).toBe(true);
    file.note('rename');
    file.note('change');
    file.look(1_050, stamp(3, 4), EVENT);
    expect(file.believesMissing(2_000)).toBe(false);
    expect(file.dueAt).toBe(1_050 + TIMES.quiet);
  });

  it('reads again what changed while it was read', () => {
    const file = readFile();
    file.note('change');
    file.look(1_000, stamp(1, 4, 1), EVENT);
    file.taken(2_000, stamp(1, 4, 1), true);
    expect(file.dueAt).toBe(2_000 + TIMES.quiet);
  });
});
