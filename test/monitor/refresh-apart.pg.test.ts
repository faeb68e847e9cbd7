import { beforeAll, beforeEach, expect, test } from '@jest/globals';

import { createLogger } from '../../src/log.ts';
import { refresh } from '../../src/monitor/refresh.ts';
import { cloneDatabase } from '../support/database.ts';
import { stageFeatures, unitBins } from './golden/staged-features.ts';
import { addMonitoredModel, addRun, type MonitoredModel } from './monitored-model.ts';

const database = await cloneDatabase();
const superuser = await database.client();

const logged: { model?: string; reason?: string }[] = [];
const log = Object.assign(createLogger('silent', false), {
  error: (facts: { model?: string; reason?: string }) => logged.push(facts),
});
const always = (): boolean => true;

const models = new Map<string, MonitoredModel>();
let id = 0;

/** Gives both models a prediction that is labelled. */
async function more(): Promise<void> {
  id += 1;
  for (const [name, model] of models) {
    await addRun(superuser, model, [{ id, at: '2026-03-02 12:00+00', score: 0.75, label: 'yes' }]);
    const label = `select pgscore.record_label($1, $2, 'yes', '2026-03-02 13:00+00')`;
    await superuser.query(label, [name, String(id)]);
  }
}

beforeAll(async () => {
  for (const name of ['bad', 'good']) models.set(name, await addMonitoredModel(superuser, name, 'binary'));
});
beforeEach(() => {
  logged.length = 0;
});

async function shown(view: string, column: string): Promise<unknown[]> {
  const read = `select model_name as model, ${column}::float8 as value from pgscore_bi.${view} order by 1`;
  return (await superuser.query(read)).rows;
}

/** While `work` goes on nothing can be stored about the version of the bad model in a table. */
async function broken(table: string, work: () => Promise<void>): Promise<void> {
  const key = table === 'evaluation' ? 'model_id' : 'version_id';
  const value = table === 'evaluation' ? models.get('bad')?.modelId : models.get('bad')?.versionId;
  const forbid = `alter table pgscore_data.${table} add constraint broken check (${key} <> ${value}) not valid`;
  await superuser.query(forbid);
  await work();
  const allow = `alter table pgscore_data.${table} drop constraint broken`;
  await superuser.query(allow);
}

test('a model whose labels cannot be taken holds up no other, and is caught up with when they can', async () => {
  await broken('evaluation', async () => {
    await more();
    await refresh(superuser, always, log);
    expect(await shown('binary_performance_daily', 'n_labeled')).toEqual([{ model: 'good', value: 1 }]);
    expect(logged).toEqual([{ model: 'bad', reason: expect.stringContaining('violates check constraint "broken"') }]);
    await more();
    await refresh(superuser, always, log);
    expect(await shown('binary_performance_daily', 'n_labeled')).toEqual([{ model: 'good', value: 2 }]);
  });
  await refresh(superuser, always, log);
  expect(await shown('binary_performance_daily', 'n_labeled')).toEqual([
    { model: 'bad', value: 2 },
    { model: 'good', value: 2 },
  ]);
  const waiting = `select (select count(*) from pgscore_data.label_change)::int as labels, (select count(*) from pgscore_data.run where not counted)::int as runs`;
  expect((await superuser.query(waiting)).rows).toEqual([{ labels: 0, runs: 0 }]);
});

test.each(['metric_value', 'estimate'])(
  'a version whose %s cannot be stored holds up no other, nor what comes after',
  async (table) => {
    const good = models.get('good')?.versionId;
    const forget = `delete from pgscore_data.${table}`;
    await superuser.query(forget);
    const read = `select from pgscore_data.${table} where version_id = $1`;
    await broken(table, async () => {
      await more();
      await refresh(superuser, always, log);
      const stored = await superuser.query(read, [good]);
      expect(stored.rowCount).toBeGreaterThan(0);
      expect(new Set(logged.map(({ model }) => model))).toEqual(new Set(['bad@1']));
      const due = await superuser.query('select from pgscore_data.estimate_due where version_id = $1', [good]);
      expect(due.rowCount).toBe(0);
    });
    await refresh(superuser, always, log);
    const waiting = `select (select count(*) from pgscore_data.touched)::int + (select count(*) from pgscore_data.estimate_due)::int as waiting`;
    expect((await superuser.query(waiting)).rows).toEqual([{ waiting: 0 }]);
  },
);

