import { beforeAll, describe, expect, test } from '@jest/globals';
import type { Client } from 'pg';

import { classModel } from '../support/class-model.ts';
import { cloneDatabase } from '../support/database.ts';
import { deployBytes } from '../support/deploy.ts';
import { refusal } from '../support/refusal.ts';
import { scoreTable } from '../support/run.ts';
import { startTestService } from '../support/service.ts';
import { waitFor } from '../support/wait-for.ts';
import { weightedModel } from '../support/weighted-model.ts';

const database = await cloneDatabase();
const superuser = await database.client();
await startTestService(database, { PGSCORE_POLL: '0.1' });
const [ada, alice, bob] = await Promise.all([database.client('ada'), database.client('alice'), database.client('bob')]);

/** Waits until the service has counted every run and label. */
async function settled(): Promise<void> {
  await waitFor(
    async () => {
      const { rows } = await superuser.query<{ waiting: boolean }>(
        `select exists (select from pgscore_data.run where state = 'done' and not paired) or exists (select from pgscore_data.label_change)
             or exists (select from pgscore_data.label_source where compared_at is null) as waiting`,
      );
      return rows[0]?.waiting === false;
    },
    { message: 'runs and labels to be counted' },
  );
  await superuser.query('select pgscore.refresh()');
}

/** Predictions by slice, of all time. */
async function slices(model: string, view = 'regression'): Promise<string[]> {
  const read = `select concat_ws(' ', segment_key, segment_value, sum(n_predictions)) as slice from pgscore_bi.${view}_performance_monthly
    where model_name = $1 and segment_key is not null group by segment_key, segment_value order by segment_key collate "C", segment_value collate "C"`;
  const { rows } = await superuser.query<{ slice: string }>(read, [model]);
  return rows.map(({ slice }) => slice);
}

/** A model that predicts x, with these segments. */
async function watched(model: string, segments: readonly string[]): Promise<void> {
  await deployBytes(ada, model, weightedModel({ x: 'float64' }));
  await ada.query('select pgscore.monitor($1, segments => $2)', [model, segments]);
}

