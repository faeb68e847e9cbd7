import { describe, expect, test } from '@jest/globals';

import { cloneDatabase } from '../support/database.ts';
import { refusal } from '../support/refusal.ts';
import { at, evaluate, live, putDay, told } from './alert-days.ts';
import { addMonitoredModel, addRun } from './monitored-model.ts';

const database = await cloneDatabase();
const [superuser, ada, alice, bob] = await Promise.all([
  database.client(),
  database.client('ada'),
  database.client('alice'),
  database.client('bob'),
]);

describe('rules', () => {
  test('are there for every model without being asked for, by its task', async () => {
    await addMonitoredModel(superuser, 'asked', 'binary');
    await addMonitoredModel(superuser, 'number', 'regression');
    const rules = `select model, string_agg(distinct alert, ' ' order by alert) as alerts, bool_and(is_default) as is_default from pgscore.alerts group by model order by model`;
    expect((await alice.query(rules)).rows).toEqual([
      {
        model: 'asked',
        alerts:
          'accuracy_drop auc_drop dataset_drift failed_rows feature_drift labels_stopped missing_scores scoring_stopped volume',
        is_default: true,
      },
      {
        model: 'number',
        alerts: 'dataset_drift error_rise failed_rows feature_drift labels_stopped scoring_stopped volume',
        is_default: true,
      },
    ]);
  });

  test('are set in place of one of the same name, dropped, and written to the audit', async () => {
    await alice.query(
      `select pgscore.set_alert('asked', 'accuracy_drop', 'accuracy', threshold => 0.8, severity => 'critical')`,
    );
    const shown = `select alert, threshold, severity, direction, is_default, set_by from pgscore.alerts where model = 'asked' and alert = 'accuracy_drop'`;
    expect((await alice.query(shown)).rows).toEqual([
      {
        alert: 'accuracy_drop',
        threshold: 0.8,
        severity: 'critical',
        direction: 'below',
        is_default: false,
        set_by: 'alice',
      },
    ]);
    await alice.query(`select pgscore.drop_alert('asked', 'accuracy_drop')`);
    expect((await alice.query(shown)).rows).toEqual([]);
    const events = `select text from pgscore_bi.model_events where text like 'asked:%alert%' order by "time"`;
    expect((await superuser.query(events)).rows).toEqual([
      { text: 'asked: set_alert by alice' },
      { text: 'asked: drop_alert by alice' },
    ]);
  });

  test.each([
    [`'x', 'mae'`, 'metric \'mae\' is none of model "asked"'],
    [`'', 'accuracy'`, `alert '' of model "asked" cannot be set: a name has 1 to 200 bytes`],
    [`'x', 'accuracy', direction => 'up'`, 'direction is below, above or outside'],
    [`'x', 'accuracy', threshold => 'NaN'`, 'a threshold is a finite number'],
    [`'x', 'accuracy', threshold => 0.8, clear_at => 0.7`, 'clear_at lies on the good side of the threshold'],
    [`'x', 'accuracy', threshold => 0.8, direction => 'outside'`, 'outside is about the usual range'],
    [`'x', 'accuracy', for_windows => 3, of_windows => 2`, 'for_windows is 1 to of_windows'],
    [`'x', 'accuracy', column_name => 'age'`, 'accuracy is not about a column'],
    [`'x', 'failed_share', grain => 'month'`, 'failed_share is counted by the day'],
    [`'x', 'psi', direction => 'below'`, 'psi is bad when it is high'],
    [`'x', 'accuracy', keep_firing_for => '-1 day'`, 'are not negative'],
    [`'x', 'accuracy', severity => null`, 'severity is info, warning or critical'],
  ])('that make no sense are refused: %s', async (args, message) => {
    const text = `select pgscore.set_alert('asked', ${args})`;
    expect((await refusal(alice, text)).message).toContain(message);
  });

  test('belong to who set them, and to deployers', async () => {
    await alice.query(`select pgscore.set_alert('asked', 'mine', 'accuracy', threshold => 0.8)`);
    expect(await refusal(bob, `select pgscore.drop_alert('asked', 'mine')`)).toMatchObject({
      code: '42501',
      hint: 'Ask alice or a deployer, or choose another name.',
    });
    await ada.query(`select pgscore.drop_alert('asked', 'mine')`);
    expect(await refusal(alice, `select pgscore.drop_alert('asked', 'mine')`)).toMatchObject({ code: '42704' });
    await ada.query(`select pgscore.revoke_model('number', 'pgscore_user')`);
    for (const call of [
      `select pgscore.set_alert('number', 'x', 'mae')`,
      `select pgscore.drop_alert('number', 'volume')`,
      `select * from pgscore.preview_monitor('number')`,
    ])
      expect(await refusal(alice, call)).toMatchObject({ code: '42501' });
    const forged = `insert into pgscore._alert_request (model, action, name) values ('asked', 'deploy', 'x')`;
    expect(await refusal(alice, forged)).toMatchObject({ code: '22023' });
  });
});

