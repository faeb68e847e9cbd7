import { expect, test } from '@jest/globals';

import { cloneDatabase } from '../support/database.ts';
import { deployBytes } from '../support/deploy.ts';
import { refusal } from '../support/refusal.ts';
import { endOfRun, scoreTable } from '../support/run.ts';
import { startTestService } from '../support/service.ts';
import { weightedModel } from '../support/weighted-model.ts';

const database = await cloneDatabase();
await startTestService(database);
const [ada, alice] = await Promise.all([database.client('ada'), database.client('alice')]);
await deployBytes(ada, 'sum', weightedModel({ a: 'float32' }));
await alice.query(`set timezone = 'America/New_York'`);
await alice.query(`create domain moment as timestamptz;
  create table visits (id int primary key, a real, at timestamptz, local timestamp, day date, clock time, label text, moment moment);
  insert into visits values
    (1, 1, '2013-07-04 12:00:00.123456+02', '2013-07-04 12:00', '2013-07-04', '12:00', 'x', '2013-07-04 12:00+00'),
    (2, 2, null, null, null, null, null, null),
    (3, 3, 'infinity', '-infinity', 'infinity', '00:00', 'y', '-infinity')`);

async function eventTimes(options: { event_time?: string }): Promise<(string | null)[]> {
  const target = `by_${options.event_time ?? 'snapshot'}`;
  expect(await scoreTable(alice, 'sum', 'visits', { ...options, target })).toMatchObject({
    state: 'done',
    rows_failed: '0',
  });
  const read = `select (event_time at time zone 'UTC')::text as at, event_time = scored_at as snapshot from ${target} order by id`;
  const { rows } = await alice.query<{ at: string; snapshot: boolean }>(read);
  return rows.map(({ at, snapshot }) => (snapshot ? 'snapshot' : at));
}

test('a timestamptz is the event time to the microsecond; NULL means the time of the snapshot', async () => {
  expect(await eventTimes({ event_time: 'at' })).toEqual(['2013-07-04 10:00:00.123456', 'snapshot', 'infinity']);
});

test('a domain counts as its base type', async () => {
  expect(await eventTimes({ event_time: 'moment' })).toEqual(['2013-07-04 12:00:00', 'snapshot', '-infinity']);
});

test('without one, the time of the snapshot is', async () => {
  expect(await eventTimes({})).toEqual(['snapshot', 'snapshot', 'snapshot']);
});

test.each([
  ['local', '2013-07-04 16:00:00', '-infinity'],
  ['day', '2013-07-04 04:00:00', 'infinity'],
])('a %s is read in the time zone of whoever asks', async (event_time, first, last) => {
  expect(await eventTimes({ event_time })).toEqual([first, 'snapshot', last]);
});

test.each([
  ['clock', 'time without time zone'],
  ['label', 'text'],
  ['id', 'integer'],
])('a column that is no time is refused: %s', async (event_time, type) => {
  const refused = await refusal(alice, `select pgscore.score_table('sum', 'visits', event_time => $1)`, [event_time]);
  expect(refused).toMatchObject({ code: '42804', message: `event_time column "${event_time}" is ${type}` });
});

test('a column that is not there is refused', async () => {
  const refused = await refusal(alice, `select pgscore.score_table('sum', 'visits', event_time => 'when')`);
  expect(refused).toMatchObject({ code: '42703', message: 'event_time column "when" does not exist in alice.visits' });
});

test('and by a schedule in its own time zone, whoever runs it', async () => {
  await alice.query(
    `select pgscore.schedule('visits', '0 0 1 1 *', 'sum', 'visits', target => 'by_schedule', event_time => 'local', time_zone => 'Asia/Tokyo')`,
  );
  const { rows } = await alice.query<{ run: string; zone: string }>(
    `select pgscore.run_schedule('visits') as run, current_setting('TimeZone') as zone`,
  );
  expect(rows[0]?.zone).toBe('America/New_York');
  expect(await endOfRun(alice, rows[0]?.run ?? '')).toMatchObject({ state: 'done' });
  const { rows: times } = await alice.query(
    `select (event_time at time zone 'UTC')::text as at from by_schedule where id = 1`,
  );
  expect(times).toEqual([{ at: '2013-07-04 03:00:00' }]);
});

test('a column may be key, feature and event time in one', async () => {
  await alice.query(`create table daily (day date primary key, a real); insert into daily values ('2013-01-01', 5)`);
  await scoreTable(alice, 'sum', 'daily', { event_time: 'day' });
  const { rows } = await alice.query(
    `select day::text, score, (event_time at time zone 'UTC')::text as at from daily_scores`,
  );
  expect(rows).toEqual([{ day: '2013-01-01', score: 5, at: '2013-01-01 05:00:00' }]);
});
