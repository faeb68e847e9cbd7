import { beforeAll, describe, expect, test } from '@jest/globals';

import { classModel } from '../support/class-model.ts';
import { cloneDatabase } from '../support/database.ts';
import { deployBytes } from '../support/deploy.ts';
import { scoreTable } from '../support/run.ts';
import { startTestService } from '../support/service.ts';
import { waitFor } from '../support/wait-for.ts';
import { weightedModel } from '../support/weighted-model.ts';
import { callsCounted } from './calls.ts';

const database = await cloneDatabase();
const superuser = await database.client();
await startTestService(database, { PGSCORE_POLL: '0.4' });
const [ada, alice] = await Promise.all([database.client('ada'), database.client('alice')]);

beforeAll(async () => {
  await alice.query('set pgscore.execution = online');
});

/** Rows of a table asked about by score_rows(). */
async function ask(model: string, table: string, row = 't'): Promise<void> {
  const call = `select count(*) from pgscore.score_rows('${model}', array(select ${row} from ${table} t))`;
  await alice.query(call);
}

/** All cells of a model, but those of when. */
async function cellsOf(model: string): Promise<Record<string, unknown>> {
  const cells = {
    volume:
      'select sum(c.n_predictions)::int as n, sum(c.n_failed)::int as failed, sum(c.n_scored)::int as scored from pgscore_data.cell_volume c join of_model v using (version_id)',
    scores:
      'select c.bin, sum(c.n)::int as n, sum(c.n_positive)::int as positive from pgscore_data.cell_score c join of_model v using (version_id) group by 1 order by 1',
    classes:
      'select c.class, c.bin, sum(c.n)::int as n, sum(c.n_predicted)::int as predicted from pgscore_data.cell_class_volume c join of_model v using (version_id) group by 1, 2 order by 1, 2',
    features: `select c.feature, sum(s.n)::int as n, sum(s.n) filter (where s.slot = 1)::int as missing from pgscore_data.cell_feature c join pgscore_data.feature_set f using (set_id) join of_model v using (version_id)
      cross join lateral unnest(c.counts) with ordinality as s (n, slot) group by 1 order by 1`,
  };
  const found: Record<string, unknown> = {};
  for (const [kind, text] of Object.entries(cells)) {
    const query = `with of_model as (select v.version_id from pgscore_data.version v join pgscore_data.model m using (model_id) where m.name = $1) ${text}`;
    found[kind] = (await superuser.query(query, [model])).rows;
  }
  return found;
}

/** How many cells are wrong by an audit of all days, which has to wait for a refresh. */
async function audited(): Promise<number> {
  await superuser.query('begin');
  await superuser.query(`delete from pgscore_data.rollup_audit; select pgscore_data._await_turn('cells')`);
  const { rows } = await superuser.query<{ wrong: number }>('select pgscore_data._audit(100)::int as wrong');
  await superuser.query('commit');
  return rows[0]?.wrong ?? Number.NaN;
}

describe.each([
  ['binary', classModel(2), { task: 'binary', class_labels: ['0', '1'] }],
  ['multiclass', classModel(3), { task: 'multiclass', class_labels: ['a', 'b', 'c'] }],
])('calls of a %s classifier', (task, bytes, options) => {
  const [called, run] = [`${task}_called`, `${task}_run`];

  beforeAll(async () => {
    const table = `create table ${task}_rows (id bigint primary key, x real); insert into ${task}_rows select i, i % 7 / 3.0 from generate_series(1, 2500) i`;
    await alice.query(table);
    for (const model of [called, run]) await deployBytes(ada, model, bytes, options);
    expect(await scoreTable(alice, run, `${task}_rows`)).toMatchObject({ state: 'done' });
    const truth = `create table ${task}_truth (id bigint primary key, y text); select pgscore.set_labels('${called}', '${task}_truth', label => 'y')`;
    await alice.query(truth);
    await ask(called, `${task}_rows`);
    await callsCounted(superuser, called, 2500);
    await superuser.query('select pgscore.refresh()');
  }, 60_000);

  test('are counted by score, class and feature as a run of the same rows is', async () => {
    const counted = await cellsOf(called);
    expect(counted).toEqual(await cellsOf(run));
    expect(counted).toMatchObject({
      volume: [{ n: 2500, failed: 0 }],
      features: [{ feature: 1, n: 2500, missing: 0 }],
    });
  });

  test('are what the health of the model begins with', async () => {
    const { rows } = await superuser.query(
      `select n_24h::int, n_predictions::int, last_scored_at > now() - interval '5 minutes' as now from pgscore_bi.current_model_health where model_name = $1`,
      [called],
    );
    expect(rows).toEqual([{ n_24h: 2500, n_predictions: 2500, now: true }]);
  });

  test('give the same cells when they are counted again, and the audit finds none that differs', async () => {
    await ask(called, `${task}_rows`);
    await callsCounted(superuser, called, 5000);
    const labels = task === 'binary' ? `'{0,1}'` : `'{a,b,c}'`;
    const insert = `insert into ${task}_truth select id, (${labels}::text[])[1 + id % cardinality(${labels}::text[])] from ${task}_rows where id % 3 > 0`;
    await alice.query(insert);
    const outcomes = async (): Promise<{ n: number }[]> => {
      const text = `select c.age_band, c.actual_class, c.predicted_class, sum(c.n)::int as n, sum(c.sum_brier) as brier, sum(c.sum_log_loss) as log_loss
          from pgscore_data.cell_outcome c join pgscore_data.version v using (version_id) join pgscore_data.model m using (model_id) where m.name = $1 and c.n <> 0 group by 1, 2, 3 order by 1, 2, 3`;
      return (await superuser.query(text, [called])).rows;
    };
    await superuser.query('select pgscore.refresh()');
    const before = await outcomes();
    expect(before.reduce((sum, { n }) => sum + n, 0)).toBe(1667);
    await superuser.query(`select pgscore.rebuild($1, now() - interval '3 days', now() + interval '1 day')`, [called]);
    expect(await outcomes()).toEqual(before);
    expect(await audited()).toBe(0);
    const checked = 'select sum(cells_checked) > 0 as checked from pgscore_bi.rollup_audit where model_name = $1';
    expect((await superuser.query(checked, [called])).rows).toEqual([{ checked: true }]);
  });
});

