import { describe, expect, test } from '@jest/globals';
import { LongTurns } from '../../../src/online/requests/long-messages.ts';
import { Deadline } from '../../../src/online/requests/deadline.ts';
import { MemoryBudget } from '../../../src/online/requests/memory-budget.ts';
import { WireError } from '../../../src/online/protocol/wire-error.ts';

const GIVEN_UP = new WireError('57014', 'given up');

function deadlineOf(owner: string): Deadline {
  const deadline = new Deadline(owner, 60_000);
  deadline.end();
  return deadline;
}

describe('long work', () => {
  function* steps(name: string, count: number, done: string[]): Generator<void, string> {
    for (let step = 0; step < count; step += 1) {
      done.push(name);
      yield;
    }
    return name;
  }

  test('is done a step at a time, of each caller in turn however much she has, and the event loop has turns between', async () => {
    const turns = new LongTurns();
    const done: string[] = [];
    const run = (owner: string, name: string): Promise<string> => turns.run(steps(name, 3, done), deadlineOf(owner));
    const work = [run('mallory', 'm1'), run('mallory', 'm2'), run('mallory', 'm3'), run('bob', 'b')];
    let input = 0;
    const read = (): void => {
      input += 1;
      if (done.length < 12) setImmediate(read);
    };
    setImmediate(read);
    expect(await Promise.all(work)).toEqual(['m1', 'm2', 'm3', 'b']);
    expect(done.slice(0, 6)).toEqual(['m1', 'b', 'm2', 'b', 'm3', 'b']);
    expect(input).toBeGreaterThanOrEqual(12);
  });

  test('stops where nobody waits for it any more: given up or past its deadline', async () => {
    const turns = new LongTurns();
    const done: string[] = [];
    const [given, late, waiting] = [deadlineOf('a'), new Deadline('b', 1), deadlineOf('c')];
    const work = [turns.run(steps('given up', 9, done), given), turns.run(steps('late', 9, done), late)];
    given.fail(GIVEN_UP);
    while (late.elapsedMs < 1);
    await expect(work[0]).rejects.toBe(GIVEN_UP);
    await expect(work[1]).rejects.toMatchObject({ sqlstate: '57014' });
    expect(await turns.run(steps('waiting', 2, done), waiting)).toBe('waiting');
    expect(done).toEqual(['waiting', 'waiting']);
  });
});

describe('room', () => {
  test('is given in turn, and to none more than half of it', async () => {
    const room = new MemoryBudget(16);
    const entered: string[] = [];
    const enter = async (owner: string, name: string, bytes: number): Promise<() => void> => {
      const leave = await room.take(bytes, deadlineOf(owner));
      entered.push(name);
      return leave;
    };
    const m1 = enter('mallory', 'm1', 8);
    const m2 = enter('mallory', 'm2', 8);
    const m3 = enter('mallory', 'm3', 8);
    await enter('bob', 'b1', 4);
    const b2 = enter('bob', 'b2', 4);
    await b2;
    expect(entered).toEqual(['m1', 'b1', 'b2']);
    const c = enter('carol', 'c', 8);
    (await m1)();
    (await m2)();
    (await c)();
    await m3;
    expect(entered).toEqual(['m1', 'b1', 'b2', 'm2', 'c', 'm3']);
  });

  test('of half is for what is larger, and not held for what is given up', async () => {
    const room = new MemoryBudget(10);
    const leave = await room.take(1000, deadlineOf('a'));
    await room.take(5, deadlineOf('x'));
    const given = deadlineOf('b');
    const gone = room.take(5, given);
    const next = room.take(5, deadlineOf('c'));
    given.fail(GIVEN_UP);
    await expect(gone).rejects.toBe(GIVEN_UP);
    leave();
    leave();
    (await next)();
    (await room.take(5, deadlineOf('d')))();
  });

  test('that was given in the moment in which it was given up is free again', async () => {
    const room = new MemoryBudget(10);
    const leave = await room.take(5, deadlineOf('a'));
    const given = deadlineOf('a');
    const gone = room.take(5, given);
    given.fail(GIVEN_UP);
    leave();
    await expect(gone).rejects.toBe(GIVEN_UP);
    (await room.take(5, deadlineOf('a')))();
  });
});
