import { describe, expect, test } from '@jest/globals';

import { cloneDatabase } from '../support/database.ts';
import { at, evaluate, live, putDay, told, yesterday } from './alert-days.ts';
import { addMonitoredModel, addRun } from './monitored-model.ts';

const database = await cloneDatabase();
const [superuser, alice] = await Promise.all([database.client(), database.client('alice')]);

async function sentences(model: string, alert: string): Promise<string[]> {
  const { rows } = await superuser.query<{ message: string }>(
    'select message from pgscore_bi.alert_history where model_name = $1 and alert = $2 order by event_id',
    [model, alert],
  );
  return rows.map(({ message }) => message);
}

async function sentence(model: string, alert: string): Promise<string | undefined> {
  const { rows } = await alice.query<{ message: string }>(
    'select message from pgscore.alerts where model = $1 and alert = $2',
    [model, alert],
  );
  return rows[0]?.message;
}

test('each alert is a sentence, in the views and for the webhook', async () => {
  const model = await addMonitoredModel(superuser, 'churn', 'binary');
  await alice.query(`select pgscore.set_alert('churn', 'low', 'accuracy', threshold => 0.8)`);
  expect(await sentence('churn', 'low')).toBe(
    'low of churn@1 has insufficient data: no recent window has rows enough, and labels where it needs them; preview_monitor() judges earlier ones.',
  );
  await live(superuser, model, [{ accuracy: 0.5 }]);
  expect(await sentence('churn', 'low')).toBe('low of churn@1 is firing: accuracy was 0.5 on 2026-03-01, below 0.8.');
  expect(await sentence('churn', 'auc_drop')).toBe(
    'auc_drop of churn@1 has insufficient data: roc_auc has no value on 2026-03-01.',
  );
  await evaluate(superuser, at(2, 12));
  await putDay(superuser, model, 1, { accuracy: 0.91234 });
  await evaluate(superuser, at(2, 13));
  const told = await superuser.query<{ message: string }>('select message from pgscore_data._claim_alerts()');
  const expected = [
    'low of churn@1 is firing: accuracy was 0.5 on 2026-03-01, below 0.8.',
    'low of churn@1 is still raised: accuracy was 0.5 on 2026-03-01, below 0.8.',
    'low of churn@1 is resolved (recovered): accuracy was 0.9124 on 2026-03-02.',
  ];
  expect(await sentences('churn', 'low')).toEqual(expected);
  expect(told.rows).toEqual([]);
  await superuser.query(
    `update pgscore_data.alert_event set due_at = clock_timestamp() - interval '1 minute', next_attempt_at = clock_timestamp() - interval '1 minute'`,
  );
  const claimed = await superuser.query<{ message: string }>('select message from pgscore_data._claim_alerts()');
  expect(claimed.rows.map(({ message }) => message)).toEqual(expected);
});

test('that of a lasting drop says since when, and what is usual', async () => {
  const model = await addMonitoredModel(superuser, 'slow', 'binary');
  const days = Array.from({ length: 30 }, (_, day) => ({ accuracy: day < 20 ? 0.88 : 0.83, n: 200 }));
  await live(superuser, model, days);
  const [first, next] = await sentences('slow', 'accuracy_drop');
  const because = 'since 2026-03-21 it has been 0.83, where 0.88 is usual.';
  expect(first).toBe(`accuracy_drop of slow@1 is firing: accuracy was 0.83 on 2026-03-25; ${because}`);
  expect(next).toBe(`accuracy_drop of slow@1 is still raised: accuracy was 0.83 on 2026-03-26; ${because}`);
});

test('that of silence, of a dropped rule and of large numbers reads as one, too', async () => {
  const model = await addMonitoredModel(superuser, 'mixed', 'binary');
  await alice.query(
    `select pgscore.set_alert('mixed', 'few', 'n_predictions', threshold => 20000, direction => 'below')`,
  );
  await putDay(superuser, model, 0, { accuracy: 0.9, n: 12_346 });
  await evaluate(superuser, at(2, 6));
  await alice.query(`select pgscore.drop_alert('mixed', 'few')`);
  await evaluate(superuser, at(2, 7));
  expect(await sentences('mixed', 'few')).toEqual([
    'few of mixed@1 is firing: n_predictions was 12346 on 2026-03-01, below 20000.',
    'few of mixed@1 is resolved (dropped).',
  ]);
  for (let day = 0; day < 10; day += 1)
    await superuser.query(`select pgscore_data._note_feed('scoring', $1, $2)`, [model.modelId, at(day, 12)]);
  await evaluate(superuser, at(9, 12 + 49));
  expect(await sentences('mixed', 'scoring_stopped')).toEqual([
    'scoring_stopped of mixed has no data: hours_since_scoring was 49 on 2026-03-12, above 48.',
  ]);
});

