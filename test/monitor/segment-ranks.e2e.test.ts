import { expect, test } from '@jest/globals';

import { cloneDatabase } from '../support/database.ts';
import { scoreTable } from '../support/run.ts';
import { startTestService } from '../support/service.ts';
import { settled, watched } from './watched-segments.ts';

const database = await cloneDatabase();
const superuser = await database.client();
await startTestService(database, { PGSCORE_SCORERS: '2', PGSCORE_POLL: '0.1' });
const [ada, alice] = await Promise.all([database.client('ada'), database.client('alice')]);

test('of a thousand values the 200 most frequent of the whole first run have slices, whichever job met them', async () => {
  await watched(ada, 'zipf', ['v']);
  // More than 512 pages, so that it is scored in shards. The k-th value is as frequent as 1/k; the order of the rows is by chance.
  await alice.query(`create table zipf (id int primary key, x float8, v int, at timestamptz, filler text);
    insert into zipf select i, i % 10, floor(1001 ^ (((i * 7919::bigint) % 30011) / 30011.0)), '2026-01-01 10:00+00'::timestamptz + i % 150 * interval '1 day', repeat('x', 400) from generate_series(1, 30000) i;
    create table zipf_truth as select id, x + id % 3 as y from zipf where id % 2 = 0`);
  await scoreTable(alice, 'zipf', 'zipf', { event_time: 'at' });
  const { rows: jobs } = await superuser.query<{ n: number }>('select count(*)::int as n from pgscore_data.shard');
  expect(jobs[0]?.n).toBeGreaterThan(2);
  await settled(superuser);
  await alice.query(`create table zipf_first as select id, v, at from zipf; truncate zipf;
    insert into zipf select i, 0, 5000 + i % 2, '2026-06-01 10:00+00'::timestamptz, '' from generate_series(40001, 40100) i`);
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
  expect(expected.length).toBeGreaterThan(1000);
  expect((await superuser.query(view)).rows).toEqual(expected);
});
