import { expect, test } from '@jest/globals';

import { cloneDatabase } from '../support/database.ts';
import { addMonitoredModel, addRun } from './monitored-model.ts';

const database = await cloneDatabase();
const [superuser, alice] = await Promise.all([database.client(), database.client('alice')]);

/** Every hundredth, some many times over, and what is next to them. */
const SCORES = Array.from({ length: 101 }, (_, n) => n / 100).flatMap((score, n) => [
  ...Array.from({ length: 1 + (n % 4) }, () => score),
  Math.max(0, score - 1e-9),
  Math.min(1, score + 1e-9),
  Math.fround(score),
]);
const isPositive = (index: number): boolean => (index * 7) % 11 < 5;

const model = await addMonitoredModel(superuser, 'tied', 'binary');
await alice.query('create table truth (id int primary key, known_at timestamptz, said text)');
await alice.query(`select pgscore.set_labels('tied', 'truth', label => 'said', key => 'id', known_at => 'known_at')`);
const at = '2026-03-02 12:00:00+00';
await addRun(
  superuser,
  model,
  SCORES.map((score, id) => ({ id, at, score, label: score >= 0.5 ? 'yes' : 'no' })),
);
await alice.query(
  `insert into truth select n - 1, $1, case when l then 'yes' else 'no' end from unnest($2::bool[]) with ordinality x (l, n)`,
  [at, SCORES.map((_, index) => isPositive(index))],
);
await superuser.query('select pgscore.refresh()');

type Point = { threshold: number | null; called: string; hits: number };

async function pointsOf(view: string): Promise<Point[]> {
  const positives = SCORES.filter((_, index) => isPositive(index)).length;
  const read = `select threshold, n_predicted_positive as called, round(true_positive_rate * $1::int) as hits
    from pgscore_bi.${view} where model_name = 'tied' order by threshold`;
  return (await superuser.query<Point>(read, [positives])).rows;
}

/** What a threshold calls positive, counted one by one. */
function counted(threshold: number | null): Point {
  const called = SCORES.flatMap((score, index) => (threshold !== null && score >= threshold ? [index] : []));
  return { threshold, called: String(called.length), hits: called.filter(isPositive).length };
}

test.each(['threshold_curve', 'roc_curve'])('%s calls positive what scores at least the threshold', async (view) => {
  const points = await pointsOf(view);
  expect(points.length).toBeGreaterThanOrEqual(100);
  expect(points).toEqual(points.map(({ threshold }) => counted(threshold)));
});

test('both agree with the confusion matrix of a threshold that is a hundredth', async () => {
  const { rows } = await superuser.query<{ called: string; hits: string }>(
    `select true_positives + false_positives as called, true_positives as hits from pgscore_bi.binary_performance_monthly
      where model_name = 'tied' and segment_key is null and decision_threshold = 0.5`,
  );
  const { called, hits } = counted(0.5);
  expect(rows).toEqual([{ called, hits: String(hits) }]);
});

test('the last point of the ROC curve calls nothing positive', async () => {
  expect((await pointsOf('roc_curve')).at(-1)).toEqual({ threshold: null, called: '0', hits: 0 });
});

test('each score of a model with segments is counted once, by day and by what was true', async () => {
  const model = await addMonitoredModel(superuser, 'split', 'binary');
  const rows = Array.from({ length: 40 }, (_, id) => ({
    id,
    at: '2026-03-02T09:00:00Z',
    score: 0.05 + (id % 10) / 10,
    label: id % 10 < 5 ? 'no' : 'yes',
    segments: ['ab'.charAt(id % 2)],
  }));
  await addRun(superuser, model, rows, ['carrier']);
  await superuser.query(
    `select pgscore.record_label('split', id::text, case when id % 4 = 0 then 'yes' else 'no' end, '2026-03-03 00:00+00') from generate_series(0, 39) id`,
  );
  await superuser.query('select pgscore.refresh()');
  const read = `select outcome, sum(n)::int as n, count(*)::int as bins, round(sum(share)::numeric, 9)::float8 as share
      from pgscore_bi.score_distribution_daily where model_name = 'split' group by 1 order by 1`;
  expect((await superuser.query(read)).rows).toEqual([
    { outcome: 'all', n: 40, bins: 10, share: 1 },
    { outcome: 'negative', n: 30, bins: 10, share: 1 },
    { outcome: 'positive', n: 10, bins: 5, share: 1 },
  ]);
});
