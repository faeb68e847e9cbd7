import { expect, test } from '@jest/globals';

import { cloneDatabase } from '../support/database.ts';
import { addMonitoredModel, addRun } from './monitored-model.ts';

const database = await cloneDatabase();
const superuser = await database.client();

test('each score of a model with segments is counted once, by day and by what was true', async () => {
  const model = await addMonitoredModel(superuser, 'split', 'binary');
  const rows = Array.from({ length: 40 }, (_, id) => ({
    id,
    at: '2026-03-02T09:00:00Z',
    score: 0.05 + (id % 10) / 10,
    label: id % 10 < 5 ? 'no' : 'yes',
    segments: ['ab'.charAt(id % 2)],
  }));
  await addRun(superuser, model, rows, ['carrier']);
  await superuser.query(
    `select pgscore.record_label('split', id::text, case when id % 4 = 0 then 'yes' else 'no' end, '2026-03-03 00:00+00') from generate_series(0, 39) id`,
  );
  await superuser.query('select pgscore.refresh()');
  const read = `select outcome, sum(n)::int as n, count(*)::int as bins, round(sum(share)::numeric, 9)::float8 as share
      from pgscore_bi.score_distribution_daily where model_name = 'split' group by 1 order by 1`;
  expect((await superuser.query(read)).rows).toEqual([
    { outcome: 'all', n: 40, bins: 10, share: 1 },
    { outcome: 'negative', n: 30, bins: 10, share: 1 },
    { outcome: 'positive', n: 10, bins: 5, share: 1 },
  ]);
});
