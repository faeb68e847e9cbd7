import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { ClassTally } from '../../src/monitor/class-tally.ts';
import { classBins, ScoreBins } from '../../src/monitor/score-bins.ts';

const scoreBins = new ScoreBins(Float64Array.from({ length: 1001 }, (_, index) => (index + 1) / 1003));
const bins = classBins(scoreBins);

test('four bins of scores are one of the probabilities of classes, up to the last', () => {
  const probability = fc.oneof(
    fc.double({ min: 0, max: 1, noNaN: true }),
    fc.constantFrom(0, 4 / 1003, 1000 / 1003, 1),
  );
  fc.assert(
    fc.property(probability, (p) => {
      expect(bins.of(p)).toBe(Math.floor(scoreBins.of(p) / 4));
    }),
    { seed: 20261125 },
  );
  expect(bins.count).toBe(Math.floor((scoreBins.count - 1) / 4) + 1);
});

test('each day has, of every class, the predictions by its probability, and how many of them said it', () => {
  const weights = fc.tuple(...[1, 2, 3].map(() => fc.integer({ min: 0, max: 9 })));
  const row = fc.record({ day: fc.constantFrom(null, 0, 86_400), weights, said: fc.constantFrom(-1, 0, 1, 2) });
  fc.assert(
    fc.property(fc.array(row, { maxLength: 60 }), (rows) => {
      const tally = new ClassTally(bins, 3);
      const probabilities = rows.flatMap(({ weights: w }) => w.map((one) => one / 10));
      const said = Int32Array.from(rows, (one) => one.said);
      tally.add(
        rows.map(({ day }) => day),
        said,
        Float64Array.from(probabilities),
      );
      const counted = tally.days.flatMap(({ day, classes, bins: of, counts, predicted }) =>
        classes.map((place, index) => [day, place, of[index], counts[index], predicted[index]].join()),
      );
      expect(counted.toSorted()).toEqual(recounted(rows).toSorted());
    }),
    { seed: 20261125 },
  );
});

type Row = { day: number | null; weights: number[]; said: number };

/** The same by going through the rows for each cell. */
function recounted(rows: readonly Row[]): string[] {
  const scored = rows.filter(({ said }) => said >= 0);
  const cells = scored.flatMap(({ day, weights }) =>
    weights.map((weight, place) => [day, place, bins.of(weight / 10)] as const),
  );
  const distinct = new Map(cells.map((cell) => [cell.join(), cell]));
  return [...distinct.values()].map(([day, place, bin]) => {
    const own = scored.filter((row) => row.day === day && bins.of((row.weights[place] ?? 0) / 10) === bin);
    return [day, place, bin, own.length, own.filter(({ said }) => said === place).length].join();
  });
}

test('a job whose times span more days than fit in memory counts the first of them', () => {
  const classes = 50;
  const tally = new ClassTally(bins, classes);
  const days = Array.from({ length: 1500 }, (_, day) => day * 86_400);
  tally.add(days, new Int32Array(days.length), new Float64Array(days.length * classes));
  expect(tally.days.length).toBeLessThan(1500);
  expect(tally.days.length).toBeGreaterThan(365);
});
