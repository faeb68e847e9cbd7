import { beforeAll, beforeEach, expect, test } from '@jest/globals';
import { compareLabels } from '../../src/monitor/compare-labels.ts';
import { cloneDatabase } from '../support/database.ts';
import { refusal } from '../support/refusal.ts';
import { READER_PASSWORD, SERVICE_PASSWORD } from '../support/service-passwords.ts';
import { waitFor } from '../support/wait-for.ts';
import { addMonitoredModel, addRun } from './monitored-model.ts';

const database = await cloneDatabase();
const [superuser, ada, deployer, alice, service] = await Promise.all([
  database.client(),
  database.client('ada'),
  database.client('ada'),
  database.client('alice'),
  database.client({ user: 'pgscore_service', password: SERVICE_PASSWORD }),
]);
const readerUrl = database.url({ user: 'pgscore_reader', password: READER_PASSWORD });

beforeAll(async () => {
  const model = await addMonitoredModel(superuser, 'ruled', 'binary');
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

async function record(label: string): Promise<void> {
  await ada.query(`select pgscore.record_label('ruled', '1', $1::text)`, [label]);
  await superuser.query('select pgscore.refresh()');
}

/** What is known of entity 1, in the order of its times. */
async function known(): Promise<(string | null)[]> {
  const read = `select distinct known_at, label from pgscore_data.evaluation where key = '{1}' order by known_at`;
  return (await superuser.query<{ label: string | null }>(read)).rows.map(({ label }) => label);
}

test('of an entity that the source has a label of, nobody records one', async () => {
  await fromTimed();
  for (const role of [alice, ada])
    expect(await refusal(role, `select pgscore.record_label('ruled', '1', 'no', '2026-03-07')`)).toMatchObject({
      code: '55000',
      message: 'the label of (1) comes from "alice"."timed"',
      hint: 'Correct it there.',
    });
  await compared(`delete from alice.timed where id = 1`);
  await record('no');
  expect(await known()).toEqual(['no']);
});

test.each(['plain', 'timed'])(
  'without a time, the newest label is corrected, also one in the queue: %s',
  async (table) => {
    await alice.query('truncate plain, timed');
    await (table === 'plain' ? fromPlain() : fromTimed());
    await ada.query(`select pgscore.record_label('ruled', '1', 'yes', '2026-03-05')`);
    await record('no');
    expect(await known()).toEqual(['no']);
    await ada.query(`select pgscore.record_label('ruled', '1', 'yes', '2026-03-08')`);
    await ada.query(`select pgscore.record_label('ruled', '1', null::text)`);
    await superuser.query('select pgscore.refresh()');
    expect(await known()).toEqual(['no']);
  },
);

test('a label that a deployer records before the source has one gives way to it', async () => {
  await alice.query('delete from plain where id = 1');
  await fromPlain();
  await record('no');
  await compared(`insert into alice.plain values (1, 'yes')`);
  expect(await known()).toEqual(['yes']);
});

test('two who record one label at once leave one line', async () => {
  await alice.query('truncate plain');
  await fromPlain();
  const recording = (label: string): string => `select pgscore.record_label('ruled', '1', '${label}')`;
  await ada.query('begin');
  await ada.query(recording('no'));
  let isDone = false;
  const second = deployer.query(recording('yes')).finally(() => (isDone = true));
  const waits = `select from pg_stat_activity where datname = current_database() and usename = 'ada' and wait_event_type = 'Lock'`;
  await waitFor(async () => isDone || (await superuser.query(waits)).rowCount === 1);
  await ada.query('commit');
  await second;
  const lines = await ada.query(`select label from pgscore.recorded_labels where model = 'ruled'`);
  expect(lines.rows).toEqual([{ label: 'yes' }]);
  await superuser.query('select pgscore.refresh()');
  expect(await known()).toEqual(['yes']);
});

test('a label without a time is recorded without a look at those of other entities that wait', async () => {
  await superuser.query('begin');
  await superuser.query(`select count(pgscore.record_label('ruled', n::text, 'yes')) from generate_series(1, 100) n`);
  const { rows } = await superuser.query<{ read: number }>(
    `select (seq_tup_read + idx_tup_fetch)::int as read from pg_stat_xact_user_tables where relid = 'pgscore_data.label_change'::regclass`,
  );
  await superuser.query('rollback');
  expect(rows[0]?.read).toBeLessThan(100);
});

test('labels without a source are withdrawn one by one, or by a deployer', async () => {
  await addMonitoredModel(superuser, 'unsourced', 'binary');
  expect(await refusal(alice, `select pgscore.unset_labels('unsourced')`)).toMatchObject({
    code: '42501',
    message: 'the labels of model "unsourced" have no source that could be unset',
    hint: "To withdraw a single label: select pgscore.record_label('unsourced', key, null); a deployer may withdraw all of them.",
  });
  await expect(ada.query(`select pgscore.unset_labels('unsourced')`)).resolves.toBeDefined();
  await ada.query(`select pgscore.revoke_model('unsourced', 'pgscore_user')`);
  expect(await refusal(alice, `select pgscore.unset_labels('unsourced')`)).toMatchObject({
    code: '42501',
    message: 'permission denied for model "unsourced"',
  });
});

test('a label that was recorded before the source had another can be withdrawn, and the one of the source can not', async () => {
  await alice.query('truncate timed');
  await fromTimed();
  await ada.query(`select pgscore.record_label('ruled', '1', 'no', '2026-03-07')`);
  await superuser.query('select pgscore.refresh()');
  await compared(`insert into alice.timed values (1, '2026-03-05', 'yes')`);
  expect(await known()).toEqual(['yes', 'no']);
  const withdraw = (knownAt: string): string => `select pgscore.record_label('ruled', '1', null::text, ${knownAt})`;
  expect((await refusal(ada, withdraw(`'2026-03-05 00:00+00'`))).hint).toBe('Correct it there.');
  expect((await refusal(ada, `select pgscore.record_label('ruled', '1', 'yes')`)).hint).toContain('withdraws the one');
  await ada.query(withdraw('null'));
  await superuser.query('select pgscore.refresh()');
  expect(await known()).toEqual(['yes']);
  expect((await refusal(ada, withdraw('null'))).hint).toBe('Correct it there.');
});

test.each([
  ['a label that waits without a time', [`'yes'`, `'no', '2026-03-05'`, `'no'`], ['no', 'no']],
  ['the same, withdrawn', [`'yes'`, `'no', '2026-03-05'`, 'null::text'], ['no']],
  [
    'what waits to be withdrawn',
    [`'yes', '2026-03-05'`, `'yes', '2026-03-09'`, `null::text, '2026-03-09'`, `'no'`],
    ['no'],
  ],
])('in one transaction the newest label is the same as with a refresh after each: %s', async (_, calls, result) => {
  const statements = calls.map((call) => `select pgscore.record_label('ruled', '1', ${call})`);
  for (const isTogether of [true, false]) {
    await alice.query('delete from plain where id = 1');
    await fromPlain();
    const together = statements.join('; ');
    if (isTogether) await ada.query(together);
    for (const statement of isTogether ? [] : statements) {
      await ada.query(statement);
      await superuser.query('select pgscore.refresh()');
    }
    await superuser.query('select pgscore.refresh()');
    expect([isTogether, await known()]).toEqual([isTogether, result]);
    await alice.query(`select pgscore.unset_labels('ruled')`);
    await superuser.query('select pgscore.refresh()');
  }
});

test.each(['[5:5]={1}', '{{1}}'])('a key is a list that counts from 1: %s is refused', async (key) => {
  const recorded = await refusal(ada, `select pgscore.record_label('ruled', '${key}'::text[], 'no')`);
  expect(recorded).toMatchObject({ code: '22023', message: 'the key of model "ruled" is a list that counts from 1' });
});

test.each(['infinity', '294276-12-31 00:00+00', '4714-11-24 00:00+00 BC'])(
  'a label known at %s holds up no refresh and no count of labels',
  async (time) => {
    await fromTimed();
    await ada.query(`select pgscore.monitor('ruled', pairing => 'within', horizon => '30 days')`);
    await ada.query(`select pgscore.record_label('ruled', '2', 'no', $1)`, [time]);
    await superuser.query('select pgscore.refresh(); select pgscore_data._count_all_labels(false)');
    const rest = `select from pgscore_data.label_change`;
    expect((await superuser.query(rest)).rowCount).toBe(0);
    await ada.query(`select pgscore.monitor('ruled', pairing => 'latest_before_label')`);
  },
);
