import { beforeEach, expect, test } from '@jest/globals';

import { deployModel } from '../support/deploy.ts';
import { refusal } from '../support/refusal.ts';
import { endOfRun, scoreTable, type RunState } from '../support/run.ts';
import { scoreFixture } from '../support/score-fixture.ts';
import { waitFor } from '../support/wait-for.ts';

const { ada, alice, service, superuser } = await scoreFixture();
await deployModel(ada, 'iris', 'test/models/iris_multiclass.onnx');

const ROWS = 1000;
type Changed = RunState & { rows_unchanged: string | null; rows_total: string };

/** Submits a run over changed rows into `scores`. */
async function submitChanged(source: string, more = ''): Promise<string> {
  const target = more.includes('target =>') ? '' : `, target => 'scores'`;
  const text = `select pgscore.score_table('iris', '${source}', key => array['a', 'b']${target}, only_changed => true${more}) as run`;
  const { rows } = await alice.query<{ run: string }>(text);
  return rows[0]?.run ?? '';
}

/** A run over changed rows: how many it scored, and how many it left alone. */
async function scoreChanged(source: string, more = ''): Promise<[string, string | null]> {
  const run = (await endOfRun(alice, await submitChanged(source, more))) as Changed;
  expect(run).toMatchObject({ state: 'done', error: null });
  return [run.rows_done, run.rows_unchanged];
}

/** What a full run would have in the target otherwise. */
async function differences(source: string): Promise<unknown[]> {
  const text = `select pgscore.score_table('iris', '${source}', key => array['a', 'b'], target => 'whole') as run`;
  expect(await endOfRun(alice, (await alice.query(text)).rows[0].run)).toMatchObject({ state: 'done' });
  // ONNX Runtime's last bits depend on where a row stands in its batch.
  const { rows } = await alice.query(
    `with here as (select a, b, round(score::numeric, 4), label, error_code from scores),
          whole as (select a, b, round(score::numeric, 4), label, error_code from whole)
     (table here except all table whole) union all (table whole except all table here)`,
  );
  return rows;
}

beforeEach(async () => {
  await alice.query(`select pgscore.drop_target(t) from unnest(array['scores', 'whole']) t
    where exists (select from pgscore.targets x where x.target = 'alice.' || t)`);
  await alice.query('drop table if exists flowers cascade');
  await alice.query(
    `create table flowers (a bigint, b text, sepal_length real, sepal_width real, petal_length real, petal_width double precision,
       note text, primary key (a, b))`,
  );
  await alice.query(
    `insert into flowers select i, 'k' || i % 3, 4 + i % 4, 3, 1 + i % 6, 0.2 * (i % 10) from generate_series(1, $1::int) i`,
    [ROWS],
  );
});

test('the first run scores all rows, and the next one those that are new, changed or gone', async () => {
  expect(await scoreChanged('flowers')).toEqual([String(ROWS), '0']);
  expect(await scoreChanged('flowers')).toEqual(['0', String(ROWS)]);
  await alice.query(`update flowers set petal_length = petal_length + 1 where a between 10 and 19`);
  await alice.query(`update flowers set b = 'moved' where a = 30`);
  await alice.query(`delete from flowers where a between 100 and 119`);
  await alice.query(`insert into flowers values (90001, 'new', 5, 3, 4, 1.2), (90002, 'new', 6, 3, 5, 2)`);
  await alice.query(`update flowers set note = 'x'`);
  expect(await scoreChanged('flowers')).toEqual(['13', String(ROWS - 31)]);
  expect(await differences('flowers')).toEqual([]);
  expect((await alice.query(`select from scores where a between 100 and 119`)).rowCount).toBe(0);
  expect((await alice.query(`select from scores_history where a between 100 and 119`)).rowCount).toBe(20);
  expect((await alice.query(`select from scores_history where a between 10 and 19`)).rowCount).toBe(20);
  const { rows } = await alice.query(`select rows::int from pgscore.targets where target = 'alice.scores'`);
  expect(rows).toEqual([{ rows: ROWS - 18 }]);
});

