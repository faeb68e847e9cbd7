import { beforeAll, beforeEach, expect, test } from '@jest/globals';
import { compareLabels } from '../../src/monitor/compare-labels.ts';
import { cloneDatabase } from '../support/database.ts';
import { refusal } from '../support/refusal.ts';
import { READER_PASSWORD, SERVICE_PASSWORD } from '../support/service-passwords.ts';
import { waitFor } from '../support/wait-for.ts';
import { addMonitoredModel, addRun, addVersion, type MonitoredModel } from './monitored-model.ts';

const database = await cloneDatabase();
const [superuser, other, ada, alice, bob, service] = await Promise.all([
  database.client(),
  database.client(),
  database.client('ada'),
  database.client('alice'),
  database.client('bob'),
  database.client({ user: 'pgscore_service', password: SERVICE_PASSWORD }),
]);
const readerUrl = database.url({ user: 'pgscore_reader', password: READER_PASSWORD });
let model: MonitoredModel;

const READ = `select pgscore.set_labels('compared', 'truth', label => 'outcome')`;

beforeAll(async () => {
  model = await addMonitoredModel(superuser, 'compared', 'binary');
  const rows = [1, 2, 3].map((id) => ({ id, at: '2026-03-01 00:00+00', score: 0.7, label: 'yes' }));
  await addRun(superuser, model, rows);
  await alice.query('create table truth (id int primary key, outcome text)');
});

/** Three labels that are known, and nothing that is owed. */
beforeEach(async () => {
  await alice.query(`truncate truth; insert into truth values (1, 'yes'), (2, 'yes'), (3, 'yes')`);
  await alice.query(READ);
  await compareLabels(service, readerUrl);
  await superuser.query('select pgscore.refresh()');
  expect(await known()).toEqual({ 1: 'yes', 2: 'yes', 3: 'yes' });
  expect(await isSettled()).toBe(true);
  // A source is compared once a second at most.
  const since = `update pgscore_data.label_source set compared_at = now() - interval '1 minute'`;
  await superuser.query(since);
});

async function known(): Promise<Record<string, string>> {
  const read = 'select key[1] as id, label from pgscore_data.evaluation order by 1';
  const { rows } = await superuser.query<{ id: string; label: string }>(read);
  return Object.fromEntries(rows.map(({ id, label }) => [id, label]));
}

async function isSettled(): Promise<boolean | undefined> {
  const { rows } = await superuser.query<{ is_settled: boolean }>('select is_settled from pgscore.label_sources');
  return rows[0]?.is_settled;
}

/** Writes what no trigger sees, and has it found by a comparison. */
async function unseen(write: string): Promise<void> {
  const transaction = `begin; set local session_replication_role = replica; ${write};
    insert into pgscore_data.comparison_request select source_id from pgscore_data.label_source; commit`;
  await superuser.query(transaction);
}

/** Has a comparison wait between its snapshot and what it reads, while `work` goes on. */
async function betweenSnapshotAndRows(work: () => Promise<unknown>): Promise<void> {
  await other.query('begin; lock table pgscore_data.compared_label in exclusive mode');
  const comparing = compareLabels(service, readerUrl);
  const waiting = `select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock' and query like 'copy pgscore_data.compared_label%'`;
  await waitFor(async () => (await superuser.query(waiting)).rowCount === 1);
  await work();
  await other.query('commit');
  expect(await comparing).toMatchObject({ model: 'compared' });
}

test('labels that were emptied and written again while a refresh was longer than the comparison are those that are there', async () => {
  await alice.query(`update truth set outcome = 'no'`);
  await other.query('begin; select pgscore_data._refresh()');
  await alice.query('truncate truth');
  await alice.query(`insert into truth values (2, 'yes')`);
  expect(await compareLabels(service, readerUrl)).toEqual({ model: 'compared', rows: 1 });
  await other.query('commit');
  await superuser.query('select pgscore.refresh()');
  expect(await known()).toEqual({ 2: 'yes' });
  expect(await isSettled()).toBe(true);
});

test.each([
  ['in the same refresh', 100_000],
  ['one by one', 1],
])('what was captured before a comparison, but committed after it, is newer: taken %s', async (_, most) => {
  await unseen(`update alice.truth set outcome = 'no' where id = 3`);
  await alice.query(`begin; update truth set outcome = 'yes' where id = 2; update truth set id = 4 where id = 3`);
  expect(await compareLabels(service, readerUrl)).toEqual({ model: 'compared', rows: 3 });
  await alice.query('commit');
  await superuser.query('select pgscore_data._refresh($1)', [most]);
  await superuser.query('select pgscore.refresh()');
  expect(await known()).toEqual({ 1: 'yes', 2: 'yes', 4: 'no' });
});

