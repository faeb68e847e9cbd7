import { expect, test } from '@jest/globals';

import { countsAt, ratiosOf } from '../../src/page/model-metrics.ts';

/** Of 40 positives and 60 negatives, 30 and 15 are above 0.5, and none above 0.9. */
const CURVE = [
  { threshold: 0, true_positive_rate: 1, false_positive_rate: 1, precision_score: 0.4, n_predicted_positive: 100 },
  {
    threshold: 0.5,
    true_positive_rate: 0.75,
    false_positive_rate: 0.25,
    precision_score: 2 / 3,
    n_predicted_positive: 45,
  },
  { threshold: 0.9, true_positive_rate: 0, false_positive_rate: 0, precision_score: null, n_predicted_positive: 0 },
];

test('counts come out of the rates of a curve', () => {
  expect(countsAt(CURVE, 0.5)).toEqual({ hits: 30, falseAlarms: 15, misses: 10, passes: 45 });
  expect(countsAt(CURVE, 0.9)).toEqual({ hits: 0, falseAlarms: 0, misses: 40, passes: 60 });
  expect(countsAt(CURVE, 0.123)).toBeUndefined();
  expect(countsAt([], 0.5)).toBeUndefined();
});

test('a ratio of nothing is not known', () => {
  expect(ratiosOf({ hits: 0, falseAlarms: 0, misses: 40, passes: 60 })).toEqual({
    precision: null,
    recall: 0,
    f1: 0,
    accuracy: 0.6,
    called: 0,
  });
});