describe.each([
  ['in one piece', 'few', 3_000, 1],
  ['in shards', 'many', 300_000, 23],
])('a table that is scored %s', (_, table, n, every) => {
  const model = `late_${table}`;

  beforeAll(async () => {
    await deployBytes(ada, model, classModel(2), { task: 'binary', class_labels: ['0', '1'] });
    await ada.query('select pgscore.monitor($1, segments => $2)', [model, ['Carrier', 'origin']]);
    const create = `create type ${table}_airport as enum ('JFK', 'LGA', 'EWR');
      create table ${table} (id bigint primary key, x real, carrier varchar(20), origin ${table}_airport, at timestamptz);
      insert into ${table} select i, i % 2, case when i % 7 > 0 then 'carrier ' || i % 7 end, (array['JFK', 'LGA', 'EWR'])[1 + i % 3]::${table}_airport,
        '2026-01-01 10:00+00'::timestamptz + i % 40 * interval '1 day' from generate_series(1, ${n}) i;
      create table ${table}_kept as table ${table};
      create table ${table}_truth as select id, (case when id % 11 < 3 then 1 - x else x end)::int as y from ${table} where id % 5 > 0 and id % ${every} = 0`;
    await alice.query(create);
    expect(await scoreTable(alice, model, table, { event_time: 'at' })).toMatchObject({ state: 'done', error: null });
    await alice.query(`update ${table} set carrier = 'another', origin = null`);
    await alice.query('select pgscore.set_labels($1, $2::regclass, label => $3, key => $4)', [
      model,
      `${table}_truth`,
      'y',
      'id',
    ]);
    await settled();
  }, 60_000);

  const byHand = (grain: string): string => `
    select s.key as segment_key, s.value as segment_value, date_trunc('${grain}', k.at, 'UTC') as window_start, count(*)::bigint as n_predictions, count(t.y)::bigint as n_labeled,
           count(*) filter (where t.y = 1 and p.label = '1')::bigint as true_positives, count(*) filter (where t.y = 0 and p.label = '1')::bigint as false_positives,
           count(*) filter (where t.y::text = p.label)::float8 / nullif(count(t.y), 0) as accuracy
      from ${table}_scores p join ${table}_kept k using (id) left join ${table}_truth t using (id)
     cross join lateral (values ('Carrier', coalesce(k.carrier, ':missing')), ('origin', k.origin::text), (null, null)) s (key, value)
     group by 1, 2, 3`;

  test.each(['daily', 'weekly', 'monthly'])(
    'is as accurate %s in each slice as a query by hand says',
    async (suffix) => {
      const grain = { daily: 'day', weekly: 'week', monthly: 'month' }[suffix] ?? '';
      const columns =
        'segment_key, segment_value, window_start, n_predictions, n_labeled, true_positives, false_positives, accuracy';
      const order = 'order by window_start, segment_key nulls first, segment_value';
      const hand = await alice.query(`select ${columns} from (${byHand(grain)}) h ${order}`);
      const view = await superuser.query(
        `select ${columns} from pgscore_bi.binary_performance_${suffix} where model_name = $1 ${order}`,
        [model],
      );
      expect(view.rows.length).toBeGreaterThan(20);
      expect(view.rows).toEqual(hand.rows);
    },
  );

  test.each([
    [
      'binary_performance_daily',
      'n_predictions, n_labeled, true_positives, false_positives, false_negatives, true_negatives',
    ],
    ['confusion_matrix_daily', 'n'],
    ['class_performance_monthly', 'support, n_predicted'],
    ['performance_by_label_age', 'n_labeled'],
  ])('has slices in %s that add up to the whole, for each column', async (view, counts) => {
    const sums = counts.split(', ').map((count) => `sum(${count})::bigint as ${count}`);
    const { rows } = await superuser.query<{ segment_key: string | null }>(
      `select segment_key, ${sums.join(', ')} from pgscore_bi.${view} where model_name = $1 group by 1 order by 1`,
      [model],
    );
    expect(rows.map(({ segment_key }) => segment_key)).toEqual(['Carrier', 'origin', null]);
    const [carrier, origin, all] = rows.map(({ segment_key: _key, ...sum }) => sum);
    expect(carrier).toEqual(all);
    expect(origin).toEqual(all);
  });

  test('has no AUC by slice, and says so', async () => {
    const { rows } = await superuser.query(
      `select distinct roc_auc is null as none, undefined_reason from pgscore_bi.binary_performance_monthly where model_name = $1 and segment_key is not null`,
      [model],
    );
    expect(rows).toEqual([{ none: true, undefined_reason: 'not_by_segment' }]);
  });

  test('is right in every cell that the audit counts again, and after a rebuild', async () => {
    const cells = `select to_jsonb(o) as cell from pgscore_data.cell_outcome o join pgscore_data.version using (version_id) join pgscore_data.model m using (model_id)
      where m.name = $1 and n <> 0 order by 1`;
    const before = (await superuser.query(cells, [model])).rows;
    await superuser.query('truncate pgscore_data.rollup_audit');
    expect((await superuser.query('select pgscore_data._audit(1000) as wrong')).rows).toEqual([{ wrong: '0' }]);
    await ada.query('select pgscore.rebuild($1)', [model]);
    expect((await superuser.query(cells, [model])).rows).toEqual(before);
  });

  test('corrected and withdrawn labels leave the slices that they were in', async () => {
    await alice.query(
      `update ${table}_truth set y = 1 - y where id % 13 = 0; delete from ${table}_truth where id % 17 = 0`,
    );
    await settled();
    const columns = 'segment_key, segment_value, n_labeled, true_positives, false_positives, accuracy';
    const order = 'order by window_start, segment_key nulls first, segment_value';
    const hand = await alice.query(`select ${columns} from (${byHand('day')}) h ${order}`);
    const view = await superuser.query(
      `select ${columns} from pgscore_bi.binary_performance_daily where model_name = $1 ${order}`,
      [model],
    );
    expect(view.rows).toEqual(hand.rows);
  });
});

test('predictions that are replaced keep the slices that they were in, and new ones are in theirs', async () => {
  await watched('again', ['color']);
  await alice.query(
    `create table again (id int primary key, x float8, color text); insert into again values (1, 1, 'red'), (2, 2, 'red')`,
  );
  await scoreTable(alice, 'again', 'again');
  await alice.query(`update again set color = 'blue' where id = 2`);
  await scoreTable(alice, 'again', 'again');
  await alice.query(`select pgscore.record_label('again', '1', '1'), pgscore.record_label('again', '2', '4')`);
  await settled();
  expect(await slices('again')).toEqual(['color blue 1', 'color red 3']);
  const { rows } = await superuser.query(
    `select segment_value, n_labeled::int as n, mae from pgscore_bi.regression_performance_monthly where model_name = 'again' order by 1`,
  );
  expect(rows).toEqual([
    { segment_value: 'blue', n: 1, mae: 2 },
    { segment_value: 'red', n: 1, mae: 0 },
    { segment_value: null, n: 2, mae: 1 },
  ]);
});

