import { describe, expect, test } from '@jest/globals';
import { BatchSize, WaitingCalls } from '../../src/online/batches.ts';
import type { Call } from '../../src/online/requests/call.ts';

const MOST = 1024;
const SLOW = 1;
const OTHER = 2;

/** A size that fell to 256 rows, as those took four times too long. */
function fallen(): BatchSize {
  const size = new BatchSize(MOST);
  size.ran(SLOW, MOST, 1000);
  return size;
}

describe('a run takes', () => {
  test('as many rows as may be, while it takes no longer than a quarter of a second', () => {
    const size = new BatchSize(MOST);
    for (const ms of [0, 99, 101, 250]) size.ran(SLOW, MOST, ms);
    expect(size.of(SLOW)).toBe(MOST);
  });

  test('so many of a version that took longer as take about that long, and of others no fewer', () => {
    const size = fallen();
    expect(size.of(SLOW)).toBe(256);
    expect(size.of(OTHER)).toBe(MOST);
    size.ran(SLOW, 10, 1000);
    expect(size.of(SLOW)).toBe(2);
  });

  test('one row at least, however long that takes', () => {
    const size = new BatchSize(MOST);
    size.ran(SLOW, 2, 60_000);
    expect(size.of(SLOW)).toBe(1);
    size.ran(SLOW, 1, 60_000);
    expect(size.of(SLOW)).toBe(1);
  });

  test('as many as before where one row took long: fewer would be none', () => {
    const size = new BatchSize(MOST);
    size.ran(SLOW, 1, 60_000);
    expect(size.of(SLOW)).toBe(MOST);
  });

  test('twice as many again where a full one was quick, up to the most', () => {
    const size = fallen();
    size.ran(SLOW, 256, 99);
    expect(size.of(SLOW)).toBe(512);
    for (let runs = 0; runs < 3; runs += 1) size.ran(SLOW, size.of(SLOW), 1);
    expect(size.of(SLOW)).toBe(MOST);
  });

  test.each([
    ['was not full', 255, 1],
    ['took neither long nor little', 256, 100],
  ])('as many as before where one %s', (_, rows, ms) => {
    const size = fallen();
    size.ran(SLOW, rows, ms);
    expect(size.of(SLOW)).toBe(256);
  });
});

describe('calls that wait', () => {
  const taker = (rows: number): Call => {
    let left = rows;
    return {
      get rowsLeft() {
        return left;
      },
      take(most: number) {
        const taken = Math.min(most, left);
        left -= taken;
        return Array.from({ length: taken }, () => ({}));
      },
    } as unknown as Call;
  };

  test('share the room evenly, and give what one does not need to the others', () => {
    const waiting = new WaitingCalls();
    const calls = [taker(1000), taker(1), taker(1000)];
    for (const call of calls) waiting.add(call);
    expect(waiting.take(0)).toEqual([]);
    const shares = waiting.take(30);
    const of = (asked: Call): number =>
      shares.reduce((sum, { call, rows }) => sum + (call === asked ? rows.length : 0), 0);
    expect(of(calls[1]!)).toBe(1);
    expect(of(calls[0]!) + of(calls[2]!)).toBe(29);
    expect(Math.abs(of(calls[0]!) - of(calls[2]!))).toBeLessThanOrEqual(1);
  });

  test('serve more calls than there is room for one after the other', () => {
    const waiting = new WaitingCalls();
    const calls = Array.from({ length: 7 }, () => taker(2));
    for (const call of calls) waiting.add(call);
    const order = Array.from({ length: 5 }, () => waiting.take(3).map(({ call }) => calls.indexOf(call))).flat();
    expect(order.slice(0, 7)).toEqual([0, 1, 2, 3, 4, 5, 6]);
    expect(waiting.empty).toBe(true);
  });
});
