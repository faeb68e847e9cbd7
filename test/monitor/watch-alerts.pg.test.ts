import { beforeAll, expect, test } from '@jest/globals';

import { cloneDatabase } from '../support/database.ts';
import { addReadyModel } from '../support/ready-model.ts';
import { refusal } from '../support/refusal.ts';

const database = await cloneDatabase();
const [superuser, ada, alice] = await Promise.all([
  database.client(),
  database.client('ada'),
  database.client('alice'),
]);

const BEGAN = Date.now();

/** Looks so many minutes after the test began, at a watch whose oldest change waits for so many, as no service scores it. */
async function look(minutes: number, waiting = minutes): Promise<void> {
  await superuser.query('update pgscore_data.watch_change set captured_at = $1', [at(minutes - waiting)]);
  const text = 'select failure from pgscore_data._evaluate_alerts($1, at_once => true)';
  expect((await superuser.query(text, [at(minutes)])).rows).toEqual([{ failure: null }]);
}

function at(minutes: number): Date {
  return new Date(BEGAN + minutes * 60_000);
}

function day(minutes: number): string {
  return at(minutes).toISOString().slice(0, 10);
}

async function scoreAll(): Promise<void> {
  await superuser.query('delete from pgscore_data.watch_change');
}

async function write(): Promise<void> {
  await alice.query('insert into rows select coalesce(max(id), 0) + 1, 1 from rows');
}

async function events(alert = 'watch_delay'): Promise<unknown[]> {
  const { rows } = await superuser.query(
    `select event, reason, column_name, value, n::int, severity, message from pgscore_bi.alert_history where alert = $1 order by event_id`,
    [alert],
  );
  return rows;
}

async function state(): Promise<unknown> {
  const { rows } = await alice.query<{ state: string }>(
    `select state from pgscore.alerts where alert = 'watch_delay' and column_name = 'alice.live'`,
  );
  return rows[0]?.state;
}

async function fail(error: string | null): Promise<void> {
  await superuser.query(
    `update pgscore_data.watch set error = $1::text, error_code = case when $1::text is not null then 'source_changed' end`,
    [error],
  );
}

beforeAll(async () => {
  await addReadyModel(superuser, 'line');
  await superuser.query(`
    insert into pgscore_data.model_grant (model_id, grantee, granted_by) select model_id, 'pgscore_user', 'ada' from pgscore_data.model
    on conflict do nothing;
    insert into pgscore_data.execution (version_id, task, class_labels, probabilities, features, native, parts)
    select version_id, 'regression', '{}', false, '{}', false, '{}' from pgscore_data.version on conflict (version_id) do nothing`);
  await alice.query('create table rows (id bigint primary key, x real)');
  await alice.query(`select pgscore.watch('line', 'rows', target => 'live')`);
});

test('is raised when the oldest change has waited for a quarter of an hour, and resolved when it is a fifth better', async () => {
  await look(0);
  expect(await state()).toBe('ok');
  await write();
  await look(14);
  expect(await state()).toBe('ok');
  await look(16);
  expect(await state()).toBe('firing');
  const verdict = await superuser.query(
    `select verdict, cause, sentence, open_alerts::int from pgscore_bi.model_verdict`,
  );
  expect(verdict.rows).toEqual([
    {
      verdict: 'act',
      cause: 'watch_delay',
      sentence: expect.stringMatching(
        /^Alert watch_delay is raised since .*: minutes_behind of alice\.live was 16 on .*, above 15\.$/,
      ),
      open_alerts: 1,
    },
  ]);
  await look(17, 13);
  expect(await state()).toBe('firing');
  await look(18, 12);
  expect(await state()).toBe('ok');
  const [date, later] = [day(16), day(18)];
  expect(await events()).toEqual([
    {
      event: 'firing',
      reason: null,
      column_name: 'alice.live',
      value: 16,
      n: 1,
      severity: 'critical',
      message: `watch_delay of line is firing: minutes_behind of alice.live was 16 on ${date}, above 15.`,
    },
    {
      event: 'resolved',
      reason: 'recovered',
      column_name: 'alice.live',
      value: 12,
      n: 1,
      severity: 'critical',
      message: `watch_delay of line is resolved (recovered): minutes_behind of alice.live was 12 on ${later}.`,
    },
  ]);
});