test('a row that is left alone is not counted again in the drift of features', async () => {
  const counted = async (): Promise<number> => {
    await superuser.query('select pgscore.refresh()');
    const text = `select coalesce(sum(n), 0)::int as n from pgscore_bi.feature_drift_monthly where model_name = 'iris' and feature_name = 'petal_length'`;
    return (await superuser.query<{ n: number }>(text)).rows[0]?.n ?? 0;
  };
  const before = await counted();
  await scoreChanged('flowers');
  await alice.query(`update flowers set petal_length = 2.5 where a = 7`);
  await scoreChanged('flowers');
  await scoreChanged('flowers');
  expect(await counted()).toBe(before + ROWS + 1);
});

test('a row that is left alone keeps the run that made it', async () => {
  await scoreChanged('flowers');
  await alice.query(`update flowers set petal_length = 2.5 where a = 7`);
  await scoreChanged('flowers');
  const { rows } = await alice.query(`select count(distinct run_id)::int as runs, count(*)::int as n from scores`);
  expect(rows).toEqual([{ runs: 2, n: ROWS }]);
});

test('NULL, 0, -0, NaN and infinity are different values of a feature', async () => {
  await alice.query(`insert into flowers values (90001, 'x', 5, 3, null, 1), (90002, 'x', 5, 3, 0, 1), (90003, 'x', 5, 3, 'nan', 1),
    (90004, 'x', 5, 3, '-0', 1), (90005, 'x', 5, 3, 4, null)`);
  await scoreChanged('flowers');
  await alice.query(`update flowers set petal_length = case a when 90002 then '-0' when 90003 then 'infinity' else 0::real end
    where a between 90001 and 90004`);
  await alice.query(`update flowers set petal_width = 0 where a = 90005`);
  expect(await scoreChanged('flowers')).toEqual(['5', String(ROWS)]);
  expect(await differences('flowers')).toEqual([]);
});

test('a row that could not be scored is tried again each time', async () => {
  await alice.query(`update flowers set petal_length = null where a in (1, 2)`);
  await scoreChanged('flowers');
  const again = await scoreChanged('flowers');
  expect(again).toEqual(['2', String(ROWS - 2)]);
  await alice.query(`update flowers set petal_length = 3 where a in (1, 2)`);
  expect(await scoreChanged('flowers')).toEqual(['2', String(ROWS - 2)]);
  expect(await scoreChanged('flowers')).toEqual(['0', String(ROWS)]);
});

test('a view is compared as a table is', async () => {
  await alice.query(`create view petals as select a, b, sepal_length, sepal_width, petal_length * 2 as petal_length, petal_width from flowers
    where a <= 800`);
  expect(await scoreChanged('petals')).toEqual(['800', '0']);
  await alice.query(`update flowers set petal_length = 1.25 where a = 5; delete from flowers where a = 6`);
  expect(await scoreChanged('petals')).toEqual(['1', '798']);
  expect(await differences('petals')).toEqual([]);
});

test('all rows are scored after a full run, a promotion, and with another column map', async () => {
  await scoreChanged('flowers');
  await scoreTable(alice, 'iris', 'flowers', { target: 'scores' });
  expect(await scoreChanged('flowers')).toEqual([String(ROWS), '0']);
  expect(await scoreChanged('flowers', `, column_map => '{"petal_width": "sepal_width"}'`)).toEqual([
    String(ROWS),
    '0',
  ]);
  expect(await scoreChanged('flowers')).toEqual([String(ROWS), '0']);
  await deployModel(ada, 'iris', 'test/models/iris_multiclass.onnx');
  await ada.query(`select pgscore.promote('iris@2')`);
  expect(await scoreChanged('flowers')).toEqual([String(ROWS), '0']);
  expect(await scoreChanged('flowers')).toEqual(['0', String(ROWS)]);
  expect((await alice.query(`select from scores where model_version <> 'iris@2'`)).rowCount).toBe(0);
});