test('where no service has a webhook, delivery is none; else it waits until it is told', async () => {
  const model = await addMonitoredModel(superuser, 'told', 'binary');
  await alice.query(`select pgscore.set_alert('told', 'low', 'accuracy', threshold => 0.8)`);
  const delivery = async (): Promise<unknown[]> => {
    const read = `select delivery from pgscore_bi.alert_history where model_name = 'told' order by event_id`;
    return (await superuser.query<{ delivery: string }>(read)).rows.map((row) => row.delivery);
  };
  const worker = `insert into pgscore_data.service (service_id, host, pid, version, scorers, state, has_webhook) values (gen_random_uuid(), 'here', 1, '', 1, 'running', $1)`;
  await superuser.query(worker, [false]);
  const yesterday = Math.floor((Date.now() - Date.parse(at(0))) / 86_400_000) - 1;
  await putDay(superuser, model, yesterday, { accuracy: 0.5 });
  await evaluate(superuser, new Date().toISOString());
  expect(await delivery()).toEqual(['none']);
  await superuser.query(worker, [true]);
  expect(await delivery()).toEqual(['waiting']);
  await putDay(superuser, model, yesterday, { accuracy: 0.9 });
  await evaluate(superuser, new Date().toISOString());
  await superuser.query(`update pgscore_data.alert_event set due_at = due_at - interval '2 days'`);
  expect(await delivery()).toEqual(['none', 'given_up']);
});

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

  test('that has ended is not raised again while hours grow up to the threshold', async () => {
    const { modelId } = await addMonitoredModel(superuser, 'nightly', 'binary');
    await alice.query(`select pgscore.set_alert('nightly', 'late_night', 'hours_since_scoring', threshold => 26)`);
    for (let day = 0; day < 10; day += 1) {
      if (day !== 5) await superuser.query(`select pgscore_data._note_feed('scoring', $1, $2)`, [modelId, at(day, 2)]);
      for (const hour of [3, 12, 23]) await evaluate(superuser, at(day, hour));
    }
    expect(await told(superuser, 'nightly', 'late_night')).toEqual([
      { event: 'no_data', day: 5, value: 34 },
      { event: 'resolved', day: 6, value: 1 },
    ]);
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
      `select feed, last_at > now() - interval '1 minute' as fresh from pgscore_data.feed_day where model_id = $1 order by feed`,
      [model.modelId],
    );
    expect(rows).toEqual([
      { feed: 'labels', fresh: true },
      { feed: 'scoring', fresh: true },
    ]);
  });
});

describe('drift', () => {
  type Drift = { feature: string; psi: number; n?: number; noise?: number };

  /** A day of drift per entry, the same for each model, where the view that brings it will be. */
  async function drifted(names: readonly string[], days: readonly Drift[][], maturity = '30 days'): Promise<void> {
    for (const name of names) {
      const { modelId } = await addMonitoredModel(superuser, name, 'binary');
      await superuser.query('update pgscore_data.monitor set label_maturity = $2 where model_id = $1', [
        modelId,
        maturity,
      ]);
    }
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

  test('clears after two days in a row at half of the threshold, also where the first is beyond the horizon', async () => {
    const day = (psi: number): Drift[] => [{ feature: 'x', psi, noise: 0.01 }];
    const pause = Array.from({ length: 6 }, (): Drift[] => []);
    await drifted(['rare'], [day(0.3), day(0.3), day(0.15), ...pause, day(0.05), day(0.05)], '0 days');
    expect(await told(superuser, 'rare', 'feature_drift')).toEqual([
      { event: 'firing', day: 1, value: 0.3 },
      { event: 'resolved', day: 10, value: 0.05 },
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
