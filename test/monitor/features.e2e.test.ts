import { beforeAll, describe, expect, test } from '@jest/globals';

import { cloneDatabase } from '../support/database.ts';
import { deployBytes } from '../support/deploy.ts';
import { refusal } from '../support/refusal.ts';
import { scoreTable } from '../support/run.ts';
import { startTestService } from '../support/service.ts';
import { weightedModel } from '../support/weighted-model.ts';

const database = await cloneDatabase();
const superuser = await database.client();
await startTestService(database, { PGSCORE_SCORERS: '2', PGSCORE_POLL: '0.4' });
const [ada, alice] = await Promise.all([database.client('ada'), database.client('alice')]);

await alice.query('grant usage on schema alice to ada');

const MODEL = weightedModel({ x: 'float64', n: 'int64', color: 'string', flag: 'bool' });

type Shape = {
  rows: number;
  from?: string;
  shift?: number;
  colors?: string;
  missing?: number;
  n?: string;
  filler?: number;
};

/** A table of rows for three days from `from` on: x is normal, n counts up unless it is told what to do, one color in three, a flag. */
async function makeSource(name: string, { rows, from = '2026-03-02', ...shape }: Shape): Promise<void> {
  const { shift = 0, colors = '{red,green,blue}', missing = 0, n = 'i % 37', filler = 0 } = shape;
  const statements = `create table ${name} (id bigint primary key, x float4, n int, color text, flag boolean, at timestamptz, filler text);
    insert into ${name}
    select i, case when i % 100 < ${missing} then null else ${shift} + sqrt(-2 * ln(u)) * cos(2 * pi() * v) end, ${n}, ('${colors}'::text[])[1 + floor(3 * w)], w < 0.2,
           '${from} 22:00+00'::timestamptz + i * interval '48 hours' / ${rows}, repeat('x', ${filler})
      from (select i, 1 - random() as u, random() as v, random() as w from generate_series(0, ${rows} - 1) i) r;
    analyze ${name}`;
  await alice.query('select setseed(0.42)');
  await alice.query(statements);
}

async function score(model: string, source: string, options: Record<string, unknown> = {}): Promise<string> {
  const run = await scoreTable(alice, model, source, { event_time: 'at', error_limit: 1_000_000, ...options });
  await superuser.query('select pgscore.refresh()');
  return run.state;
}

/** Every count that is not what counting the sources again gives. */
async function wrongCells(model: string, sources: readonly string[]): Promise<unknown[]> {
  const all = sources.map((name) => `select * from alice.${name}`).join(' union all ');
  const compare = `
    with source as (${all}), again as (
      select b.feature, date_trunc('day', s.at, 'UTC') as day,
             case b.kind when 'number' then pgscore._number_slot(case b.name when 'x' then s.x else s.n end, b.low, b.high, b.edges)
               else pgscore._category_slot(case b.name when 'color' then s.color else s.flag::text end, b.categories, b.others) end as slot, count(*) as n
        from source s cross join pgscore_data.feature_bins b join pgscore_data.feature_set f using (set_id) join pgscore_data.version v using (version_id) join pgscore_data.model m using (model_id)
       where m.name = $1 group by 1, 2, 3
    ), held as (
      select c.feature, c.day, x.slot::smallint, x.n
        from pgscore_data.cell_feature c join pgscore_data.feature_set f using (set_id) join pgscore_data.version v using (version_id) join pgscore_data.model m using (model_id)
       cross join lateral unnest(c.counts) with ordinality x (n, slot) where m.name = $1 and x.n <> 0
    )
    select * from again a full join held h using (feature, day, slot) where a.n is distinct from h.n`;
  const { rows } = await superuser.query(compare, [model]);
  return rows;
}

type Drift = { feature: string; status: string; n: number };

async function drift(model: string, day: string): Promise<Drift[]> {
  const { rows } = await superuser.query<Drift>(
    `select feature_name as feature, status, n::int from pgscore_bi.feature_drift_daily where model_name = $1 and window_date = $2 order by 1`,
    [model, day],
  );
  return rows;
}