test('a challenger and a run that is not published score all rows, and leave the target as it was', async () => {
  await scoreChanged('flowers');
  const before = (await alice.query('select * from scores order by a')).rows;
  expect(await scoreChanged('flowers', ', publish => false')).toEqual([String(ROWS), '0']);
  expect((await alice.query('select * from scores order by a')).rows).toEqual(before);
  expect(await scoreChanged('flowers')).toEqual(['0', String(ROWS)]);
});

// Many are more than 10,000 changed ones.
test('where more than a quarter of many rows changed, all are scored', async () => {
  await alice.query(
    `insert into flowers select i, 'many', 4 + i % 4, 3, 1 + i % 6, 0.2 * (i % 10) from generate_series(10001, 21000) i`,
  );
  expect(await scoreChanged('flowers')).toEqual([String(ROWS + 11_000), '0']);
  await alice.query(`update flowers set petal_length = petal_length + 1 where a > 10500`);
  expect(await scoreChanged('flowers')).toEqual([String(ROWS + 11_000), '0']);
  expect(await differences('flowers')).toEqual([]);
  await alice.query(`update flowers set petal_length = petal_length + 1 where a % 100 = 0`);
  expect(await scoreChanged('flowers')).toEqual(['120', String(ROWS + 11_000 - 120)]);
  expect(await differences('flowers')).toEqual([]);
});

test('two rows with one key, and a row without a key, fail the run as they fail a full one', async () => {
  await alice.query(
    `create view doubled as select a, b, sepal_length, sepal_width, petal_length, petal_width from flowers`,
  );
  await scoreChanged('doubled');
  const fails = async (rows: string, code: string): Promise<void> => {
    const text = `create or replace view doubled as select a, b, sepal_length, sepal_width, petal_length, petal_width from flowers
      union all ${rows}`;
    await alice.query(text);
    expect(await endOfRun(alice, await submitChanged('doubled'))).toMatchObject({ state: 'failed', error_code: code });
    expect((await alice.query('select from scores')).rowCount).toBe(ROWS);
  };
  await fails(
    'select a, b, sepal_length, sepal_width, petal_length, petal_width from flowers where a = 1',
    'duplicate_key',
  );
  await fails('select a, b, sepal_length, sepal_width, 77, petal_width from flowers where a = 1', 'duplicate_key');
  await fails(
    'select null, b, sepal_length, sepal_width, petal_length, petal_width from flowers where a = 1',
    'null_key',
  );
});

test('the error limit counts rows that failed before, too', async () => {
  await alice.query(`update flowers set petal_length = null where a in (1, 2)`);
  await scoreChanged('flowers');
  const run = await scoreTable(alice, 'iris', 'flowers', { target: 'scores', only_changed: true, error_limit: 1 });
  expect(run).toMatchObject({ state: 'failed', error_code: 'too_many_failed_rows' });
  expect((await alice.query('select from scores')).rowCount).toBe(ROWS);
});

test('a run whose target changes meanwhile compares again', async () => {
  await scoreChanged('flowers');
  await alice.query(`update flowers set petal_length = 9 where a < 5`);
  const runs: string[] = [];
  for (let n = 0; n < 6; n += 1) runs.push(await submitChanged('flowers'));
  for (const run of runs) expect(await endOfRun(alice, run)).toMatchObject({ state: 'done', error_code: null });
  expect(await differences('flowers')).toEqual([]);
  const { rows } = await alice.query(`select count(*)::int as n from scores_history where a < 5`);
  expect(rows[0].n).toBe(8);
});

