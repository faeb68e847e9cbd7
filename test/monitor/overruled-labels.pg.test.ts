import { beforeAll, beforeEach, expect, test } from '@jest/globals';
import { compareLabels } from '../../src/monitor/compare-labels.ts';
import { cloneDatabase } from '../support/database.ts';
import { READER_PASSWORD, SERVICE_PASSWORD } from '../support/service-passwords.ts';
import { waitFor } from '../support/wait-for.ts';
import { addMonitoredModel, addRun, type MonitoredModel } from './monitored-model.ts';

const database = await cloneDatabase();
const [superuser, ada, deployer, alice, service] = await Promise.all([
  database.client(),
  database.client('ada'),
  database.client('ada'),
  database.client('alice'),
  database.client({ user: 'pgscore_service', password: SERVICE_PASSWORD }),
]);
const readerUrl = database.url({ user: 'pgscore_reader', password: READER_PASSWORD });
let model: MonitoredModel;

beforeAll(async () => {
  model = await addMonitoredModel(superuser, 'ruled', 'binary');
  const rows = [1, 2].map((id) => ({ id, at: '2026-03-01 00:00+00', score: 0.7, label: 'yes' }));
  await addRun(superuser, model, rows);
  await alice.query('create table plain (id int primary key, outcome text)');
  await alice.query('create table timed (id int, known date, outcome text, primary key (id, known))');
});

beforeEach(async () => {
  await alice.query(`select pgscore.unset_labels('ruled')`).catch(() => undefined);
  await superuser.query('select pgscore.refresh()');
  await alice.query(`truncate plain, timed;
    insert into plain values (1, 'yes'), (2, 'yes');
    insert into timed values (1, '2026-03-05', 'yes')`);
});

async function labelsFrom(table: string, knownAt: string): Promise<void> {
  const set = `select pgscore.set_labels('ruled', '${table}', label => 'outcome', key => 'id', known_at => ${knownAt})`;
  await alice.query(set);
  await compared('');
}

const fromPlain = (): Promise<void> => labelsFrom('plain', 'null');
const fromTimed = (): Promise<void> => labelsFrom('timed', `'known'`);

/** Writes what no trigger sees, and has it found by a comparison, as in a source that is polled. */
async function compared(write: string): Promise<void> {
  const transaction = `begin; set local session_replication_role = replica; ${write};
    insert into pgscore_data.comparison_request select source_id from pgscore_data.label_source;
    update pgscore_data.label_source set compared_at = now() - interval '1 minute'; commit`;
  await superuser.query(transaction);
  expect(await compareLabels(service, readerUrl)).toMatchObject({ model: 'ruled' });
  await superuser.query('select pgscore.refresh()');
}

async function overrule(label: string, knownAt = 'null'): Promise<void> {
  const record = `select pgscore.record_label('ruled', '1', '${label}', ${knownAt})`;
  await ada.query(record);
  await superuser.query('select pgscore.refresh()');
}

/** What is known of entity 1, in the order of its times. */
async function known(): Promise<(string | null)[]> {
  const read = `select distinct known_at, label from pgscore_data.evaluation where key = '{1}' order by known_at`;
  return (await superuser.query<{ label: string | null }>(read)).rows.map(({ label }) => label);
}

test('an overruled label holds until the source says something else, also where the source agreed in between', async () => {
  await fromPlain();
  await overrule('no');
  await compared('');
  await compared(`update alice.plain set outcome = 'no' where id = 1`);
  expect(await known()).toEqual(['no']);
  await compared(`update alice.plain set outcome = 'yes' where id = 1`);
  expect(await known()).toEqual(['yes']);
  await compared(`update alice.plain set outcome = 'no' where id = 1`);
  expect(await known()).toEqual(['no']);
});

test('an overruled label that the source withdraws is withdrawn, and comes back with it', async () => {
  await fromPlain();
  await overrule('no');
  await compared(`delete from alice.plain where id = 1`);
  expect(await known()).toEqual([]);
  await compared(`insert into alice.plain values (1, 'yes')`);
  expect(await known()).toEqual(['yes']);
});

test('a label that was overruled twice holds while the source says what it said', async () => {
  await fromPlain();
  await overrule('no');
  await overrule('no');
  await compared('');
  expect(await known()).toEqual(['no']);
});

test('labels for other times of an overruled entity are taken', async () => {
  await fromTimed();
  await overrule('no');
  await compared(`insert into alice.timed values (1, '2026-03-09', 'yes')`);
  expect(await known()).toEqual(['no', 'yes']);
});

test('of a source with times each label is overruled by itself', async () => {
  await fromTimed();
  await compared(`insert into alice.timed values (1, '2026-03-09', 'yes')`);
  await overrule('no', `(date '2026-03-05')::timestamp at time zone 'UTC'`);
  await overrule('no');
  await compared('');
  expect(await known()).toEqual(['no', 'no']);
  await compared(`delete from alice.timed where known = '2026-03-05'`);
  expect(await known()).toEqual(['no']);
});

test('a label that a deployer records before the source has one gives way to it', async () => {
  await alice.query('delete from plain where id = 1');
  await fromPlain();
  await overrule('no');
  await compared(`insert into alice.plain values (1, 'yes')`);
  expect(await known()).toEqual(['yes']);
});

test('two deployers who record one label at once leave one line', async () => {
  await fromPlain();
  const record = (label: string): string => `select pgscore.record_label('ruled', '1', '${label}')`;
  await ada.query('begin');
  await ada.query(record('no'));
  let isDone = false;
  const second = deployer.query(record('yes')).finally(() => (isDone = true));
  const waits = `select from pg_stat_activity where datname = current_database() and usename = 'ada' and wait_event_type = 'Lock'`;
  await waitFor(async () => isDone || (await superuser.query(waits)).rowCount === 1);
  await ada.query('commit');
  await second;
  const lines = await ada.query(`select label from pgscore.recorded_labels where model = 'ruled'`);
  expect(lines.rows).toEqual([{ label: 'yes' }]);
  await superuser.query('select pgscore.refresh()');
  expect(await known()).toEqual(['yes']);
});

test('a label stays overruled when the day of its record is sealed and predictions that it judges are not', async () => {
  await fromPlain();
  await overrule('no');
  await superuser.query(`update pgscore_data.recorded_label set recorded_at = '2020-01-05'`);
  const run = await addRun(superuser, model, [{ id: 9, at: '2020-01-10 00:00+00', score: 0.7, label: 'yes' }]);
  await superuser.query(`update pgscore_data.run set snapshot_at = '2020-01-10' where run_id = $1`, [run]);
  await superuser.query('select pgscore.refresh()');
  await ada.query(`select pgscore.monitor('ruled', keep => '1 year')`);
  await superuser.query('select pgscore_data._seal_days()');
  const sealed = `select sealed_before > '2020-01-10' as is_sealed from pgscore_data.monitor where model_id = $1`;
  expect((await superuser.query(sealed, [model.modelId])).rows).toEqual([{ is_sealed: true }]);
  await compared('');
  expect(await known()).toEqual(['no']);
});