describe('features that shift', () => {
  beforeAll(async () => {
    await deployBytes(ada, 'shifting', MODEL);
    await makeSource('quiet', { rows: 6000 });
    await makeSource('loud', { rows: 6000, from: '2026-03-20', shift: 2, colors: '{red,black,blue}', missing: 10 });
    expect(await score('shifting', 'quiet')).toBe('done');
    expect(await score('shifting', 'loud')).toBe('done');
  });

  test('show up on the day that they are for, and those that do not, do not', async () => {
    const quiet = ['color', 'flag', 'n', 'x'].map((feature) => ({ feature, status: 'ok', n: 3000 }));
    expect(await drift('shifting', '2026-03-03')).toEqual(quiet);
    const loud = ['alert', 'ok', 'ok', 'alert'];
    expect(await drift('shifting', '2026-03-21')).toEqual(quiet.map((row, at) => ({ ...row, status: loud[at] })));
  });

  test('are counted exactly as their sources say', async () => {
    expect(await wrongCells('shifting', ['quiet', 'loud'])).toEqual([]);
  });

  test('tell what is missing, new and out of range', async () => {
    const { rows } = await superuser.query<Record<string, number | null>>(
      `select missing_rate, new_category_rate, out_of_range_rate, mean_delta, n_baseline::int from pgscore_bi.feature_drift_daily
        where model_name = 'shifting' and window_date = '2026-03-21' and feature_name in ('color', 'x') order by feature_name`,
    );
    const [color, x] = rows;
    expect(color).toMatchObject({ missing_rate: 0, out_of_range_rate: null, mean_delta: null, n_baseline: 6000 });
    expect(color?.['new_category_rate']).toBeCloseTo(1 / 3, 1);
    expect(x).toMatchObject({ missing_rate: 0.1, new_category_rate: null });
    expect(x?.['mean_delta']).toBeCloseTo(2, 1);
    expect(x?.['out_of_range_rate']).toBeGreaterThan(0.005);
  });

  test('count for the whole data set, and in the health of the model', async () => {
    const dataset = `select n_features::int, n_drifted::int, drift_share, status from pgscore_bi.dataset_drift_daily where model_name = 'shifting' order by window_date desc limit 1`;
    expect((await superuser.query(dataset)).rows).toEqual([
      { n_features: 4, n_drifted: 2, drift_share: 0.5, status: 'alert' },
    ]);
    const health = `select drift_share from pgscore_bi.current_model_health where model_name = 'shifting'`;
    expect((await superuser.query(health)).rows).toEqual([{ drift_share: 0.5 }]);
  });

  test('are of all predictions: those too that are made anew for the same times', async () => {
    expect(await score('shifting', 'loud')).toBe('done');
    expect(await wrongCells('shifting', ['quiet', 'loud', 'loud'])).toEqual([]);
    expect((await drift('shifting', '2026-03-21')).map(({ n }) => n)).toEqual([6000, 6000, 6000, 6000]);
    const volume = `select n_predictions::int, n_superseded::int from pgscore_bi.label_coverage_daily where model_name = 'shifting' and window_date = '2026-03-21'`;
    // The rows that lack x have no prediction.
    expect((await superuser.query(volume)).rows).toEqual([{ n_predictions: 5400, n_superseded: 2700 }]);
  });

  test('stay counted when the model is rebuilt, and are forgotten when it is dropped', async () => {
    await superuser.query(`select pgscore.rebuild('shifting')`);
    await superuser.query('select pgscore.refresh()');
    expect(await wrongCells('shifting', ['quiet', 'loud', 'loud'])).toEqual([]);
    expect(await drift('shifting', '2026-03-21')).toHaveLength(4);
    await superuser.query(`select pgscore.drop_model('shifting')`);
    expect(await drift('shifting', '2026-03-21')).toEqual([]);
    const left = await superuser.query(
      `select from pgscore_data.feature_set join pgscore_data.version using (version_id) where state = 'dropped'`,
    );
    expect(left.rows).toEqual([]);
  });
});

test('small runs are counted too, once they are a thousand rows together', async () => {
  await deployBytes(ada, 'small', MODEL);
  const sources = ['small_a', 'small_b', 'small_c', 'small_d'];
  for (const [index, source] of sources.entries()) {
    await makeSource(source, { rows: 400, from: `2026-04-0${index + 1}`, missing: 3 });
    const odd = `update ${source} set x = case id when 7 then float4 'infinity' else 'nan' end where id in (7, 8)`;
    await alice.query(odd);
    expect(await score('small', source)).toBe('done');
    if (index < 2) expect(await drift('small', '2026-04-02')).toEqual([]);
  }
  expect(await wrongCells('small', sources)).toEqual([]);
  const { rows } = await superuser.query(
    `select baseline, baseline_rows::int as rows, baseline_complete as complete, (select count(*)::int from pgscore_data.feature_sample) as samples
       from pgscore_data.feature_set join pgscore_data.version using (version_id) join pgscore_data.model using (model_id) where name = 'small'`,
  );
  expect(rows).toEqual([{ baseline: 'first_runs', rows: 1200, complete: true, samples: 0 }]);
});

