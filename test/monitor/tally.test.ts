import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { ScoreBins } from '../../src/monitor/score-bins.ts';
import { Tally } from '../../src/monitor/tally.ts';

const bins = new ScoreBins(Float64Array.from({ length: 999 }, (_, index) => (index + 1) / 1000));

test('of each bin it is told how many predictions were called positive', () => {
  const near = fc.integer({ min: 3700, max: 3720 }).map((n) => n / 10_000);
  const score = fc.oneof(near, fc.double({ min: 0, max: 1, noNaN: true }));
  const many = fc.array(fc.tuple(score, fc.boolean()), { maxLength: 600 });
  fc.assert(
    fc.property(many, (predictions) => {
      const tally = new Tally(bins);
      for (const [one, isPositive] of predictions) tally.add(null, 'probability', one, isPositive);
      tally.add(null, 'probability', Number.NaN);
      tally.add(null, 'failed', Number.NaN);
      const { bins: found, counts, positives } = tally.columns;
      for (const [index, bin] of (found[0] ?? []).entries()) {
        const own = predictions.filter(([one]) => bins.of(one) === bin);
        const called = own.filter(([, isPositive]) => isPositive).length;
        expect([bin, counts[0]?.[index], positives[0]?.[index]]).toEqual(
          bin < 0 ? [bin, 1, 0] : [bin, own.length, called],
        );
      }
    }),
    { seed: 20261125 },
  );
});

test('of a regression nothing is called positive', () => {
  const tally = new Tally(bins);
  tally.add(null, 'value', 17);
  expect(tally.columns).toEqual({ days: [null], bins: [[-1]], counts: [[1]], positives: [[0]] });
});
