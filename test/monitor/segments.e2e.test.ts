import { beforeAll, describe, expect, test } from '@jest/globals';

import { classModel } from '../support/class-model.ts';
import { cloneDatabase } from '../support/database.ts';
import { deployBytes } from '../support/deploy.ts';
import { scoreTable } from '../support/run.ts';
import { startTestService } from '../support/service.ts';
import { audited } from './audited.ts';
import { settled, watched } from './watched-segments.ts';

const database = await cloneDatabase();
const superuser = await database.client();
await startTestService(database, { PGSCORE_SCORERS: '2', PGSCORE_POLL: '0.4' });
const [ada, alice] = await Promise.all([database.client('ada'), database.client('alice')]);

describe.each([
  ['in one piece', 'few', 3_000, 1],
  // More than 512 pages.
  ['in shards', 'many', 15_000, 23],
])('a table that is scored %s', (_, table, n, every) => {
  const model = `late_${table}`;

  beforeAll(async () => {
    await deployBytes(ada, model, classModel(2), { task: 'binary', class_labels: ['0', '1'] });
    await ada.query('select pgscore.monitor($1, segments => $2)', [model, ['Carrier', 'origin']]);
    const create = `create type ${table}_airport as enum ('JFK', 'LGA', 'EWR');
      create table ${table} (id bigint primary key, x real, carrier varchar(20), origin ${table}_airport, at timestamptz, filler text);
      insert into ${table} select i, i % 2, case when i % 7 > 0 then 'carrier ' || i % 7 end, (array['JFK', 'LGA', 'EWR'])[1 + i % 3]::${table}_airport,
        '2026-01-01 10:00+00'::timestamptz + i % 40 * interval '1 day', repeat('x', 400) from generate_series(1, ${n}) i;
      create table ${table}_kept as table ${table};
      create table ${table}_truth as select id, (case when id % 11 < 3 then 1 - x else x end)::int as y from ${table} where id % 5 > 0 and id % ${every} = 0`;
    await alice.query(create);
    expect(await scoreTable(alice, model, table, { event_time: 'at' })).toMatchObject({ state: 'done', error: null });
    const change = `update ${table} set carrier = 'another', origin = null`;
    await alice.query(change);
    await alice.query('select pgscore.set_labels($1, $2::regclass, label => $3, key => $4)', [
      model,
      `${table}_truth`,
      'y',
      'id',
    ]);
    await settled(superuser);
  }, 60_000);

  /** The daily, weekly or monthly view of the model, and what it must be by what was scored and is known. */
  async function viewAndHand(suffix: string): Promise<unknown[][]> {
    const grain = { daily: 'day', weekly: 'week', monthly: 'month' }[suffix] ?? '';
    const columns =
      'segment_key, segment_value, window_start, n_predictions, n_labeled, true_positives, false_positives, accuracy';
    const order = 'order by window_start, segment_key nulls first, segment_value';
    const view = `select ${columns} from pgscore_bi.binary_performance_${suffix} where model_name = $1 ${order}`;
    const hand = `select ${columns} from (
      select s.key as segment_key, s.value as segment_value, date_trunc('${grain}', k.at, 'UTC') as window_start, count(*) as n_predictions, count(t.y) as n_labeled,
             count(*) filter (where t.y = 1 and p.label = '1') as true_positives, count(*) filter (where t.y = 0 and p.label = '1') as false_positives,
             count(*) filter (where t.y::text = p.label)::float8 / nullif(count(t.y), 0) as accuracy
        from ${table}_scores p join ${table}_kept k using (id) left join ${table}_truth t using (id)
       cross join lateral (values ('Carrier', coalesce(k.carrier, ':missing')), ('origin', k.origin::text), (null, null)) s (key, value)
       group by 1, 2, 3) h ${order}`;
    return [(await superuser.query(view, [model])).rows, (await alice.query(hand)).rows];
  }

  test.each(['daily', 'weekly', 'monthly'])(
    'is as accurate %s in each slice as a query by hand says',
    async (suffix) => {
      const [view, hand] = await viewAndHand(suffix);
      expect(view?.length).toBeGreaterThan(20);
      expect(view).toEqual(hand);
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
    const read = `select segment_key, ${sums.join(', ')} from pgscore_bi.${view} where model_name = $1 group by 1 order by 1`;
    const { rows } = await superuser.query<{ segment_key: string | null }>(read, [model]);
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

  test('is right in every cell that the audit counts again, which notices a wrong slice, and after a rebuild', async () => {
    const cells = `select to_jsonb(o) as cell from pgscore_data.cell_outcome o join pgscore_data.version using (version_id) join pgscore_data.model m using (model_id)
      where m.name = $1 and n <> 0 order by 1`;
    const before = (await superuser.query(cells, [model])).rows;
    await superuser.query('truncate pgscore_data.rollup_audit');
    expect(await audited(superuser)).toBe(0);
    await superuser.query('begin');
    await superuser.query('truncate pgscore_data.rollup_audit');
    await superuser.query(
      `update pgscore_data.cell_outcome set n = n + 1 where ctid = (select min(ctid) from pgscore_data.cell_outcome where segment_id > 0 and n <> 0)`,
    );
    expect(await audited(superuser)).toBe(1);
    await superuser.query('rollback');
    await ada.query('select pgscore.rebuild($1)', [model]);
    expect((await superuser.query(cells, [model])).rows).toEqual(before);
  });

  test('corrected and withdrawn labels leave the slices that they were in', async () => {
    const correct = `update ${table}_truth set y = 1 - y where id % 13 = 0; delete from ${table}_truth where id % 17 = 0`;
    await alice.query(correct);
    await settled(superuser);
    const [view, hand] = await viewAndHand('daily');
    expect(view).toEqual(hand);
  });
});

test('of a thousand values the 200 most frequent of the whole first run have slices, whichever job met them', async () => {
  await watched(ada, 'zipf', ['v']);
  // More than 512 pages, so that it is scored in shards. The k-th value is as frequent as 1/k; the order of the rows is by chance.
  await alice.query(`create table zipf (id int primary key, x float8, v int, at timestamptz, filler text);
    insert into zipf select i, i % 10, floor(1001 ^ (((i * 7919::bigint) % 15013) / 15013.0)), '2026-01-01 10:00+00'::timestamptz + i % 40 * interval '1 day', repeat('x', 400) from generate_series(1, 15000) i;
    create table zipf_truth as select id, x + id % 3 as y from zipf where id % 2 = 0`);
  await scoreTable(alice, 'zipf', 'zipf', { event_time: 'at' });
  const { rows: cut } = await superuser.query(
    `select 1 from pgscore_data.run where source_name = 'zipf' and pages > 512`,
  );
  expect(cut.length).toBe(1);
  await settled(superuser);
  await alice.query(`create table zipf_first as select id, v, at from zipf; truncate zipf;
    insert into zipf select i, 0, 5000 + i % 2, '2026-03-01 10:00+00'::timestamptz, '' from generate_series(40001, 40100) i`);
  await scoreTable(alice, 'zipf', 'zipf', { event_time: 'at' });
  await alice.query(`select pgscore.set_labels('zipf', 'zipf_truth', label => 'y', key => 'id')`);
  await settled(superuser);

  const columns = `segment_value, window_date, n_predictions::int, n_labeled::int, round(mae::numeric, 9) as mae`;
  const view = `select ${columns} from pgscore_bi.regression_performance_monthly where model_name = 'zipf' and segment_key is not null
    order by segment_value collate "C", window_date`;
  const hand = `with named as (
      select v from zipf_first group by v order by count(*) desc, v::text collate "C" limit 200
    ), scored as (
      select id, v, at from zipf_first union all select id, v, at from zipf
    )
    select coalesce(n.v::text, ':other') collate "C" as segment_value, date_trunc('month', s.at, 'UTC')::date as window_date, count(*)::int as n_predictions, count(y)::int as n_labeled, round(avg(s.id % 3) filter (where y is not null), 9) as mae
      from scored s left join named n using (v) left join zipf_truth t using (id) group by 1, 2 order by 1, 2`;
  const { rows: expected } = await alice.query(hand);
  expect(expected.length).toBeGreaterThan(350);
  expect((await superuser.query(view)).rows).toEqual(expected);
});