test('few calls are a baseline together, and their features are counted from the first one on', async () => {
  await deployBytes(ada, 'drops', weightedModel({ a: 'float64', colour: 'string', b: 'bool' }));
  const rows = `select i % 10 as a, (array['red', 'blue'])[1 + i % 2] as colour, i % 3 = 0 as b from generate_series(1, 100) i`;
  const some = `select count(*) from generate_series(1, $1) g, lateral pgscore.score_rows('drops', array(select to_jsonb(s) from (${rows}) s where g > 0)) x`;
  const one = `select score('drops', s) from (${rows} limit 1) s`;
  await alice.query(one);
  await callsCounted(superuser, 'drops', 1);
  expect((await cellsOf('drops'))['features']).toEqual([]);
  await alice.query(some, [12]);
  await callsCounted(superuser, 'drops', 1201);
  await superuser.query('select pgscore.refresh()');
  const expected = [1, 2, 3].map((feature) => ({ feature, n: 1201, missing: 0 }));
  expect((await cellsOf('drops'))['features']).toEqual(expected);
  const kept = `select (select count(*)::int from pgscore_data.feature_sample) as samples, (select count(*)::int from pgscore_data.feature_tally) as tallies`;
  expect((await superuser.query(kept)).rows).toEqual([{ samples: 0, tallies: 0 }]);
  await alice.query(some, [1]);
  await callsCounted(superuser, 'drops', 1301);
  const drift = `select feature_name, sum(n)::int as n from pgscore_bi.feature_drift_daily where model_name = 'drops' group by 1 order by 1`;
  await superuser.query('select pgscore.refresh()');
  expect((await superuser.query(drift)).rows).toEqual(
    ['a', 'b', 'colour'].map((feature_name) => ({ feature_name, n: 1301 })),
  );
});

test('of many rows that are the first, the bins are frozen as they are kept, and none of them is kept to be counted later', async () => {
  await deployBytes(ada, 'torrent', weightedModel({ a: 'float64', colour: 'string', b: 'bool' }));
  await superuser.query(`create table public.kept_later (samples bigint);
    create function public.note_samples() returns trigger language plpgsql security definer as
      'begin insert into public.kept_later select count(*) from given; return null; end';
    create trigger note_samples after insert on pgscore_data.feature_sample
      referencing new table as given for each statement execute function public.note_samples();`);
  await alice.query(
    `create table torrent as select i % 10 as a, (array['red', 'blue'])[1 + i % 2] as colour, i % 3 = 0 as b from generate_series(1, 5000) i`,
  );
  await ask('torrent', 'torrent');
  await callsCounted(superuser, 'torrent', 5000);
  await superuser.query('select pgscore.refresh()');
  const expected = [1, 2, 3].map((feature) => ({ feature, n: 5000, missing: 0 }));
  expect((await cellsOf('torrent'))['features']).toEqual(expected);
  expect((await superuser.query('select * from public.kept_later')).rows).toEqual([]);
  await superuser.query('drop trigger note_samples on pgscore_data.feature_sample');
});

