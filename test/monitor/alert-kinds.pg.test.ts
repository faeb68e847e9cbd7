import { describe, expect, test } from '@jest/globals';

import { cloneDatabase } from '../support/database.ts';
import { at, evaluate, putDay, told, yesterday } from './alert-days.ts';
import { addMonitoredModel, addRun } from './monitored-model.ts';

const database = await cloneDatabase();
const [superuser, alice] = await Promise.all([database.client(), database.client('alice')]);

test('labels that tell of wrong predictions raise an alert by way of a refresh, and their correction resolves it', async () => {
  const model = await addMonitoredModel(superuser, 'whole', 'binary');
  await alice.query(`select pgscore.set_alert('whole', 'low', 'accuracy', threshold => 0.8)`);
  const ids = Array.from({ length: 60 }, (_, id) => id);
  const predictions = ids.map((id) => ({
    id,
    at: at(yesterday(), 12),
    score: id % 2 ? 0.9 : 0.1,
    label: id % 2 ? 'yes' : 'no',
  }));
  await addRun(superuser, model, predictions);
  const label = `select pgscore.record_label('whole', id::text, case when (id % 2 = 1) = $1 then 'yes' else 'no' end) from generate_series(0, 59) id`;
  await alice.query(label, [false]);
  await superuser.query('select pgscore.refresh()');
  await alice.query(label, [true]);
  await superuser.query('select pgscore.refresh()');
  const { rows } = await superuser.query(
    `select event, reason, value, n::int from pgscore_bi.alert_history where model_name = 'whole' order by event_id`,
  );
  expect(rows).toEqual([
    { event: 'firing', reason: null, value: 0, n: 60 },
    { event: 'resolved', reason: 'recovered', value: 1, n: 60 },
  ]);
});

describe('silence', () => {
  /** A model that was scored, or got labels, every day at noon for ten days. */
  async function fed(name: string, feed: 'scoring' | 'labels'): Promise<void> {
    const { modelId } = await addMonitoredModel(superuser, name, 'binary');
    for (let day = 0; day < 10; day += 1) {
      await superuser.query(`select pgscore_data._note_feed($1, $2, $3)`, [feed, modelId, at(day, 12)]);
      await evaluate(superuser, at(day, 18));
    }
  }

  test.each([
    ['scoring', 'scoring_stopped'],
    ['labels', 'labels_stopped'],
  ] as const)('of %s is no_data after twice the usual pause, until it ends', async (feed, alert) => {
    await fed(`fed_with_${feed}`, feed);
    for (const hours of [47, 49, 60]) await evaluate(superuser, at(9, 12 + hours));
    const silent = await told(superuser, `fed_with_${feed}`, alert);
    expect(silent).toEqual([{ event: 'no_data', day: 11, value: 49 }]);
    await superuser.query(
      `select pgscore_data._note_feed($1, model_id, $2) from pgscore_data.model where name = 'fed_with_' || $1`,
      [feed, at(12, 12)],
    );
    await evaluate(superuser, at(12, 13));
    expect((await told(superuser, `fed_with_${feed}`, alert)).at(-1)).toEqual({ event: 'resolved', day: 12, value: 1 });
  });

  test('is none of a model that was scored now and then', async () => {
    const { modelId } = await addMonitoredModel(superuser, 'seldom', 'binary');
    for (const day of [0, 9, 18])
      await superuser.query(`select pgscore_data._note_feed('scoring', $1, $2)`, [modelId, at(day)]);
    await evaluate(superuser, at(40));
    expect(await told(superuser, 'seldom', 'scoring_stopped')).toEqual([]);
  });

  test('of so long that nobody minds any more raises nothing', async () => {
    const { modelId } = await addMonitoredModel(superuser, 'retired', 'binary');
    for (let day = 0; day < 10; day += 1)
      await superuser.query(`select pgscore_data._note_feed('scoring', $1, $2)`, [modelId, at(day, 12)]);
    await evaluate(superuser, at(80));
    expect(await told(superuser, 'retired', 'scoring_stopped')).toEqual([]);
  });

  test('is known by the runs and labels that refreshes take', async () => {
    const model = await addMonitoredModel(superuser, 'taken', 'binary');
    await addRun(superuser, model, [{ id: 1, at: '2026-01-01 00:00+00', score: 0.7, label: 'yes' }]);
    await superuser.query('update pgscore_data.run set finished_at = clock_timestamp() where finished_at is null');
    await alice.query(`select pgscore.record_label('taken', '1', 'yes')`);
    await superuser.query('select pgscore.refresh()');
    const { rows } = await superuser.query(
      `select feed, n::int, last_at > now() - interval '1 minute' as fresh from pgscore_data.feed_day where model_id = $1 order by feed`,
      [model.modelId],
    );
    expect(rows).toEqual([
      { feed: 'labels', n: 1, fresh: true },
      { feed: 'scoring', n: 1, fresh: true },
    ]);
  });
});

