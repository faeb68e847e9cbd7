import { beforeAll, expect, test } from '@jest/globals';

import { compareLabels } from '../../src/monitor/compare-labels.ts';
import { cloneDatabase } from '../support/database.ts';
import { READER_PASSWORD, SERVICE_PASSWORD } from '../support/service-passwords.ts';
import { addMonitoredModel, addRun } from './monitored-model.ts';

const database = await cloneDatabase();
const [superuser, alice, service] = await Promise.all([
  database.client(),
  database.client('alice'),
  database.client({ user: 'pgscore_service', password: SERVICE_PASSWORD }),
]);

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
  const volume = `select sum(n_predictions)::int as n from pgscore_data.cell_volume where segment_id = 0 and version_id = $1`;
  expect((await superuser.query(volume, [model.versionId])).rows).toEqual([{ n: NEW + 1 }]);
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

/** So many labels that a loop over each other would take minutes. */
const LABELS = 40_000;

const readerUrl = database.url({ user: 'pgscore_reader', password: READER_PASSWORD });

beforeAll(async () => {
  const model = await addMonitoredModel(superuser, 'sensor', 'binary');
  await addRun(superuser, model, [{ id: 1, at: '2026-01-01 00:00+00', score: 0.7, label: 'yes' }]);
  await alice.query('create table truth (id int, known timestamptz, outcome text, primary key (id, known))');
  await alice.query(
    `insert into truth select 1, '2026-01-02 00:00+00'::timestamptz + n * interval '1 minute', 'yes' from generate_series(1, $1) n`,
    [LABELS],
  );
  await alice.query(
    `select pgscore.set_labels('sensor', 'truth', label => 'outcome', key => 'id', known_at => 'known')`,
  );
  await service.query(`set statement_timeout = '40s'`);
  await superuser.query(`set statement_timeout = '40s'`);
});

async function labels(): Promise<Record<string, number>> {
  const { rows } = await superuser.query<{ label: string; n: number }>(
    `select label, count(*)::int as n from pgscore_data.evaluation join pgscore_data.model using (model_id) where name = 'sensor' group by label`,
  );
  return Object.fromEntries(rows.map(({ label, n }) => [label, n]));
}

async function compareAndRefresh(): Promise<void> {
  await superuser.query(
    'insert into pgscore_data.comparison_request select source_id from pgscore_data.label_source on conflict do nothing',
  );
  await superuser.query(`update pgscore_data.label_source set compared_at = now() - interval '1 minute'`);
  expect(await compareLabels(service, readerUrl)).toMatchObject({ model: 'sensor' });
  await superuser.query('select pgscore_data._refresh()');
}

test('an entity with very many labels is compared and counted without a loop over all of them for each', async () => {
  await compareAndRefresh();
  expect(await labels()).toEqual({ yes: LABELS });
  await superuser.query(`begin; set local session_replication_role = replica;
    update alice.truth set outcome = 'no' where known = '2026-01-02 00:01+00'; delete from alice.truth where known = '2026-01-02 00:02+00'; commit`);
  await compareAndRefresh();
  expect(await labels()).toEqual({ no: 1, yes: LABELS - 2 });
});