test('an open transaction that began the bins of a version holds up no calls, and these are counted later', async () => {
  await deployBytes(ada, 'begun', weightedModel({ a: 'float64' }));
  await deployBytes(ada, 'other', weightedModel({ a: 'float64' }));
  const holder = await database.client();
  await holder.query('begin');
  await holder.query(`insert into pgscore_data.feature_set (version_id, baseline)
    select version_id, 'first_runs' from pgscore_data.version join pgscore_data.model using (model_id) where name = 'begun'`);
  const given = `create table begun as select i % 10 as a from generate_series(1, 5000) i`;
  await alice.query(given);
  await ask('begun', 'begun');
  await ask('other', 'begun');
  const kept = `select count(*)::int as n from pgscore.online_predictions where model in ('begun', 'other')`;
  await waitFor(async () => (await superuser.query<{ n: number }>(kept)).rows[0]?.n === 10_000, {
    message: 'the calls of both models',
    timeout: 20_000,
  });
  await holder.query('rollback');
  await callsCounted(superuser, 'begun', 5000);
  await superuser.query('select pgscore.refresh()');
  expect((await cellsOf('begun'))['features']).toEqual([{ feature: 1, n: 5000, missing: 0 }]);
});

test('calls of a version that was dropped meanwhile make no bins of it', async () => {
  await deployBytes(ada, 'gone', weightedModel({ a: 'float64' }));
  const { rows } = await superuser.query<{ id: number }>(
    `select version_id as id from pgscore_data.version join pgscore_data.model using (model_id) where name = 'gone'`,
  );
  await ada.query(`select pgscore.drop_model('gone')`);
  await superuser.query('select pgscore_data._freeze_bins($1, $2)', [
    rows[0]?.id,
    '[{"feature": 1, "numbers": [1, 2, 3]}]',
  ]);
  const sets = 'select from pgscore_data.feature_set where version_id = $1';
  expect((await superuser.query(sets, [rows[0]?.id])).rowCount).toBe(0);
});

test('reals are counted in the bins of a run of the same table, whether calls bring them as numbers or as JSON', async () => {
  const table = `create table tenths (id bigint primary key, x real); insert into tenths select i, (1 + i % 9) / 10.0 from generate_series(1, 1800) i`;
  await alice.query(table);
  await deployBytes(ada, 'tenths', weightedModel({ x: 'float32' }));
  expect(await scoreTable(alice, 'tenths', 'tenths')).toMatchObject({ state: 'done' });
  const bins = async (): Promise<{ n: number }[]> => {
    await superuser.query('select pgscore.refresh()');
    const text = `select sum(n)::int as n from pgscore_bi.feature_distribution_daily where model_name = 'tenths' group by bin order by bin`;
    return (await superuser.query<{ n: number }>(text)).rows;
  };
  await waitFor(async () => (await bins()).length > 0, { message: 'the bins of the run' });
  await ask('tenths', 'tenths');
  await callsCounted(superuser, 'tenths', 1800);
  await ask('tenths', 'tenths', 'to_jsonb(t)');
  await callsCounted(superuser, 'tenths', 3600);
  expect(await bins()).toEqual(Array.from({ length: 9 }, () => ({ n: 600 })));
});

test('calls without a key are counted once, whatever calls of the model follow them', async () => {
  await deployBytes(ada, 'followed', weightedModel({ x: 'float64' }));
  await alice.query(`create table unnamed as select i::float8 as x from generate_series(1, 73) i;
    create table named as select i as id, i::float8 as x from generate_series(1, 10) i;
    create table truth_of_named (id bigint primary key, y float8, known timestamptz)`);
  const expectCounts = async (predicted: number, named: number, labeled: number): Promise<void> => {
    await superuser.query('select pgscore.refresh()');
    const text = `select sum(n_predictions)::int as predicted, sum(n_labeled)::int as labeled, sum(n_awaiting)::int as awaiting, sum(n_superseded)::int as superseded
        from pgscore_bi.regression_performance_daily where model_name = 'followed'`;
    const expected = { predicted, labeled, awaiting: named - labeled, superseded: predicted - named };
    expect((await superuser.query(text)).rows).toEqual([expected]);
  };
  await ask('followed', 'unnamed');
  await callsCounted(superuser, 'followed', 73);
  await expectCounts(73, 0, 0);
  await alice.query(`select pgscore.set_labels('followed', 'truth_of_named', label => 'y', known_at => 'known')`);
  await ask('followed', 'named');
  await callsCounted(superuser, 'followed', 83);
  await expectCounts(83, 10, 0);
  await alice.query('insert into truth_of_named select id, x, now() from named');
  await expectCounts(83, 10, 10);
  await ask('followed', 'unnamed');
  await callsCounted(superuser, 'followed', 156);
  await ask('followed', 'unnamed');
  await callsCounted(superuser, 'followed', 229);
  await expectCounts(229, 10, 10);
  await ada.query(`select pgscore.rebuild('followed')`);
  await expectCounts(229, 10, 10);
});
