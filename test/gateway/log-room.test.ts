import { afterEach, beforeEach, describe, expect, jest, test } from '@jest/globals';
import { LogRoom } from '../../src/gateway/log-room.ts';

beforeEach(() => {
  jest.useFakeTimers();
});

afterEach(() => {
  jest.useRealTimers();
});

/** Rows that wait, and which of them have come in, or were told not to wait. */
function waiting(room: LogRoom) {
  const told: [number, boolean][] = [];
  const wait = (rows: number): void => void room.wait(rows).then((entered) => told.push([rows, entered]));
  return { told, wait };
}

describe('room in the log', () => {
  test('is there for so many rows', () => {
    const room = new LogRoom(10);
    expect([room.enter(6), room.enter(4), room.enter(1), room.hold(1)]).toEqual([true, true, false, false]);
    room.leave(4);
    expect([room.enter(5), room.enter(4)]).toEqual([false, true]);
  });

  test('is given in the order in which it was waited for', async () => {
    const room = new LogRoom(10);
    room.enter(10);
    const { told, wait } = waiting(room);
    for (const rows of [5, 6, 1]) wait(rows);
    // Who comes now would come before those.
    room.kept(7);
    expect(room.enter(1)).toBe(false);
    await Promise.resolve();
    expect(told).toEqual([[5, true]]);
    room.kept(3);
    room.leave(5);
    await Promise.resolve();
    expect(told.slice(1)).toEqual([
      [6, true],
      [1, true],
    ]);
  });

  test('is given to more rows than it is for when there are no others', async () => {
    const room = new LogRoom(10);
    expect([room.enter(50), room.enter(1)]).toEqual([true, false]);
    const { told, wait } = waiting(room);
    wait(30);
    room.kept(50);
    await Promise.resolve();
    expect(told).toEqual([[30, true]]);
  });

  test('is waited for as long as rows are kept, however slowly', async () => {
    const room = new LogRoom(10, 1000);
    room.enter(10);
    const { told, wait } = waiting(room);
    wait(10);
    for (let kept = 0; kept < 9; kept += 1) {
      await jest.advanceTimersByTimeAsync(900);
      room.kept(1);
    }
    expect([told, room.standsStill]).toEqual([[], false]);
    room.kept(1);
    await Promise.resolve();
    expect(told).toEqual([[10, true]]);
  });

  test('is not waited for where none is kept, until one is', async () => {
    const room = new LogRoom(10, 1000);
    room.enter(10);
    const { told, wait } = waiting(room);
    wait(1);
    wait(2);
    await jest.advanceTimersByTimeAsync(999);
    expect(told).toEqual([]);
    await jest.advanceTimersByTimeAsync(1);
    expect([told, room.standsStill]).toEqual([
      [
        [1, false],
        [2, false],
      ],
      true,
    ]);
    expect([room.enter(1), await room.wait(1), room.hold(1)]).toEqual([false, false, false]);
    room.kept(10);
    expect([room.standsStill, room.enter(1)]).toEqual([false, true]);
  });

  test('that is left by what could not be kept does not end a standstill', async () => {
    const room = new LogRoom(10, 1000);
    room.enter(10);
    void room.wait(5);
    await jest.advanceTimersByTimeAsync(1000);
    room.leave(10);
    expect([room.standsStill, room.enter(1), room.hold(1)]).toEqual([true, false, true]);
  });
});