test('an analyst sees the alerts of her models only', async () => {
  const secret = await addMonitoredModel(superuser, 'secret', 'binary');
  await ada.query(`select pgscore.set_alert('secret', 'low', 'accuracy', threshold => 0.8)`);
  await live(superuser, secret, [{ accuracy: 0.5 }]);
  await ada.query(`select pgscore.revoke_model('secret', 'pgscore_user')`);
  await ada.query(`select pgscore.grant_model('secret', 'alice')`);
  const seen = [];
  for (const role of ['bob', 'alice']) {
    await superuser.query('begin');
    const create = `create role onlooker in role pgscore_analyst, ${role}`;
    await superuser.query(create);
    await superuser.query('set local role onlooker');
    for (const view of ['alerts', 'alert_history', 'model_metric', 'model_events']) {
      const column = view === 'model_events' ? `text like 'secret%'` : `model_name = 'secret'`;
      const read = `select count(*) > 0 as any from pgscore_bi.${view} where ${column}`;
      seen.push(...(await superuser.query<{ any: boolean }>(read)).rows.map(({ any }) => [role, view, any]));
    }
    const health = `select coalesce(sum(open_alerts), 0)::int as open from pgscore_bi.current_model_health where model_name = 'secret'`;
    seen.push(...(await superuser.query<{ open: number }>(health)).rows.map(({ open }) => [role, 'open alerts', open]));
    await superuser.query('rollback');
  }
  expect(seen).toEqual([
    ['bob', 'alerts', false],
    ['bob', 'alert_history', false],
    ['bob', 'model_metric', false],
    ['bob', 'model_events', false],
    ['bob', 'open alerts', 0],
    ['alice', 'alerts', true],
    ['alice', 'alert_history', true],
    ['alice', 'model_metric', true],
    ['alice', 'model_events', true],
    ['alice', 'open alerts', 1],
  ]);
});

test('an alert is resolved where its rule is dropped, and where another version is champion', async () => {
  const model = await addMonitoredModel(superuser, 'replaced', 'binary');
  for (const name of ['one', 'two'])
    await alice.query(`select pgscore.set_alert('replaced', $1, 'accuracy', threshold => 0.8)`, [name]);
  await live(superuser, model, [{ accuracy: 0.5 }]);
  await alice.query(`select pgscore.drop_alert('replaced', 'one')`);
  await evaluate(superuser, at(1, 7));
  await superuser.query(
    `with version as (
       insert into pgscore_data.version (model_id, number, state, sha256, size_bytes, signature, deployed_by)
       select model_id, 2, 'ready', '', 1, signature, current_user from pgscore_data.version where version_id = $1 returning version_id, model_id
     ), executed as (
       insert into pgscore_data.execution (version_id, task, class_labels, positive_class, threshold, probabilities, features, native, parts)
       select v.version_id, e.task, e.class_labels, e.positive_class, e.threshold, e.probabilities, e.features, e.native, e.parts from version v, pgscore_data.execution e where e.version_id = $1
       on conflict (version_id) do nothing
     )
     insert into pgscore_data.alias (model_id, alias, version_id) select model_id, 'champion', version_id from version`,
    [model.versionId],
  );
  await evaluate(superuser, at(1, 8));
  const { rows } = await superuser.query(
    `select alert, event, reason from pgscore_bi.alert_history where model_name = 'replaced' order by event_id`,
  );
  expect(rows).toEqual([
    { alert: 'one', event: 'firing', reason: null },
    { alert: 'two', event: 'firing', reason: null },
    { alert: 'one', event: 'resolved', reason: 'dropped' },
    { alert: 'two', event: 'resolved', reason: 'superseded' },
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
      (model_name text, model_version bigint, window_date date, window_start timestamptz, window_end timestamptz, metric text, column_name text, value float8, n bigint, noise_limit float8, undefined_reason text)`);
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
    await drifted(['drifting'], [day(0, 0.3), day(0.3, 0.1), day(0, 0.25), day(0, 0.1)]);
    const { rows } = await superuser.query(
      `select column_name, event, window_date - date '2026-03-01' as day, value, severity from pgscore_bi.alert_history where model_name = 'drifting' order by event_id`,
    );
    expect(rows).toEqual([
      { column_name: 'twice', event: 'firing', day: 2, value: 0.25, severity: 'info' },
      { column_name: 'twice', event: 'resolved', day: 3, value: 0.1, severity: 'info' },
    ]);
    const shown = `select column_name, value, upper_threshold, is_breach from pgscore_bi.model_metric where model_name = 'drifting' and metric = 'psi' and window_date = '2026-03-01' and column_name in ('twice', 'noisy') order by 1`;
    expect((await superuser.query(shown)).rows).toEqual([
      { column_name: 'noisy', value: 0.4, upper_threshold: 0.5, is_breach: false },
      { column_name: 'twice', value: 0.3, upper_threshold: 0.2, is_breach: true },
    ]);
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

test('what the tall view says is what the wide views say', async () => {
  const model = await addMonitoredModel(superuser, 'tall', 'binary');
  await putDay(superuser, model, 0, { accuracy: 0.75, failed: 500 });
  const { rows } = await superuser.query(
    `select t.metric, t.value = w.accuracy and t.ci_low = w.accuracy_ci_low and t.ci_high = w.accuracy_ci_high and t.n = w.n_labeled as equal, t.grain
       from pgscore_bi.model_metric t join pgscore_bi.binary_performance_monthly w using (model_name, window_start)
      where t.model_name = 'tall' and t.metric = 'accuracy' and t.grain = 'month'`,
  );
  expect(rows).toEqual([{ metric: 'accuracy', equal: true, grain: 'month' }]);
  const metrics = `select metric, round(value::numeric, 4)::float8 as value, n::int, undefined_reason from pgscore_bi.model_metric where model_name = 'tall' and grain = 'day' and metric in ('roc_auc', 'failed_share', 'n_predictions', 'f1_score') order by metric`;
  expect((await superuser.query(metrics)).rows).toEqual([
    { metric: 'f1_score', value: 0.75, n: 10_000, undefined_reason: null },
    { metric: 'failed_share', value: 0.0476, n: 10_500, undefined_reason: null },
    { metric: 'n_predictions', value: 10_000, n: 10_000, undefined_reason: null },
    { metric: 'roc_auc', value: null, n: 10_000, undefined_reason: null },
  ]);
});
