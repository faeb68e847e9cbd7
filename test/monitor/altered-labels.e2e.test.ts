import { expect, test } from '@jest/globals';

import { cloneDatabase } from '../support/database.ts';
import { startTestService } from '../support/service.ts';
import { waitFor } from '../support/wait-for.ts';
import { addMonitoredModel, addRun } from './monitored-model.ts';

const database = await cloneDatabase();
const [superuser, alice] = await Promise.all([database.client(), database.client('alice')]);
const model = await addMonitoredModel(superuser, 'altered', 'binary');
const scored = { at: '2026-03-01 00:00+00', score: 0.7, label: 'yes' };
await addRun(superuser, model, [
  { id: 1, ...scored },
  { id: 2, ...scored },
]);
await startTestService(database, { PGSCORE_POLL: '0.4' });

/** Whether labels are settled, and which are counted. */
async function shown(): Promise<string> {
  const read = `select concat_ws(' ', case when is_settled then 'settled' else 'unsettled' end,
    (select string_agg(e.key[1] || e.label, ' ' order by e.key) from pgscore_data.evaluation e)) as seen from pgscore.label_sources`;
  return (await superuser.query<{ seen: string }>(read)).rows[0]?.seen ?? '';
}

async function expectShown(expected: string): Promise<void> {
  await waitFor(async () => (await shown()) === expected, { message: expected });
}

test.each([
  [
    'rows that are written while triggers are disabled',
    `alter table truth disable trigger user; insert into truth values (2, 'no', 'yes'); alter table truth enable trigger user`,
    'settled 1yes 2no',
  ],
  [
    'a column that takes the place of the label column',
    'alter table truth rename outcome to former; alter table truth rename other to outcome',
    'settled 1no',
  ],
  [
    'a label column that is dropped and made anew',
    `alter table truth drop outcome; alter table truth add outcome text default 'no'`,
    'settled 1no',
  ],
  ['a partition that is taken away', 'alter table truth detach partition first', 'settled'],
  [
    'a partition that is put there',
    `create table second (id int primary key, outcome text, other text); insert into second values (2, 'no', null);
     alter table truth attach partition second for values in (2)`,
    'settled 1yes 2no',
  ],
])('%s: labels are compared at once, and are not settled before', async (_what, change, expected) => {
  await alice.query(`drop table if exists truth, first, second;
    create table truth (id int, outcome text, other text, primary key (id)) partition by list (id);
    create table first partition of truth for values in (1); create table rest partition of truth default;
    insert into truth values (1, 'yes', 'no');
    select pgscore.set_labels('altered', 'truth', label => 'outcome')`);
  await expectShown('settled 1yes');
  await superuser.query('begin; set local role alice');
  await superuser.query(change);
  await superuser.query('reset role');
  expect(await shown()).toBe('unsettled 1yes');
  await superuser.query('commit');
  await expectShown(expected);
});

test('a column of another type: the source says that it cannot be read, and its labels are not settled', async () => {
  await alice.query(`drop table if exists truth, first, second; create table truth (id int primary key, outcome text);
    insert into truth values (1, 'yes');
    select pgscore.set_labels('altered', 'truth', label => 'outcome')`);
  await expectShown('settled 1yes');
  await alice.query(`alter table truth alter id type numeric(9, 2); insert into truth values (2, 'yes')`);
  const error = async (): Promise<unknown> =>
    (await alice.query('select error from pgscore.label_sources')).rows[0]?.error;
  await waitFor(async () => (await error()) !== null, { message: 'the comparison to fail' });
  expect(await error()).toBe('column "id" was integer and is numeric');
  expect(await shown()).toMatch(/^unsettled/);
});
