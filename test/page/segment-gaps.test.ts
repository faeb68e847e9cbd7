import { describe, expect, test } from '@jest/globals';

import type { Row } from '../../src/page/api.ts';
import { metricOf, gapsOf, metricBySegment } from '../../src/page/model-metrics.ts';

function row(
  value: string | null,
  labelled: number,
  accuracy: number | null,
  low: number | null,
  high: number | null,
): Row {
  const key = value === null ? null : 'carrier';
  return {
    segment_key: key,
    segment_value: value,
    n_labeled: labelled,
    accuracy,
    accuracy_ci_low: low,
    accuracy_ci_high: high,
  };
}

const ROWS = [
  row('few', 3, 0, 0, 0.56),
  row('good', 900, 0.95, 0.93, 0.96),
  row(null, 2000, 0.8, 0.78, 0.82),
  row('none', 0, null, null, null),
  row('bad', 400, 0.7, 0.65, 0.74),
  row('worst of a few', 29, 0.2, 0.1, 0.39),
  row('usual', 500, 0.81, 0.77, 0.84),
  row('worst', 30, 0.2, 0.1, 0.39),
];

describe('segments are told by how much worse they surely are', () => {
  const accuracy = metricOf('binary', 'accuracy');

  test('so that a few labels do not lead for their value alone', () => {
    const gaps = gapsOf(ROWS, accuracy);
    expect(gaps.map(({ value }) => value)).toEqual(['worst', 'bad', 'usual', 'worst of a few', 'few', 'none', 'good']);
    expect(gaps.map(({ worseBy }) => Number(worseBy.toFixed(2)))).toEqual([0.41, 0.06, 0, 0, 0, 0, -0.13]);
    expect(gaps[1]).toMatchObject({ key: 'carrier', labelled: 400, metric: 0.7, low: 0.65, high: 0.74 });
    expect(gaps[1]?.gap).toBeCloseTo(-0.1, 12);
  });

  test('where less is better, too', () => {
    const mae = metricOf('regression', 'mae');
    const errors = [
      { segment_key: null, segment_value: null, n_labeled: 90, mae: 5, mae_ci_low: 4, mae_ci_high: 6 },
      { segment_key: 'v', segment_value: 'low', n_labeled: 90, mae: 2, mae_ci_low: 1, mae_ci_high: 3 },
      { segment_key: 'v', segment_value: 'high', n_labeled: 90, mae: 9, mae_ci_low: 7, mae_ci_high: 11 },
    ];
    expect(gapsOf(errors, mae).map(({ value, worseBy }) => [value, worseBy])).toEqual([
      ['high', 2],
      ['low', -2],
    ]);
  });

  test('of all that have no value themselves, nothing is known', () => {
    expect(gapsOf([row(null, 0, null, null, null), row('a', 1, 1, 0.2, 1)], accuracy)).toMatchObject([
      { gap: null, worseBy: 0 },
    ]);
  });
});

test('the metric that is asked for is taken where segments have it with its interval', () => {
  expect(metricBySegment('binary', ROWS, 'accuracy')?.column).toBe('accuracy');
  expect(metricBySegment('binary', ROWS, 'roc_auc')?.column).toBe('accuracy');
  expect(metricBySegment('binary', ROWS, undefined)?.column).toBe('accuracy');
  expect(metricBySegment('binary', [], undefined)).toBeUndefined();
});
