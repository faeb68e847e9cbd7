import { readFileSync } from 'node:fs';

import { expect, test } from '@jest/globals';

import { METRICS, metricOf, write } from '../../src/page/model-metrics.ts';
import { labelsHint } from '../../src/page/sql-hints.ts';

/** Quantiles have rows of the view of regressions. */
const viewOf = (task: string): string => (task === 'quantile' ? 'regression' : task);

test('every metric is a column of the views of its task', () => {
  const columns = readFileSync(new URL('../monitor/columns.txt', import.meta.url), 'utf8');
  for (const [task, metrics] of Object.entries(METRICS)) {
    const named = metrics.flatMap(({ column, low, high }) => [column, low, high].filter((name) => name !== undefined));
    const missing = named.filter(
      (name) => !columns.includes(`${viewOf(task)}_performance_weekly.${name} double precision`),
    );
    expect([task, missing]).toEqual([task, []]);
  }
});

test('the statement that names the labels of several values has a column for each', () => {
  expect(labelsHint('churn')).toContain(`label => 'what_happened'`);
  expect(labelsHint("it's", ['a', "b's"])).toContain(`'it''s', 'your_outcomes', label => array['a', 'b''s']`);
});

test('a metric that a task does not have is its first', () => {
  expect(metricOf('regression', 'roc_auc').column).toBe('mae');
  expect(metricOf('binary', undefined).column).toBe('accuracy');
});

test('shares are written as such', () => {
  expect(write(metricOf('binary', 'accuracy'), 0.875)).toBe('87.5 %');
  expect(write(metricOf('binary', 'roc_auc'), 0.875)).toBe('0.875');
});
