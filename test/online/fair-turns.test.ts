import { describe, expect, test } from '@jest/globals';
import { FairBatches } from '../../src/online/fair-queue.ts';

describe('turns', () => {
  const taker = (rows: number) => {
    let left = rows;
    return {
      get rowsLeft() {
        return left;
      },
      take(most: number) {
        const taken = Math.min(most, left);
        left -= taken;
        return Array.from({ length: taken }, () => rows);
      },
    };
  };

  test('share the room evenly, and give what one does not need to the others', () => {
    const turns = new FairBatches<number[], ReturnType<typeof taker>>();
    const calls = [taker(1000), taker(1), taker(1000)];
    for (const call of calls) turns.add(call);
    const shares = calls.map((call) =>
      turns
        .take(0)
        .concat([])
        .reduce((sum, turn) => sum + (turn.call === call ? turn.rows.length : 0), 0),
    );
    expect(shares).toEqual([0, 0, 0]);
    const taken = turns.take(30);
    const of = (call: object): number => taken.filter((turn) => turn.call === call).flatMap(({ rows }) => rows).length;
    expect(of(calls[1]!)).toBe(1);
    expect(of(calls[0]!) + of(calls[2]!)).toBe(29);
    expect(Math.abs(of(calls[0]!) - of(calls[2]!))).toBeLessThanOrEqual(1);
  });

  test('serve more calls than there is room for one after the other', () => {
    const turns = new FairBatches<number[], ReturnType<typeof taker>>();
    const calls = Array.from({ length: 7 }, () => taker(2));
    for (const call of calls) turns.add(call);
    const order = Array.from({ length: 5 }, () => turns.take(3).map(({ call }) => calls.indexOf(call))).flat();
    expect(order.slice(0, 7)).toEqual([0, 1, 2, 3, 4, 5, 6]);
    expect(turns.empty).toBe(true);
  });
});