test('a table that is cut into shards is counted exactly, from its first run on', async () => {
  await deployBytes(ada, 'sharded', MODEL);
  // As a table that is in the order of its time: what comes first is unlike the rest.
  await makeSource('sharded_source', { rows: 30_000, missing: 1, n: 'i / 250', filler: 150 });
  expect(await score('sharded', 'sharded_source')).toBe('done');
  const { rows } = await superuser.query(`select pg_relation_size('alice.sharded_source') > 4 * 1024 * 1024 as cut`);
  expect(rows).toEqual([{ cut: true }]);
  expect(await wrongCells('sharded', ['sharded_source'])).toEqual([]);
  const bins = await superuser.query<{ low: number; high: number }>(
    `select b.low, b.high from pgscore_data.feature_bins b join pgscore_data.feature_set using (set_id) join pgscore_data.version using (version_id) join pgscore_data.model m using (model_id)
      where m.name = 'sharded' and b.name = 'n'`,
  );
  expect(bins.rows[0]?.low).toBeLessThan(5);
  expect(bins.rows[0]?.high).toBeGreaterThan(105);
});

test('a run that fails is not counted', async () => {
  await deployBytes(ada, 'failing', MODEL);
  await makeSource('failing_good', { rows: 2000 });
  expect(await score('failing', 'failing_good')).toBe('done');
  await alice.query(`create view failing_bad as select 1::bigint as id, x, n, color, flag, at from failing_good`);
  expect(await score('failing', 'failing_bad', { key: 'id' })).toBe('failed');
  expect(await wrongCells('failing', ['failing_good'])).toEqual([]);
  await superuser.query('select pgscore_data._delete_monitoring()');
  const { rows } = await superuser.query(
    'select count(*)::int as n from (select run_id from pgscore_data.feature_tally union all select run_id from pgscore_data.feature_sample) t',
  );
  expect(rows).toEqual([{ n: 0 }]);
});

