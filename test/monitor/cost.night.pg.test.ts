import { beforeAll, describe, expect, test } from '@jest/globals';

import { cloneDatabase } from '../support/database.ts';
import { addMonitoredModel, addRun } from './monitored-model.ts';

const database = await cloneDatabase();
const superuser = await database.client();

const FIRST = `timestamptz '2020-01-06 00:00+00'`;

/** Gives days of a history cells of every kind that metrics and estimates are made of. */
async function addHistory(versionId: number, from: number, to: number): Promise<void> {
  const day = `${FIRST} + d * interval '1 day'`;
  const fills = [
    `insert into pgscore_data.cell_score (version_id, day, bin, n) select $1, ${day}, b, 3 from generate_series($2::int, $3::int) d, generate_series(0, 100) b`,
    `insert into pgscore_data.score_log select $1, ${day}, b % 2 = 0, array_agg(b), array_agg(3), array_agg(1) from generate_series($2::int, $3::int) d, generate_series(0, 100) b group by d, b % 2`,
    `insert into pgscore_data.cell_class_score select $1, ${day}, b % 3, b % 2 = 0, b, 3 from generate_series($2::int, $3::int) d, generate_series(0, 100) b`,
    `insert into pgscore_data.cell_error select $1, ${day}, b, 3 from generate_series($2::int, $3::int) d, generate_series(0, 100) b`,
  ];
  for (const fill of fills) await superuser.query(fill, [versionId, from, to]);
  await superuser.query(
    'vacuum analyze pgscore_data.score_bin, pgscore_data.cell_score, pgscore_data.score_log, pgscore_data.cell_class_score, pgscore_data.cell_error',
  );
}

/** A plan may look up each of a day's hundred bins, three pages each, or read them all at once. All of history would be a thousand. */
const LOOKUPS = 400;

/** Pages that a step reads after one day changed. */
async function pages(versionId: number, step: string): Promise<number> {
  for (const table of ['touched', 'estimate_due']) {
    const touch = `insert into pgscore_data.${table} values ($1, ${FIRST} + interval '40 days') on conflict do nothing`;
    await superuser.query(touch, [versionId]);
  }
  return pagesOf(`select pgscore_data.${step}()`);
}

/** Pages that a query reads. */
async function pagesOf(query: string): Promise<number> {
  const explain = `explain (analyze, buffers, format json) ${query}`;
  const { rows } = await superuser.query<{ 'QUERY PLAN': [{ Plan: Record<string, number> }] }>(explain);
  const plan = rows[0]?.['QUERY PLAN'][0].Plan ?? {};
  return (plan['Shared Hit Blocks'] ?? 0) + (plan['Shared Read Blocks'] ?? 0);
}

/** Planning reads the catalogue, also where autovacuum has just made it plan again: the least of some times is the step's own. */
async function leastPages(versionId: number, step: string): Promise<number> {
  let least = Infinity;
  for (let time = 0; time < 4; time += 1) least = Math.min(least, await pages(versionId, step));
  return least;
}

test.each(['_compute_metrics', '_estimate'])(
  'what %s reads goes with the days that changed, not with history',
  async (step) => {
    const { versionId } = await addMonitoredModel(superuser, `long${step}`, 'binary');
    await addHistory(versionId, 0, 199);
    const short = await leastPages(versionId, step);
    await addHistory(versionId, 200, 1999);
    expect(await leastPages(versionId, step)).toBeLessThan(3 * short + LOOKUPS);
  },
);

/** A model whose labels are there and whose prediction of each comes now, while the planner knows of no label of the model. */
async function addLate(name: string): Promise<void> {
  const { modelId, ...model } = await addMonitoredModel(superuser, name, 'regression');
  await superuser.query(`update pgscore_data.monitor set key_types = '{bigint}' where model_id = $1`, [modelId]);
  await superuser.query(
    `insert into pgscore_data.label_change (model_id, key, known_at, label) select $1, array[g::text], '2026-06-01', '1' from generate_series(0, 999) g`,
    [modelId],
  );
  await superuser.query('select pgscore.refresh()');
  const predictions = Array.from({ length: 1000 }, (_, id) => ({ id, at: '2026-03-01 12:00+00', score: 1 }));
  await addRun(superuser, { modelId, ...model }, predictions);
}

test('what a refresh and a rebuild read of labels that were there first does not hang on what the planner knows of them', async () => {
  await superuser.query('alter table pgscore_data.evaluation_recent set (autovacuum_enabled = off)');
  const read: number[][] = [];
  for (const name of ['early', 'later']) {
    await addLate(name);
    read.push([await pagesOf('select pgscore_data._refresh()'), await pagesOf(`select pgscore.rebuild('${name}')`)]);
    await superuser.query('analyze pgscore_data.evaluation_recent');
  }
  const [early, later] = read;
  // Each label compared with each would be a thousand times as many; PostgreSQL 15 reads twice as many pages of an index.
  expect(later?.map((pages, step) => pages < 3 * (early?.[step] ?? 0))).toEqual([true, true]);
});