test('a schedule takes it', async () => {
  await alice.query(
    `select pgscore.schedule('changes', '0 2 * * *', 'iris', 'flowers', target => 'scores', only_changed => true)`,
  );
  const fire = async (): Promise<Changed> => {
    const { rows } = await alice.query<{ run: string }>(`select pgscore.run_schedule('changes') as run`);
    return (await endOfRun(alice, rows[0]?.run ?? '')) as Changed;
  };
  expect(await fire()).toMatchObject({ rows_done: String(ROWS), rows_unchanged: '0' });
  expect(await fire()).toMatchObject({ rows_done: '0', rows_unchanged: String(ROWS), rows_total: String(ROWS) });
  await alice.query(`select pgscore.unschedule('changes')`);
});

test('the target of a watch is refused, and one that a watch left is scored whole', async () => {
  await alice.query(
    `create view keyed as select a, b, sepal_length, sepal_width, petal_length, petal_width from flowers`,
  );
  await alice.query(
    `select pgscore.watch('iris', 'keyed', target => 'watched', key => array['a', 'b'], capture => 'poll')`,
  );
  expect(
    await refusal(
      alice,
      `select pgscore.score_table('iris', 'keyed', target => 'watched', key => array['a', 'b'], only_changed => true)`,
    ),
  ).toMatchObject({
    code: '55006',
  });
  await alice.query(`select pgscore.unwatch('watched')`);
  expect(await scoreChanged('keyed', `, target => 'watched'`)).toEqual([String(ROWS), '0']);
  expect(await scoreChanged('keyed', `, target => 'watched'`)).toEqual(['0', String(ROWS)]);
});

test('the monitor counts rows that were scored', async () => {
  await scoreChanged('flowers');
  await alice.query(`update flowers set petal_length = 9 where a < 700`);
  await scoreChanged('flowers');
  await superuser.query('select pgscore.refresh()');
  const { rows } = await superuser.query(
    `select count(*) filter (where not counted or not kept)::int as open from pgscore_data.run where state = 'done'`,
  );
  expect(rows).toEqual([{ open: 0 }]);
});

/** A view over the flowers that takes some seconds to read. */
async function slowView(): Promise<void> {
  await alice.query(`create view slow as select a, b, sepal_length, sepal_width, petal_length,
    petal_width + length(pg_sleep(0.0015)::text) as petal_width from flowers`);
  await scoreChanged('slow');
  await alice.query(`update flowers set petal_length = 9 where a <= 5; delete from flowers where a = 6`);
}

/** Waits until a run over the slow view is being read. */
async function midRun(run: string): Promise<void> {
  const reading = `select from pg_stat_activity where application_name = 'pgscore reader' and state = 'active' and query like 'copy%'`;
  await waitFor(async () => (await superuser.query(reading)).rowCount === 1, { message: `run ${run} to be read` });
}

test('a scorer that is killed in the middle doubles nothing', async () => {
  await slowView();
  const run = await submitChanged('slow');
  await midRun(run);
  for (const pid of await service.scorerPids()) process.kill(pid, 'SIGKILL');
  expect(await endOfRun(alice, run)).toMatchObject({ state: 'done', rows_done: '5', rows_unchanged: String(ROWS - 6) });
  expect(await differences('slow')).toEqual([]);
  const { rows } = await alice.query(
    'select count(*)::int as n, count(distinct (a, run_id))::int as keys from scores_history',
  );
  expect(rows).toEqual([{ n: ROWS + 5, keys: ROWS + 5 }]);
});

test('a run that is cancelled leaves the target as it was', async () => {
  await slowView();
  const before = (await alice.query('select * from scores order by a')).rows;
  const run = await submitChanged('slow');
  await midRun(run);
  await alice.query('select pgscore.cancel_run($1)', [run]);
  expect(await endOfRun(alice, run)).toMatchObject({ state: 'cancelled' });
  expect((await alice.query('select * from scores order by a')).rows).toEqual(before);
  expect(await scoreChanged('slow')).toEqual(['5', String(ROWS - 6)]);
});