describe('a baseline', () => {
  const origin = `select baseline, baseline_rows::int as rows from pgscore_data.feature_set join pgscore_data.version using (version_id) join pgscore_data.model using (model_id) where name = $1`;

  beforeAll(async () => {
    await makeSource('trained', { rows: 5000 });
    await makeSource('live', { rows: 5000, from: '2026-05-01', shift: 1 });
  });

  test('may be a table that is given before anything was scored', async () => {
    await deployBytes(ada, 'from_table', MODEL);
    await alice.query('grant select on trained to ada');
    const set = `select pgscore.set_baseline('from_table', 'alice.trained')::int as rows`;
    expect((await ada.query(set)).rows).toEqual([{ rows: 5000 }]);
    expect(await score('from_table', 'live')).toBe('done');
    expect(await wrongCells('from_table', ['live'])).toEqual([]);
    const statuses = (await drift('from_table', '2026-05-02')).map(({ feature, status }) => [feature, status]);
    expect(statuses).toEqual([
      ['color', 'ok'],
      ['flag', 'ok'],
      ['n', 'ok'],
      ['x', 'alert'],
    ]);
  });

  test('may be some days of history, or begin anew', async () => {
    await deployBytes(ada, 'from_history', MODEL);
    expect(await score('from_history', 'trained')).toBe('done');
    expect(await score('from_history', 'live')).toBe('done');
    expect((await drift('from_history', '2026-05-02')).at(-1)).toMatchObject({ feature: 'x', status: 'alert' });
    const set = `select pgscore.set_baseline('from_history', from_time => '2026-05-01')::int as rows`;
    expect((await ada.query(set)).rows).toEqual([{ rows: 5000 }]);
    await superuser.query('select pgscore.refresh()');
    expect((await drift('from_history', '2026-05-02')).at(-1)).toMatchObject({ feature: 'x', status: 'ok' });
    expect((await drift('from_history', '2026-03-03')).at(-1)).toMatchObject({ feature: 'x', status: 'alert' });
    expect((await superuser.query(origin, ['from_history'])).rows).toEqual([{ baseline: 'history', rows: 5000 }]);
    await ada.query(`select pgscore.set_baseline('from_history')`);
    expect((await superuser.query(origin, ['from_history'])).rows).toEqual([]);
    expect(await score('from_history', 'live')).toBe('done');
    expect(await wrongCells('from_history', ['live'])).toEqual([]);
  });

  test('comes with the model where its metadata has training statistics', async () => {
    const statistics = {
      x: { edges: [-4, -1, -0.5, 0, 0.5, 1, 4], counts: [159, 150, 191, 191, 150, 159], mean: 0, missing: 2 },
      n: { edges: [0, 18, 36], counts: [500, 500] },
      color: { categories: { red: 333, green: 333, blue: 334 } },
      flag: { categories: { true: 200, false: 800 } },
    };
    const metadata = { 'pgscore.baseline': JSON.stringify(statistics) };
    const types = { x: 'float64', n: 'int64', color: 'string', flag: 'bool' } as const;
    await deployBytes(ada, 'from_training', weightedModel(types, metadata));
    expect((await superuser.query(origin, ['from_training'])).rows).toEqual([{ baseline: 'training', rows: 1000 }]);
    expect(await score('from_training', 'live')).toBe('done');
    expect(await wrongCells('from_training', ['live'])).toEqual([]);
    expect((await drift('from_training', '2026-05-02')).map(({ status }) => status)).toEqual([
      'ok',
      'ok',
      'ok',
      'alert',
    ]);
  });

  test('that comes in a form of its own is a warning, and the model is scored without it', async () => {
    const metadata = { 'pgscore.baseline': '{"x": {"edges": [1, "2"]}}' };
    await deployBytes(ada, 'hostile', weightedModel({ x: 'float64' }, metadata));
    const { rows } = await ada.query<{ warnings: string[] }>(
      `select warnings from pgscore.models where model = 'hostile'`,
    );
    expect(rows[0]?.warnings).toEqual([expect.stringContaining(`'pgscore.baseline' are not used: 'x'`)]);
    expect((await superuser.query(origin, ['hostile'])).rows).toEqual([]);
    expect(await score('hostile', 'live')).toBe('done');
    expect((await superuser.query(origin, ['hostile'])).rows).toEqual([{ baseline: 'first_runs', rows: 5000 }]);
  });

  test('is a deployer’s to set, from what she may read, with every feature in it', async () => {
    expect((await refusal(alice, `select pgscore.set_baseline('from_table')`)).code).toBe('42501');
    expect((await refusal(ada, `select pgscore.set_baseline('from_table', 'alice.live')`)).code).toBe('42501');
    await alice.query('create view partial as select id, x, n, color from trained; grant select on partial to ada');
    expect(await refusal(ada, `select pgscore.set_baseline('from_table', 'alice.partial')`)).toMatchObject({
      code: '42703',
      message: 'alice.partial has no column "flag"',
    });
    await alice.query('create view mistyped as select id, x::text as x, n, color, flag from trained');
    await alice.query('grant select on mistyped to ada');
    expect((await refusal(ada, `select pgscore.set_baseline('from_table', 'alice.mistyped')`)).code).toBe('42804');
    await alice.query('create view none as select * from trained where false; grant select on none to ada');
    expect((await refusal(ada, `select pgscore.set_baseline('from_table', 'alice.none')`)).code).toBe('P0002');
    const settings = `select pgscore.monitor_features('from_table', psi_warning => 0.5, psi_alert => 0.2)`;
    expect((await refusal(ada, settings)).code).toBe('22023');
  });
});

test('a model whose features are not to be watched counts none, until they are again', async () => {
  await deployBytes(ada, 'unwatched', MODEL);
  await makeSource('passing', { rows: 2000 });
  const counted = async (): Promise<unknown[]> => {
    const sets = `select f.set_id from pgscore_data.feature_set f join pgscore_data.version v using (version_id) join pgscore_data.model m using (model_id) where m.name = 'unwatched'`;
    return (await superuser.query(sets)).rows;
  };
  await ada.query(`select pgscore.monitor_features('unwatched', watched => false)`);
  expect(await score('unwatched', 'passing')).toBe('done');
  expect(await counted()).toEqual([]);
  await ada.query(`select pgscore.monitor_features('unwatched', watched => true)`);
  expect(await score('unwatched', 'passing')).toBe('done');
  expect(await counted()).toHaveLength(1);
  expect(await wrongCells('unwatched', ['passing'])).toEqual([]);
});
