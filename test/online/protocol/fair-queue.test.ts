import { describe, expect, test } from '@jest/globals';
import { FairQueue } from '../../../src/online/protocol/fair-queue.ts';
import { Deadline } from '../../../src/online/requests/call.ts';
import { WireError } from '../../../src/online/protocol/wire-error.ts';

const GIVEN_UP = new WireError('57014', 'given up');

function deadlineOf(owner: string): Deadline {
  const deadline = new Deadline(owner, 60_000);
  deadline.end();
  return deadline;
}

describe('room', () => {
  test('is given in turn, and to none more than half of it', async () => {
    const room = new FairQueue(16);
    const entered: string[] = [];
    const enter = async (owner: string, name: string, bytes: number): Promise<() => void> => {
      const leave = await room.enter(bytes, deadlineOf(owner));
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
    const room = new FairQueue(10);
    const leave = await room.enter(1000, deadlineOf('a'));
    await room.enter(5, deadlineOf('x'));
    const given = deadlineOf('b');
    const gone = room.enter(5, given);
    const next = room.enter(5, deadlineOf('c'));
    given.fail(GIVEN_UP);
    await expect(gone).rejects.toBe(GIVEN_UP);
    leave();
    leave();
    (await next)();
    (await room.enter(5, deadlineOf('d')))();
  });

  test('that was given in the moment in which it was given up is free again', async () => {
    const room = new FairQueue(10);
    const leave = await room.enter(5, deadlineOf('a'));
    const given = deadlineOf('a');
    const gone = room.enter(5, given);
    given.fail(GIVEN_UP);
    leave();
    await expect(gone).rejects.toBe(GIVEN_UP);
    (await room.enter(5, deadlineOf('a')))();
  });
});

describe('work that holds the thread', () => {
  test('is done one at a time, and the event loop has a turn between', async () => {
    const queue = new FairQueue(1);
    const done: string[] = [];
    let input = 0;
    const read = (): void => {
      input += 1;
      if (done.length < 4) setImmediate(read);
    };
    setImmediate(read);
    const works = ['a', 'b', 'c', 'd'].map((name) => queue.work(() => done.push(`${name}${input}`)));
    expect(await Promise.all(works)).toEqual([1, 2, 3, 4]);
    expect(new Set(done.map((name) => name.slice(1))).size).toBe(4);
  });

  test('fails by itself, and the next is done', async () => {
    const queue = new FairQueue(1);
    const failed = queue.work(() => {
      throw GIVEN_UP;
    });
    const next = queue.work(() => 'done');
    await expect(failed).rejects.toBe(GIVEN_UP);
    expect(await next).toBe('done');
  });
});
