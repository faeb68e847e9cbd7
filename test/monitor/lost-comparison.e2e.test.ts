import { expect, test } from '@jest/globals';

import { cloneDatabase } from '../support/database.ts';
import { startTestService } from '../support/service.ts';
import { waitFor } from '../support/wait-for.ts';
import { addMonitoredModel, addRun } from './monitored-model.ts';

const database = await cloneDatabase();
const [superuser, holder, alice] = await Promise.all([database.client(), database.client(), database.client('alice')]);

/** Whether labels are settled, and how many are counted. */
async function shown(): Promise<string> {
  const read = `select concat_ws(' ', case when is_settled then 'settled' else 'unsettled' end, (select count(*) from pgscore_data.evaluation)) as seen from pgscore.label_sources`;
  return (await superuser.query<{ seen: string }>(read)).rows[0]?.seen ?? '';
}

test('a comparison that TRUNCATE asked for outlives the service that was about it', async () => {
  const model = await addMonitoredModel(superuser, 'emptied', 'binary');
  await addRun(superuser, model, [{ id: 1, at: '2026-03-01 00:00+00', score: 0.7, label: 'yes' }]);
  await alice.query(`create table truth (id int primary key, outcome text); insert into truth values (1, 'yes')`);
  await alice.query(`select pgscore.set_labels('emptied', 'truth', label => 'outcome')`);
  const first = await startTestService(database, { PGSCORE_POLL: '0.4' });
  await waitFor(async () => (await shown()) === 'settled 1', { message: 'the label' });

  await holder.query('begin; lock table pgscore_data.compared_label in exclusive mode');
  await alice.query('truncate truth');
  const reading = `select from pg_stat_activity where datname = current_database() and application_name = 'pgscore labels' and query like 'copy %' and state = 'active'`;
  await waitFor(async () => (await superuser.query(reading)).rowCount === 1);
  await first.kill();
  expect(await shown()).toBe('unsettled 1');
  await holder.query('rollback');

  await startTestService(database, { PGSCORE_POLL: '0.4' });
  await waitFor(async () => (await shown()) === 'settled 0', { message: 'the label to be withdrawn' });
});
