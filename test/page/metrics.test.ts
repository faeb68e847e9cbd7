import { readFileSync } from 'node:fs';

import { expect, test } from '@jest/globals';

import { METRICS, metricOf, write } from '../../src/page/metrics.ts';
import { valuesHint } from '../../src/page/tooltip.ts';

test('every metric is a column of the views of its task', () => {
  const columns = readFileSync(new URL('../monitor/columns.txt', import.meta.url), 'utf8');
  for (const [task, metrics] of Object.entries(METRICS)) {
    const named = metrics.flatMap(({ column, low, high }) => [column, low, high].filter((name) => name !== undefined));
    const missing = named.filter((name) => !columns.includes(`${task}_performance_weekly.${name} double precision`));
    expect([task, missing]).toEqual([task, []]);
  }
});

test('the query of several values asks a view for columns that it has', () => {
  const columns = readFileSync(new URL('../monitor/columns.txt', import.meta.url), 'utf8').split('\n');
  for (const task of ['multi_target', 'multilabel', 'quantiles']) {
    const hint = valuesHint("it's", task);
    const view = /pgscore_bi\.(\w+)/.exec(hint)?.[1];
    const asked = /select (.*)/.exec(hint)?.[1]?.split(', ') ?? [];
    expect(asked.filter((name) => !columns.some((column) => column.startsWith(`${view}.${name} `)))).toEqual([]);
    expect(hint).toContain("model_name = 'it''s'");
  }
});

test('a metric that a task does not have is its first', () => {
  expect(metricOf('regression', 'roc_auc').column).toBe('mae');
  expect(metricOf('binary', undefined).column).toBe('accuracy');
});

test('shares are written as such', () => {
  expect(write(metricOf('binary', 'accuracy'), 0.875)).toBe('87.5 %');
  expect(write(metricOf('binary', 'roc_auc'), 0.875)).toBe('0.875');
});
