import { expect, test } from '@jest/globals';

import { cloneDatabase } from '../support/database.ts';
import { at, putDay } from './alert-days.ts';
import { addMonitoredModel, addRun, type MonitoredModel } from './monitored-model.ts';

const database = await cloneDatabase();
const [superuser, alice] = await Promise.all([database.client(), database.client('alice')]);

/** Until within day 20, which is 21 March 2026. */
const TRAINED_UNTIL = at(20, 12);

async function train(model: MonitoredModel): Promise<void> {
  await superuser.query(
    `update pgscore_data.version set options = jsonb_build_object('trained_until', $2::text) where version_id = $1`,
    [model.versionId, TRAINED_UNTIL],
  );
}

/** A version that is right about what it learned by heart, and as right as it ever will be afterwards. */
async function live(name: string, isTrained: boolean): Promise<MonitoredModel> {
  const model = await addMonitoredModel(superuser, name, 'binary');
  for (let day = 0; day < 50; day += 1) {
    await putDay(superuser, model, day, { accuracy: day <= 20 ? 0.99 : 0.85, n: 400 });
  }
  if (isTrained) await train(model);
  return model;
}

type Previewed = { day: number; state: string; event: string | null };

async function previewed(name: string, alert = 'accuracy_drop'): Promise<Previewed[]> {
  const text = `select window_date - date '2026-03-01' as day, state, event from pgscore.preview_monitor($1, $2) order by window_start`;
  return (await alice.query<Previewed>(text, [name, alert])).rows;
}

test('what is usual is told from windows after the training data: accuracy that falls to what it is raises nothing', async () => {
  await live('untold', false);
  await live('told', true);
  expect((await previewed('untold')).filter(({ event }) => event === 'firing')).not.toEqual([]);
  const said = await previewed('told');
  expect(said.filter(({ event }) => event !== null)).toEqual([]);
  const judged = said.filter(({ state }) => state === 'ok').map(({ day }) => day);
  // The first seven days after day 20, in which training ended, make what is usual.
  expect([judged[0], judged.at(-1), judged.length]).toEqual([28, 49, 22]);
});

test('a threshold that is a number holds for training data, too', async () => {
  await live('floor', true);
  await superuser.query(
    `select pgscore.set_alert('floor', 'high_floor', 'accuracy', threshold => 0.999, grain => 'day')`,
  );
  const fired = (await previewed('floor', 'high_floor')).filter(({ event }) => event === 'firing');
  expect(fired.map(({ day }) => day)).toEqual([0]);
});

test('each view of accuracy marks the windows that begin in training data', async () => {
  const { rows: views } = await superuser.query<{ name: string; is_marked: boolean }>(
    `select c.table_name as name, bool_or(c.column_name = 'in_training') as is_marked
       from information_schema.columns c where c.table_schema = 'pgscore_bi' group by 1 having bool_or(c.column_name = 'is_mature')
      order by 1`,
  );
  const unmarked = views.filter(({ is_marked }) => !is_marked).map(({ name }) => name);
  const estimated = ['daily', 'monthly', 'weekly'].map((suffix) => `estimated_performance_${suffix}`);
  expect(unmarked).toEqual([...estimated, 'label_coverage_daily']);
  const model = await addMonitoredModel(superuser, 'marked', 'binary');
  const rows = Array.from({ length: 720 }, (_, id) => ({
    id,
    at: at(id / 12),
    score: id % 3 ? 0.3 : 0.7,
    label: id % 3 ? 'no' : 'yes',
  }));
  await addRun(superuser, model, rows);
  await superuser.query(
    `select pgscore.record_label('marked', n::text, case n % 3 when 0 then 'yes' else 'no' end, $1::timestamptz + n * interval '2 hours' + interval '1 hour')
       from generate_series(0, 719) n`,
    [at(0)],
  );
  await superuser.query('select pgscore.refresh()');
  const windows = async (view: string): Promise<unknown> => {
    const text = `select distinct window_date::text as date, in_training from pgscore_bi.${view}
        where model_name = 'marked' and ($1 or window_date between '2026-03-20' and '2026-03-23') order by 1`;
    const { rows: found } = await superuser.query(text, [!view.endsWith('_daily')]);
    return found.map(({ date, in_training }) => [date, in_training]);
  };
  const days = (of: (boolean | null)[]): unknown => of.map((is, n) => [`2026-03-${20 + n}`, is]);
  const month = (of: (boolean | null)[]): unknown => of.map((is, n) => [`2026-0${3 + n}-01`, is]);
  const daily = [
    'binary_performance_daily',
    'class_performance_daily',
    'confusion_matrix_daily',
    'score_distribution_daily',
  ];
  const monthly = [
    'binary_performance_monthly',
    'performance_by_label_age',
    'reliability_curve',
    'threshold_curve',
    'roc_curve',
  ];
  const deploy = async (time: string): Promise<void> => {
    await superuser.query('update pgscore_data.version set deployed_at = $2 where version_id = $1', [
      model.versionId,
      time,
    ]);
  };
  // After all of these days; and it says nothing of its training.
  await deploy(at(100));
  for (const view of daily) expect([view, await windows(view)]).toEqual([view, days([null, null, null, null])]);
  for (const view of monthly) expect([view, await windows(view)]).toEqual([view, month([null, null])]);
  await deploy(at(-1));
  for (const view of daily) expect([view, await windows(view)]).toEqual([view, days([false, false, false, false])]);
  await train(model);
  for (const view of daily) expect([view, await windows(view)]).toEqual([view, days([true, true, false, false])]);
  for (const view of monthly) expect([view, await windows(view)]).toEqual([view, month([true, false])]);
  const health = `select latest_window::text, value_before from pgscore_bi.current_model_health where model_name = 'marked'`;
  expect((await superuser.query(health)).rows).toEqual([{ latest_window: '2026-04-01', value_before: null }]);
  const metric = `select distinct in_training from pgscore_bi.model_metric
     where model_name = 'marked' and grain = 'day' and metric = 'accuracy' and window_date <= '2026-03-21'`;
  expect((await superuser.query(metric)).rows).toEqual([{ in_training: true }]);
});

test('scores are calibrated by days after the training data alone', async () => {
  const { rows } = await superuser.query(
    `select (m.month at time zone 'UTC')::date::text as month, m.n::int
       from pgscore_data.version v join pgscore_data.model o using (model_id), pgscore_data._calibration_months(v.version_id) m
      where o.name = 'marked' order by 1`,
  );
  // 39 days of twelve labels are left of March and April; the ten of March are too few.
  expect(rows).toEqual([{ month: '2026-05-01', n: 39 * 12 }]);
});
