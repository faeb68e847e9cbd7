import { beforeAll, expect, test } from '@jest/globals';
import { compareLabels } from '../../src/monitor/compare-labels.ts';
import { cloneDatabase } from '../support/database.ts';
import { READER_PASSWORD, SERVICE_PASSWORD } from '../support/service-passwords.ts';
import { addMonitoredModel, addRun } from './monitored-model.ts';

/** So many labels that a loop over each other would take minutes. */
const LABELS = 40_000;

const database = await cloneDatabase();
const [superuser, alice, service] = await Promise.all([
  database.client(),
  database.client('alice'),
  database.client({ user: 'pgscore_service', password: SERVICE_PASSWORD }),
]);
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
    'select label, count(*)::int as n from pgscore_data.evaluation group by label',
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