describe('drift', () => {
  type Drift = { feature: string; psi: number; n?: number; noise?: number };

  /** A day of drift per entry, the same for each model, where the view that brings it will be. */
  async function drifted(names: readonly string[], days: readonly Drift[][]): Promise<void> {
    for (const name of names) await addMonitoredModel(superuser, name, 'binary');
    await superuser.query(`create table if not exists pgscore_data.drift_of_test
      (model_name text, model_version bigint, window_date date, window_start timestamptz, window_end timestamptz, metric text, column_name text, value float8, n bigint, noise_limit float8, undefined_reason text, grain text default 'day')`);
    await superuser.query('alter table pgscore_data.drift_of_test owner to pgscore_owner');
    await superuser.query(
      'create or replace view pgscore_data.drift_series as select * from pgscore_data.drift_of_test',
    );
    for (const [day, features] of days.entries()) {
      await superuser.query(
        `insert into pgscore_data.drift_of_test
         select m.name, 1, ($2::timestamptz at time zone 'UTC')::date, $2, $2::timestamptz + interval '1 day', 'psi', f ->> 'feature', (f ->> 'psi')::float8, coalesce((f ->> 'n')::int, 1000), (f ->> 'noise')::float8
           from unnest($1::text[]) m (name) cross join jsonb_array_elements($3::jsonb) f`,
        [names, at(day), JSON.stringify(features)],
      );
      await superuser.query(
        `insert into pgscore_data.alert_due select v.version_id from pgscore_data.version v join pgscore_data.model m using (model_id) where m.name = any ($1)`,
        [names],
      );
      await evaluate(superuser, at(day + 1, 6));
    }
  }

  test('is raised for each feature by two of three days that exceed threshold and noise, of rows enough', async () => {
    const day = (...psi: number[]): Drift[] => [
      { feature: 'steady', psi: 0.05 },
      { feature: 'once', psi: psi[0] ?? 0 },
      { feature: 'twice', psi: psi[1] ?? 0 },
      { feature: 'noisy', psi: 0.4, noise: 0.5 },
      { feature: 'scarce', psi: 9, n: 239 },
    ];
    await drifted(['drifting'], [day(0, 0.3), day(0.3, 0.1), day(0, 0.25), day(0, 0.1), day(0, 0.1)]);
    const { rows } = await superuser.query(
      `select column_name, event, window_date - date '2026-03-01' as day, value, severity from pgscore_bi.alert_history where model_name = 'drifting' order by event_id`,
    );
    expect(rows).toEqual([
      { column_name: 'twice', event: 'firing', day: 2, value: 0.25, severity: 'info' },
      { column_name: 'twice', event: 'resolved', day: 4, value: 0.1, severity: 'info' },
    ]);
    const shown = `select column_name, value, upper_threshold, is_breach from pgscore_bi.model_metric where model_name = 'drifting' and metric = 'psi' and window_date = '2026-03-01' and column_name in ('twice', 'noisy') order by 1`;
    expect((await superuser.query(shown)).rows).toEqual([
      { column_name: 'noisy', value: 0.4, upper_threshold: 0.5, is_breach: false },
      { column_name: 'twice', value: 0.3, upper_threshold: 0.2, is_breach: true },
    ]);
  });

  test('that cannot be read fails the look at its model, and at no other', async () => {
    await addMonitoredModel(superuser, 'broken', 'binary');
    const sound = await addMonitoredModel(superuser, 'sound', 'binary');
    await superuser.query(`create or replace view pgscore_data.drift_series as
      select 'broken' as model_name, 1::bigint as model_version, '2026-03-01'::date as window_date, '2026-03-01Z'::timestamptz as window_start, '2026-03-02Z'::timestamptz as window_end,
             'psi' as metric, 'f' as column_name, 1 / (random() * 0) as value, 1::bigint as n, 0::float8 as noise_limit, null::text as undefined_reason, 'day' as grain`);
    await superuser.query(
      `insert into pgscore_data.alert_due select version_id from pgscore_data.version v join pgscore_data.model m using (model_id) where m.name = 'broken'`,
    );
    await putDay(superuser, sound, 0, { accuracy: null, failed: 10_000 });
    const look = 'select failure from pgscore_data._evaluate_alerts($1, at_once => true)';
    expect((await superuser.query(look, [at(1, 6)])).rows).toEqual([{ failure: 'broken: division by zero' }]);
    expect(await told(superuser, 'sound', 'failed_rows')).toEqual([{ event: 'firing', day: 0, value: 0.5 }]);
  });

  test('is told once a day, of all models in one message, and does not remind', async () => {
    await superuser.query('truncate pgscore_data.alert_event, pgscore_data.alert, pgscore_data.drift_of_test');
    await drifted(['first_drift', 'second_drift'], [[{ feature: 'x', psi: 1 }], [{ feature: 'x', psi: 1 }]]);
    await evaluate(superuser, at(4, 6));
    const claim = 'select model from pgscore_data._claim_alerts()';
    const waits = `select distinct due_at, is_digest from pgscore_data.alert_event`;
    expect((await superuser.query(waits)).rows).toEqual([{ due_at: new Date(at(3)), is_digest: true }]);
    await superuser.query(
      `update pgscore_data.alert_event set due_at = now() + interval '1 minute', next_attempt_at = now()`,
    );
    expect((await superuser.query(claim)).rows).toEqual([]);
    await superuser.query(`update pgscore_data.alert_event set due_at = now() - interval '1 minute'`);
    expect((await superuser.query(claim)).rows).toEqual([{ model: 'first_drift' }, { model: 'second_drift' }]);
    expect((await superuser.query(claim)).rows).toEqual([]);
  });
});
