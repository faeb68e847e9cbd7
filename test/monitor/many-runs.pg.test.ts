import { expect, test } from '@jest/globals';
import { cloneDatabase } from '../support/database.ts';
import { addMonitoredModel, addRun } from './monitored-model.ts';

const database = await cloneDatabase();
const superuser = await database.client();
const model = await addMonitoredModel(superuser, 'busy', 'binary');

const BEFORE = 5000;
const NEW = 20;

/** Runs that were counted long ago, of which the planner knows nothing. */
async function addCountedRuns(): Promise<void> {
  const like = await addRun(superuser, model, [{ id: 0, at: '2026-03-01T12:00:00Z', score: 0.5, label: 'yes' }]);
  await superuser.query(
    `insert into pgscore_data.run (requested_by, version_id, target_id, source_schema, source_name, source_kind, plan, rls, state, attempt, snapshot_at, generation, counted, kept)
     select r.requested_by, r.version_id, r.target_id, r.source_schema, r.source_name, r.source_kind, r.plan, r.rls, 'done', 1, r.snapshot_at, r.generation, true, true
       from pgscore_data.run r cross join generate_series(1, $2::int) n where r.run_id = $1`,
    [like, BEFORE],
  );
}

test('a refresh of a few small runs looks at no other of the many before them', async () => {
  await addCountedRuns();
  for (let n = 1; n <= NEW; n += 1) {
    await addRun(superuser, model, [{ id: n, at: '2026-03-02T12:00:00Z', score: n / 100, label: 'no' }]);
  }
  await superuser.query('select pg_stat_force_next_flush()');
  await superuser.query('begin');
  await superuser.query('select pgscore_data._refresh()');
  const { rows } = await superuser.query<{ read: string }>(
    `select sum(seq_tup_read + coalesce(idx_tup_fetch, 0)) as read from pg_stat_xact_user_tables where relid = 'pgscore_data.run'::regclass`,
  );
  await superuser.query('commit');
  expect(Number(rows[0]?.read)).toBeLessThan(BEFORE / 2);
  const volume = `select sum(n_predictions)::int as n from pgscore_data.cell_volume where segment_id = 0`;
  expect((await superuser.query(volume)).rows).toEqual([{ n: NEW + 1 }]);
});

test('a refresh keeps runs until they have so many rows, and says that more wait', async () => {
  const runs: string[] = [];
  for (let n = 0; n < 3; n += 1)
    runs.push(await addRun(superuser, model, [{ id: 900 + n, at: '2026-03-03T12:00:00Z', score: 0.5, label: 'yes' }]));
  await superuser.query(
    'update pgscore_data.run set rows_done = 60, finished_at = clock_timestamp() where run_id = any ($1)',
    [runs],
  );
  const refreshed = async (): Promise<unknown[]> => {
    const { rows } = await superuser.query('select pgscore_data._refresh(400) as more');
    const kept = await superuser.query('select kept from pgscore_data.run where run_id = any ($1) order by run_id', [
      runs,
    ]);
    return [...rows, kept.rows.map((row) => row.kept)];
  };
  expect(await refreshed()).toEqual([{ more: true }, [true, true, false]]);
  expect(await refreshed()).toEqual([{ more: false }, [true, true, true]]);
});