test('the types of a segment are told as their texts, and a value is cut after 100 characters', async () => {
  await watched('typed', ['t', 'v', 'c', 'e', 'b', 'small', 'int', 'big']);
  await alice.query(`create type mood as enum ('glad', 'Grün ☃'); create domain code as varchar(300);
    create table typed (id int primary key, x float8, t text, v code, c char(9), e mood, b boolean, small int2, int int4, big int8);
    insert into typed values (1, 1, '', repeat('ä', 101), 'ab', 'Grün ☃', true, -1, 2147483647, -9223372036854775808),
      (2, 1, 'a "b", {c}\\', repeat('ä', 102), 'ab ', 'glad', false, -1, 1, null)`);
  await scoreTable(alice, 'typed', 'typed');
  await settled();
  expect(await slices('typed')).toEqual([
    'b false 1',
    'b true 1',
    'big -9223372036854775808 1',
    'big :missing 1',
    'c ab 2',
    'e Grün ☃ 1',
    'e glad 1',
    'int 1 1',
    'int 2147483647 1',
    'small -1 2',
    't  1',
    't a "b", {c}\\ 1',
    `v ${'ä'.repeat(100)} 2`,
  ]);
});

test('of more than 200 values the most frequent of the first run have slices, and each further one is :other', async () => {
  await watched('varied', ['v']);
  await alice.query(
    `create table varied (id int primary key, x float8, v int); insert into varied select i, i, i % 199 from generate_series(0, 397) i`,
  );
  await scoreTable(alice, 'varied', 'varied');
  await alice.query(
    `truncate varied; insert into varied select i, i, case when i < 3 then 1000 else 2000 + i end from generate_series(0, 9) i`,
  );
  await scoreTable(alice, 'varied', 'varied');
  await settled();
  const all = await slices('varied');
  expect(all).toHaveLength(201);
  expect(all.filter((slice) => /^v (:|\d{4})/.test(slice))).toEqual(['v 1000 3', 'v :other 7']);
  expect(await slices('varied')).toContain('v 198 2');
  await alice.query(`select pgscore.record_label('varied', '9', '10')`);
  await settled();
  const { rows } = await superuser.query(
    `select segment_value, n_labeled::int as n, mae from pgscore_bi.regression_performance_monthly where model_name = 'varied' and n_labeled > 0 and segment_key = 'v'`,
  );
  expect(rows).toEqual([{ segment_value: ':other', n: 1, mae: 1 }]);
});

describe('a segment that cannot be told', () => {
  let notices: string[] = [];

  async function told(
    client: Client,
    model: string,
    source: string,
    options: Record<string, unknown> = {},
  ): Promise<string[]> {
    notices = [];
    client.on('notice', ({ message }) => notices.push(message ?? ''));
    const run = await scoreTable(client, model, source, options);
    client.removeAllListeners('notice');
    expect(run).toMatchObject({ state: 'done', error: null });
    return notices;
  }

  beforeAll(async () => {
    await watched('untold', ['absent', 'secret', 'list', 'twice', 'named']);
    await alice.query(`create table untold (id int primary key, x float8, secret text default 'secret', list text[], "Twice" text, "TWICE" text, other text default 'o');
      insert into untold values (1, 1), (2, 2);
      grant usage on schema alice to bob; grant select (id, x, list, "Twice", "TWICE", other) on untold to bob`);
  });

  test('because its column is not there, may not be read, is of another type or one of two, is :missing, and the run is done', async () => {
    const options = { key: 'id', column_map: { named: 'other' } };
    expect(await told(bob, 'untold', 'alice.untold', { ...options, target_schema: 'bob' })).toEqual([
      'segment "absent" cannot be told of alice.untold: there is no such column',
      'segment "secret" cannot be told of alice.untold: permission denied',
      'segment "list" cannot be told of alice.untold: it is text[], and not a text, an enum, a boolean or an integer',
      'segment "twice" cannot be told of alice.untold: more than one column is called so',
    ]);
    await settled();
    expect(await slices('untold')).toEqual([
      'absent :missing 2',
      'list :missing 2',
      'named o 2',
      'secret :missing 2',
      'twice :missing 2',
    ]);
  });

  test('is told to who may read it', async () => {
    await alice.query('alter table untold add column absent int');
    expect(await told(alice, 'untold', 'untold')).toHaveLength(3);
    await settled();
    expect(await slices('untold')).toEqual([
      'absent :missing 4',
      'list :missing 4',
      'named :missing 2',
      'named o 2',
      'secret :missing 2',
      'secret secret 2',
      'twice :missing 4',
    ]);
  });
});