test('features whose drift cannot be stored hold up no others', async () => {
  const feature = { name: 'x', kind: 'number' as const, ...unitBins(3), baseline: [0, 0, 500, 500, 500, 0] };
  const windows = { '2026-03-02 00:00+00': [0, 0, 100, 100, 100, 0] };
  for (const name of ['bad_features', 'good_features']) await stageFeatures(superuser, name, [{ ...feature, windows }]);
  const forbid = `alter table pgscore_data.drift_value add constraint broken check (set_id <> ${'1'})`;
  await superuser.query(forbid);
  await refresh(superuser, always, log);
  expect(await shown('feature_drift_daily', 'n')).toEqual([{ model: 'good_features', value: 300 }]);
  expect(logged).toMatchObject([{ model: 'bad_features@1' }]);
  await superuser.query('alter table pgscore_data.drift_value drop constraint broken');
  await refresh(superuser, always, log);
  expect(await shown('feature_drift_daily', 'n')).toEqual([
    { model: 'bad_features', value: 300 },
    { model: 'good_features', value: 300 },
  ]);
});

test('what fails with every model is logged of each', async () => {
  await more();
  await superuser.query('alter table pgscore_data.refresh_log rename to refresh_log_elsewhere');
  await refresh(superuser, always, log);
  await superuser.query('alter table pgscore_data.refresh_log_elsewhere rename to refresh_log');
  expect(logged.map(({ model }) => model)).toEqual(['bad', 'good']);
});

test('a model whose predictions cannot be kept holds up no other, and is caught up with when they can', async () => {
  const counted = async (): Promise<number[]> => {
    const { rows } = await superuser.query<{ n: number }>(
      `select sum(n_labeled)::int as n from pgscore_bi.binary_performance_daily group by model_name order by model_name`,
    );
    return rows.map(({ n }) => n);
  };
  await refresh(superuser, always, log);
  const [bad = 0, good = 0] = await counted();
  await broken('kept_prediction', async () => {
    await more();
    await refresh(superuser, always, log);
    expect(await counted()).toEqual([bad, good + 1]);
    expect(logged).toContainEqual({ model: 'bad', reason: expect.stringContaining('"broken"') });
  });
  await refresh(superuser, always, log);
  expect(await counted()).toEqual([bad + 1, good + 1]);
});

test('a model whose rows an open transaction holds holds up no other', async () => {
  const before = await shown('binary_performance_daily', 'n_labeled');
  const keeper = await database.client();
  await more();
  await keeper.query('begin');
  await keeper.query('select from pgscore_data.version where version_id = $1 for update', [
    models.get('bad')?.versionId,
  ]);
  await superuser.query(`set lock_timeout = '500ms'`);
  await refresh(superuser, always, log);
  await superuser.query('reset lock_timeout');
  const [bad, good] = (await shown('binary_performance_daily', 'n_labeled')) as { value: number }[];
  expect(bad).toEqual(before[0]);
  expect(good?.value).toBe((before[1] as { value: number }).value + 1);
  expect(logged).toEqual([{ model: 'bad', reason: expect.stringContaining('lock timeout') }]);
  await keeper.query('rollback');
});

test('a model that takes longer than the timeout holds up no other, rests, and is caught up with when it can be', async () => {
  const counted = async (): Promise<number[]> =>
    ((await shown('binary_performance_daily', 'n_labeled')) as { value: number }[]).map(({ value }) => value);
  const slow = new Map<number, number>();
  await refresh(superuser, always, log);
  const [bad = 0, good = 0] = await counted();
  const hold = `create function pg_temp.wait() returns trigger language plpgsql as $$ begin perform pg_sleep(60); return new; end $$;
     create trigger wait before insert on pgscore_data.evaluation for each row when (new.model_id = ${models.get('bad')?.modelId})
       execute function pg_temp.wait();
     set statement_timeout = '3s'`;
  await superuser.query(hold);
  await more();
  await refresh(superuser, always, log, slow);
  expect(await counted()).toEqual([bad, good + 1]);
  expect(logged).toEqual([{ model: 'bad', reason: expect.stringContaining('statement timeout') }]);
  await more();
  await refresh(superuser, always, log, slow);
  expect(await counted()).toEqual([bad, good + 2]);
  expect(logged).toHaveLength(1);
  await superuser.query('drop trigger wait on pgscore_data.evaluation; reset statement_timeout');
  for (const id of slow.keys()) slow.set(id, 0);
  await refresh(superuser, always, log, slow);
  expect(await counted()).toEqual([bad + 2, good + 2]);
  expect(slow.size).toBe(0);
}, 60_000);
