import { describe, expect, test } from '@jest/globals';

import { cloneDatabase } from '../support/database.ts';
import { refusal } from '../support/refusal.ts';
import { at, evaluate, live, putDay } from './alert-days.ts';
import { addMonitoredModel, addVersion } from './monitored-model.ts';

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
          'accuracy_drop auc_drop dataset_drift failed_rows feature_drift labels_stopped missing_scores missing_values scoring_stopped volume watch_delay',
        is_default: true,
      },
      {
        model: 'number',
        alerts:
          'dataset_drift error_rise failed_rows feature_drift labels_stopped missing_values scoring_stopped volume watch_delay',
        is_default: true,
      },
    ]);
  });

  test('are set in place of one of the same name, dropped, and written to the audit', async () => {
    await ada.query(
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
        set_by: 'ada',
      },
    ]);
    await ada.query(`select pgscore.drop_alert('asked', 'accuracy_drop')`);
    expect((await alice.query(shown)).rows).toEqual([]);
    const events = `select text from pgscore_bi.model_events where text like 'asked:%alert%' order by "time"`;
    expect((await superuser.query(events)).rows).toEqual([
      { text: 'asked: set_alert by ada' },
      { text: 'asked: drop_alert by ada' },
    ]);
  });

  test.each([
    [`'x', 'mae'`, 'metric \'mae\' is none of model "asked"'],
    [`'', 'accuracy'`, `alert '' of model "asked" cannot be set: a name has 1 to 200 bytes`],
    [`'x', 'accuracy', direction => 'up'`, 'direction is below, above or outside'],
    [`'x', 'accuracy', threshold => 'NaN'`, 'a threshold is a number of less than 1e300'],
    [`'x', 'accuracy', threshold => 0.8, clear_at => 0.7`, 'clear_at lies on the good side of the threshold'],
    [`'x', 'accuracy', threshold => 0.8, direction => 'outside'`, 'outside is about the usual range'],
    [`'x', 'accuracy', for_windows => 3, of_windows => 2`, 'for_windows is 1 to of_windows'],
    [`'x', 'accuracy', column_name => 'age'`, 'accuracy is not about a column'],
    [`'x', 'failed_share', grain => 'month'`, 'failed_share is counted by the day'],
    [`'x', 'n_predictions', grain => 'auto'`, 'grain => auto is for performance and drift'],
    [`'x', 'accuracy', grain => 'year'`, 'grain is day, week or month'],
    [`'x', 'psi', threshold => 0.2, column_name => 'age'`, 'psi is not about age'],
    [`'x', 'drift_share', threshold => 0.2, column_name => 'age'`, 'drift_share is about all features'],
    [`'x', 'psi', direction => 'below'`, 'psi is bad when it is high'],
    [`'x', 'accuracy', keep_firing_for => '-1 day'`, 'are not negative'],
    [`'x', 'hours_since_labels', threshold => 48, clear_at => 24`, 'it has no clear_at'],
    [`'x', 'accuracy', severity => null`, 'severity is info, warning or critical'],
    [`'x', 'accuracy', threshold => 80`, 'accuracy lies between 0 and 1, not at 80'],
    [`'x', 'failed_share', threshold => -0.1`, 'failed_share lies between 0 and 1, not at -0.1'],
    [`'x', 'accuracy', threshold => 0.8, clear_at => 85`, 'accuracy lies between 0 and 1, not at 85'],
  ])('that make no sense are refused: %s', async (args, message) => {
    const text = `select pgscore.set_alert('asked', ${args})`;
    expect((await refusal(alice, text)).message).toContain(message);
  });

  test.each([
    [`'accuracy', column_name => 'age'`, 'Leave out column_name.'],
    [`'psi', threshold => 0.2, column_name => 'age'`, 'Leave out column_name, or name one of these.'],
    [`'drift_share', threshold => 0.2, column_name => 'age'`, 'Leave out column_name.'],
  ])('about what they are not say to leave that out: %s', async (args, hint) => {
    expect(await refusal(alice, `select pgscore.set_alert('asked', 'x', ${args})`)).toMatchObject({ hint });
  });

  test('about a share past 1 say to write it as one, and others take any threshold', async () => {
    const set = (name: string, metric: string, threshold: number) =>
      `select pgscore.set_alert('${name}', 'x', '${metric}', threshold => ${threshold})`;
    expect(await refusal(alice, set('asked', 'accuracy', 80))).toMatchObject({
      hint: 'Write a percentage as a share: 80 % is 0.8.',
    });
    await alice.query('begin');
    for (const [name, metric, threshold] of [
      ['asked', 'accuracy', 1],
      ['asked', 'mcc', -0.1],
      ['asked', 'missing_rate_delta', -0.05],
      ['number', 'mae', 80],
    ] as const)
      await expect(alice.query(set(name, metric, threshold))).resolves.toBeDefined();
    await alice.query('rollback');
  });

  test('with a threshold for a metric that is neither better high nor low need a direction', async () => {
    const text = `select pgscore.set_alert('number', 'x', 'bias', threshold => 0.8)`;
    expect(await refusal(alice, text)).toMatchObject({
      message: expect.stringContaining('outside is about the usual range, which has no threshold'),
      hint: expect.stringContaining(`direction => 'below'`),
    });
  });

  test('that every model has are changed by deployers alone', async () => {
    for (const call of [`drop_alert('asked', 'volume')`, `set_alert('asked', 'volume', 'accuracy')`])
      expect(await refusal(alice, `select pgscore.${call}`)).toMatchObject({
        code: '42501',
        message: `alert 'volume' is one that every model has: deployers set and drop it`,
        hint: 'Ask a deployer, or set one under another name.',
      });
  });

  test('belong to who set them, and to deployers', async () => {
    await alice.query(`select pgscore.set_alert('asked', 'mine', 'accuracy', threshold => 0.8)`);
    expect(await refusal(bob, `select pgscore.drop_alert('asked', 'mine')`)).toMatchObject({
      code: '42501',
      hint: 'Ask alice or a deployer, or choose another name.',
    });
    await ada.query(`select pgscore.drop_alert('asked', 'mine')`);
    for (const call of [
      `select pgscore.drop_alert('asked', 'mine')`,
      `select * from pgscore.preview_monitor('asked', 'mine')`,
    ])
      expect(await refusal(alice, call)).toMatchObject({
        code: '42704',
        message: `model "asked" has no alert 'mine'`,
      });
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

test('a rule that is set anew judges anew, and its transaction holds up nobody while it is open', async () => {
  const model = await addMonitoredModel(superuser, 'changed', 'binary');
  await alice.query(`select pgscore.set_alert('changed', 'low', 'accuracy', threshold => 0.8)`);
  await live(superuser, model, [{ accuracy: 0.7 }]);
  await alice.query('begin');
  await alice.query(`select pgscore.set_alert('changed', 'low', 'accuracy', threshold => 0.6)`);
  await superuser.query(`set lock_timeout = '2s'`);
  await putDay(superuser, model, 0, { accuracy: 0.71 });
  await evaluate(superuser, at(1, 7));
  await superuser.query('reset lock_timeout');
  await alice.query('commit');
  await evaluate(superuser, at(1, 8));
  const { rows } = await superuser.query(
    `select event, reason, lower_threshold from pgscore_bi.alert_history where model_name = 'changed' order by event_id`,
  );
  expect(rows).toEqual([
    { event: 'firing', reason: null, lower_threshold: 0.8 },
    { event: 'resolved', reason: 'recovered', lower_threshold: 0.6 },
  ]);
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

test('an alert is resolved at once where its rule is dropped, and where another version is champion', async () => {
  const model = await addMonitoredModel(superuser, 'replaced', 'binary');
  for (const name of ['one', 'two'])
    await alice.query(`select pgscore.set_alert('replaced', $1, 'accuracy', threshold => 0.8)`, [name]);
  await live(superuser, model, [{ accuracy: 0.5 }]);
  await alice.query(`select pgscore.drop_alert('replaced', 'one')`);
  await evaluate(superuser, at(1, 7));
  await addVersion(superuser, model, 2);
  await ada.query(`select pgscore.promote('replaced@2')`);
  // Before the ten minutes after which all models are looked at.
  await superuser.query('select pgscore_data._evaluate_alerts($1, at_once => true)', [at(1, 7.1)]);
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

describe('a rule of one user', () => {
  test.each(['-1.7e308', '1.7e308'])('with a threshold of %s silences no other', async (threshold) => {
    const name = threshold.startsWith('-') ? 'poisoned_below' : 'poisoned_above';
    const model = await addMonitoredModel(superuser, name, 'binary');
    await putDay(superuser, model, 1, { accuracy: 0.9 });
    for (const direction of ['below', 'above'])
      await alice
        .query(`select pgscore.set_alert($1, $2, 'accuracy', threshold => $3, direction => $2)`, [
          name,
          direction,
          threshold,
        ])
        .catch((error: unknown) => expect(error).toMatchObject({ code: '22023' }));
    await superuser.query(`update pgscore_data.alert_clock set last_at = '-infinity'`);
    const look = 'select failure from pgscore_data._evaluate_alerts($1, at_once => true)';
    expect((await superuser.query(look, [at(40)])).rows).toEqual([{ failure: null }]);
  });

  test('is one of a hundred of a model at most: each is looked at whenever a label comes', async () => {
    await addMonitoredModel(superuser, 'crowded', 'binary');
    const set = `select pgscore.set_alert('crowded', 'rule ' || n, 'accuracy', threshold => 0.5) from generate_series($1::int, $2) n`;
    await alice.query(set, [1, 100]);
    await expect(alice.query(set, [101, 101])).rejects.toMatchObject({ code: '54000' });
    await alice.query(set, [100, 100]);
  });
});