test('a cast that the owner of an enum made is not called by who reads it', async () => {
  await watched('cast', ['trap']);
  await alice.query(`create type trap as enum ('as it is');
    create function sprung(trap) returns text language plpgsql as $$ begin raise exception 'sprung'; end $$;
    create cast (trap as text) with function sprung(trap);
    create table cast_source (id int primary key, x float8, trap trap); insert into cast_source values (1, 1, 'as it is')`);
  expect(await scoreTable(alice, 'cast', 'cast_source')).toMatchObject({ state: 'done', error: null });
  await settled();
  expect(await slices('cast')).toEqual(['trap as it is 1']);
});

test('failed rows are in a slice, and runs from before and after have none', async () => {
  await deployBytes(ada, 'halting', weightedModel({ x: 'float32' }));
  await alice.query(
    `create table halting (id int primary key, x float8, v text); insert into halting values (1, 1, 'a'), (2, 1e300, 'a'), (3, 1, 'b')`,
  );
  await scoreTable(alice, 'halting', 'halting');
  await ada.query(`select pgscore.monitor('halting', segments => '{v}')`);
  await scoreTable(alice, 'halting', 'halting');
  await ada.query(`select pgscore.monitor('halting', segments => '{}')`);
  await scoreTable(alice, 'halting', 'halting');
  await settled();
  const { rows } = await superuser.query(
    `select segment_value, sum(n_predictions)::int as n, sum(n_failed)::int as failed from pgscore_data.cell_volume c
       join pgscore_data.version using (version_id) join pgscore_data.model m using (model_id) join pgscore_data.slice s using (model_id, segment_id)
      where m.name = 'halting' group by 1 order by 1`,
  );
  expect(rows).toEqual([
    { segment_value: 'a', n: 1, failed: 1 },
    { segment_value: 'b', n: 1, failed: 0 },
    { segment_value: null, n: 6, failed: 3 },
  ]);
});

test('the columns of the model are segments by the names that the model gives them, and a schedule takes them, too', async () => {
  await deployBytes(ada, 'mapped', weightedModel({ x: 'string' }));
  await ada.query(`select pgscore.monitor('mapped', segments => '{x}')`);
  await alice.query(`create table mapped (id int primary key, y text); insert into mapped values (1, 'red')`);
  await scoreTable(alice, 'mapped', 'mapped', { column_map: { x: 'y' } });
  await settled();
  expect(await slices('mapped')).toEqual(['x red 1']);
  await ada.query(`select pgscore.monitor('mapped', segments => '{x,z}')`);
  await alice.query(
    `select pgscore.schedule('mapped', '0 0 1 1 *', model => 'mapped', source => 'mapped', column_map => '{"x": "y", "z": "y"}')`,
  );
});

describe('segments that make no sense are refused', () => {
  beforeAll(() => deployBytes(ada, 'strict', weightedModel({ x: 'float64' })));

  test.each([
    [['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h', 'i'], 'eight columns are the most, and these are 9'],
    [['a', null], 'they are names of columns, and none is NULL'],
    [[['a', 'b']], 'they are names of columns, and none is NULL'],
    [['a', ''], 'a name is empty'],
    [['a', 'b', 'a'], 'a column is named twice'],
    [['a'.repeat(64)], 'no column has a name of more than 63 bytes'],
  ])('%j', async (segments, why) => {
    expect(await refusal(ada, `select pgscore.monitor('strict', segments => $1)`, [segments])).toMatchObject({
      code: '22023',
      message: `model "strict" cannot have these segments: ${why}`,
      hint: `Name columns of what is scored: segments => array['carrier', 'origin']; for none: segments => '{}'.`,
    });
  });

  test('what is left out stays', async () => {
    await ada.query(`select pgscore.monitor('strict', segments => '{a}')`);
    await ada.query(`select pgscore.monitor('strict', label_maturity => '1 day')`);
    const { rows } = await superuser.query(
      `select segments from pgscore_data.monitor join pgscore_data.model using (model_id) where name = 'strict'`,
    );
    expect(rows).toEqual([{ segments: ['a'] }]);
  });
});