test('a refresh of a model without labels reads none of the labels of other models, however many versions there are', async () => {
  const unlabelled = await addMonitoredModel(superuser, 'unlabelled', 'regression');
  const { modelId } = await addMonitoredModel(superuser, 'labelled', 'regression');
  await superuser.query(
    `insert into pgscore_data.version (model_id, number, state, sha256, size_bytes, signature, deployed_by)
     select v.model_id, n, v.state, v.sha256, v.size_bytes, v.signature, v.deployed_by
       from pgscore_data.version v cross join generate_series(2, 1000) n where v.model_id = $1`,
    [modelId],
  );
  let score = 0;
  const read = async (): Promise<number> => {
    await superuser.query('vacuum analyze');
    await superuser.query('discard plans');
    let least = Infinity;
    for (let time = 0; time < 3; time += 1) {
      score += 1;
      const predictions = Array.from({ length: 50 }, (_, id) => ({ id, at: '2026-03-01 12:00+00', score }));
      await addRun(superuser, unlabelled, predictions);
      least = Math.min(least, await pagesOf('select pgscore_data._refresh()'));
    }
    return least;
  };
  await read();
  const before = await read();
  const add = `insert into pgscore_data.label_change (model_id, key, known_at, label)
    select $1, array[g::text], '2026-06-01', '1' from generate_series(1, 20000) g`;
  await superuser.query(add, [modelId]);
  await superuser.query('select pgscore.refresh()');
  // Where each prediction was joined to the labels, it was two and a half times as many pages.
  expect(await read()).toBeLessThan(1.5 * before);
});

const ofAll = (view: string) => `select * from pgscore_bi.${view} where model_name = 'split' and segment_key is null`;

describe('who asks for all predictions', () => {
  let versionId: number;
  let modelId: number;

  beforeAll(async () => {
    ({ versionId, modelId } = await addMonitoredModel(superuser, 'split', 'binary'));
    await addSlices('(values (0)) s (id)');
  });

  /** Days of a history with predictions and labels in these segments. */
  async function addSlices(segments: string, version = versionId): Promise<void> {
    const days = `from generate_series(0, 99) d cross join ${segments}`;
    const day = `${FIRST} + d * interval '1 day'`;
    const volume = `insert into pgscore_data.cell_volume (version_id, segment_id, day, n_predictions, n_failed) select $1, s.id, ${day}, 9, 0 ${days}`;
    const outcome = `insert into pgscore_data.cell_outcome (version_id, segment_id, day, age_band, actual_class, predicted_class, n, sum_brier, sum_log_loss)
      select $1, s.id, ${day}, 0, x, y, 2, 1, 1 ${days} cross join generate_series(0, 1) x cross join generate_series(0, 1) y`;
    for (const fill of [volume, outcome]) await superuser.query(fill, [version]);
    await superuser.query('vacuum analyze pgscore_data.cell_volume, pgscore_data.cell_outcome, pgscore_data.segment');
  }

  test('reads none of the cells of segments', async () => {
    const queries = [
      ...[
        'binary_performance_daily',
        'confusion_matrix_daily',
        'class_performance_monthly',
        'performance_by_label_age',
        'model_metric',
      ].map(ofAll),
      `select * from pgscore_bi.estimated_performance_daily where model_name = 'split'`,
      `select * from pgscore_bi.estimated_performance_monthly where model_name = 'split'`,
      `select * from pgscore_bi.label_coverage_daily where model_name = 'split'`,
      `select * from pgscore_bi.current_model_health where model_name = 'split'`,
      `select * from pgscore_data._alert_candidates(${modelId}, '2020-02-01', '2020-06-01')`,
    ];
    const least = async (query: string) => Math.min(await pagesOf(query), await pagesOf(query), await pagesOf(query));
    const before: number[] = [];
    for (const query of queries) before.push(await least(query));
    await superuser.query(
      `insert into pgscore_data.segment (model_id, column_name, value) select $1, 'v', g::text from generate_series(1, 200) g`,
      [modelId],
    );
    await addSlices('(select segment_id from pgscore_data.segment) s (id)');
    for (const [index, query] of queries.entries())
      expect([query, (await least(query)) < 2 * (before[index] ?? 0) + LOOKUPS]).toEqual([query, true]);
    const whole = ofAll('binary_performance_daily').replace(' and segment_key is null', '');
    expect(await pagesOf(whole)).toBeGreaterThan(50 * (before[0] ?? 0));
  });
  test('of one version reads none of the cells of other models', async () => {
    const views = ['performance_by_label_age', 'class_performance_monthly'];
    const queries = views.map((view) => `${ofAll(view)} and model_version = 1`);
    const before: number[] = [];
    for (const query of queries) before.push(await pagesOf(query));
    for (let other = 0; other < 20; other += 1) {
      const { versionId: another } = await addMonitoredModel(superuser, `other_${other}`, 'binary');
      await addSlices('(values (0)) s (id)', another);
    }
    await superuser.query('vacuum analyze');
    // Which models there are is read, too; the cells of all twenty would be five to thirteen times as many pages.
    for (const [index, query] of queries.entries())
      expect([query, (await pagesOf(query)) < 4 * (before[index] ?? 0)]).toEqual([query, true]);
  });
});