test('is raised when a watch fails for longer than a minute, and resolved when it goes on', async () => {
  await superuser.query('truncate pgscore_data.alert_event');
  await scoreAll();
  await fail('a column is gone');
  await look(30);
  expect(await state()).toBe('pending');
  await look(31);
  expect(await state()).toBe('firing');
  await fail(null);
  await look(32);
  const date = day(31);
  expect(await events()).toMatchObject([
    {
      event: 'firing',
      value: 0,
      message: `watch_delay of line is firing: minutes_behind of alice.live was 0 on ${date}; the watch fails (source_changed).`,
    },
    { event: 'resolved', reason: 'recovered' },
  ]);
});

test('stays raised while a watch that fails is tried again', async () => {
  await superuser.query('truncate pgscore_data.alert_event');
  await fail('a column is gone');
  await look(40);
  await look(41);
  await fail(null);
  await superuser.query('update pgscore_data.watch set retry_at = $1', [at(41)]);
  await look(42);
  expect(await state()).toBe('firing');
  await look(46);
  expect(await state()).toBe('ok');
  expect(await events()).toMatchObject([{ event: 'firing' }, { event: 'resolved', reason: 'recovered' }]);
});

test('is not raised of a watch that is paused, and resolved when it ends', async () => {
  await superuser.query('truncate pgscore_data.alert_event');
  await write();
  await alice.query(`select pgscore.pause_watch('live')`);
  await look(60);
  expect(await state()).toBe('insufficient_data');
  await alice.query(`select pgscore.resume_watch('live')`);
  await look(61);
  expect(await state()).toBe('firing');
  await alice.query(`select pgscore.unwatch('live')`);
  await look(62);
  expect(await state()).toBeUndefined();
  expect(await events()).toMatchObject([{ event: 'firing' }, { event: 'resolved', reason: 'dropped' }]);
});

test('goes by a limit of its own, of one watch, and by none where it is dropped', async () => {
  await alice.query(`select pgscore.watch('line', 'rows', target => 'live')`);
  await superuser.query('truncate pgscore_data.alert_event');
  await alice.query(
    `select pgscore.set_alert('line', 'live_is_late', 'minutes_behind', threshold => 2, clear_at => 0.5, column_name => 'alice.live'),
            pgscore.set_alert('line', 'other_is_late', 'minutes_behind', threshold => 2, column_name => 'alice.other')`,
  );
  await ada.query(`select pgscore.drop_alert('line', 'watch_delay')`);
  await write();
  await look(100);
  await scoreAll();
  await look(101);
  expect(await events('live_is_late')).toMatchObject([{ event: 'firing', value: 100 }, { event: 'resolved' }]);
  expect(await events('other_is_late')).toEqual([]);
  expect(await events()).toEqual([]);
});

test('is of each watch of a target, and not of one that stands by', async () => {
  await superuser.query('truncate pgscore_data.alert_event');
  await superuser.query(
    'insert into pgscore_data.watch_change (watch_id, keys) select watch_id, array[1] from pgscore_data.watch',
  );
  const known = async (): Promise<unknown[]> => {
    const text = `select column_name, state from pgscore.alerts where alert = 'behind' order by 1`;
    return (await alice.query(text)).rows;
  };
  await alice.query(`select pgscore.set_alert('line', 'behind', 'minutes_behind', threshold => 15)`);
  await alice.query(`select pgscore.watch('line@1', 'rows', target => 'live')`);
  await superuser.query(
    `insert into pgscore_data.watch_change (watch_id, keys) select watch_id, array[2] from pgscore_data.watch`,
  );
  await look(120);
  expect(await known()).toEqual([
    { column_name: 'alice.live', state: 'firing' },
    { column_name: 'alice.live@1', state: 'insufficient_data' },
  ]);
});

test.each([
  [`'x', 'minutes_behind'`, 'minutes_behind needs a threshold'],
  [`'x', 'minutes_behind', threshold => 1, for_windows => 2`, 'minutes_behind is looked at every minute'],
  [`'x', 'minutes_behind', threshold => 1, direction => 'below'`, 'minutes_behind is bad when it is high'],
])('a rule about watches that makes no sense is refused: %s', async (args, message) => {
  const text = `select pgscore.set_alert('line', ${args})`;
  expect((await refusal(alice, text)).message).toContain(message);
});