test('what was captured and counted while a source was read is newer than what was read', async () => {
  await unseen(`update alice.truth set outcome = 'no' where id = 3`);
  await betweenSnapshotAndRows(async () => {
    await alice.query(`begin; update truth set outcome = 'yes' where id = 3; delete from truth where id = 1; commit`);
    await superuser.query('select pgscore.refresh()');
  });
  await superuser.query('select pgscore.refresh()');
  expect(await known()).toEqual({ 2: 'yes', 3: 'yes' });
  expect(await isSettled()).toBe(true);
});

test('a request that came after a source was read is answered by another comparison', async () => {
  await unseen(`delete from alice.truth where id = 1`);
  await betweenSnapshotAndRows(async () => {
    const ask = 'insert into pgscore_data.comparison_request select source_id from pgscore_data.label_source';
    await superuser.query(ask);
  });
  await superuser.query('select pgscore.refresh()');
  expect(await isSettled()).toBe(false);
  await superuser.query(`update pgscore_data.label_source set compared_at = now() - interval '1 minute'`);
  expect(await compareLabels(service, readerUrl)).toEqual({ model: 'compared', rows: 2 });
  expect(await isSettled()).toBe(true);
});

test('labels are settled when no change, comparison, run or metric is owed, and not before', async () => {
  await alice.query(`update truth set outcome = 'no' where id = 1`);
  expect(await isSettled()).toBe(false);
  await superuser.query('select pgscore_data._refresh()');
  expect(await isSettled()).toBe(false);
  await superuser.query('select pgscore.refresh()');
  expect(await isSettled()).toBe(true);
  await alice.query('begin; truncate truth');
  await alice.query('commit');
  expect(await isSettled()).toBe(false);
  await compareLabels(service, readerUrl);
  await superuser.query('select pgscore.refresh()');
  expect(await isSettled()).toBe(true);
  await addRun(superuser, model, [{ id: 9, at: '2026-03-02 00:00+00', score: 0.7, label: 'yes' }]);
  expect(await isSettled()).toBe(false);
  await superuser.query('select pgscore.refresh()');
  expect(await isSettled()).toBe(true);
});

test('a source that was set anew while it was read is read again', async () => {
  await unseen(`delete from alice.truth where id = 1`);
  await betweenSnapshotAndRows(() => alice.query(READ));
  expect(await isSettled()).toBe(false);
  expect(await compareLabels(service, readerUrl)).toEqual({ model: 'compared', rows: 2 });
});

test('labels that were queued when they were unset are withdrawn, too', async () => {
  await alice.query(`insert into truth values (4, 'yes')`);
  await alice.query(`select pgscore.unset_labels('compared')`);
  await superuser.query('select pgscore.refresh()');
  expect(await known()).toEqual({});
});

test('only whoever set the labels, or a deployer, records one, and none of an entity that the source has', async () => {
  const record = `select pgscore.record_label('compared', '1', 'no')`;
  expect(await refusal(bob, record)).toMatchObject({ code: '42501', hint: 'Ask alice or a deployer to record it.' });
  for (const role of [alice, ada])
    expect(await refusal(role, record)).toMatchObject({
      code: '55000',
      message: 'the label of (1) comes from "alice"."truth"',
      hint: 'Correct it there.',
    });
  await alice.query(`select pgscore.record_label('compared', '7', 'no')`);
  const recorded = 'select key, label, recorded_by from pgscore.recorded_labels';
  expect((await alice.query(recorded)).rows).toEqual([{ key: ['7'], label: 'no', recorded_by: 'alice' }]);
  expect((await bob.query(recorded)).rows).toEqual([]);
  await alice.query(`select pgscore.record_label('compared', '7', null::text)`);
  expect((await alice.query(recorded)).rows).toEqual([]);
});

test('whoever set the labels may record one that the source does not have, until it has', async () => {
  await alice.query('delete from truth where id = 1');
  await superuser.query('select pgscore.refresh()');
  await alice.query(`select pgscore.record_label('compared', '1', 'no')`);
  await superuser.query('select pgscore.refresh()');
  expect(await known()).toEqual({ 1: 'no', 2: 'yes', 3: 'yes' });
  await unseen(`insert into alice.truth values (1, 'yes')`);
  await compareLabels(service, readerUrl);
  await superuser.query('select pgscore.refresh()');
  expect(await known()).toEqual({ 1: 'yes', 2: 'yes', 3: 'yes' });
});

test('labels are not settled before estimates are made and versions are compared', async () => {
  const whole = async (step: string): Promise<boolean | undefined> => {
    const once = `select pgscore_data.${step} as more`;
    while ((await superuser.query<{ more: boolean }>(once)).rows[0]?.more === true);
    return await isSettled();
  };
  const rival = await addVersion(superuser, model, 2);
  await addRun(superuser, rival, [{ id: 1, at: '2026-03-01 00:00+00', score: 0.7, label: 'yes' }]);
  expect(await whole('_refresh()')).toBe(false);
  expect(await whole('_compute_metrics()')).toBe(false);
  expect(await whole('_compute_drift()')).toBe(false);
  expect(await whole('_estimate()')).toBe(false);
  expect(await whole('_compare_versions(patient => false)')).toBe(true);
});
