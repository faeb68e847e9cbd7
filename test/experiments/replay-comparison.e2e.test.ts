import { beforeAll, expect, test } from '@jest/globals';

import { deployBytes } from '../support/deploy.ts';
import { endOfRun, scoreTable, type RunState } from '../support/run.ts';
import { scoreFixture } from '../support/score-fixture.ts';
import { waitFor } from '../support/wait-for.ts';
import { weightedModel } from '../support/weighted-model.ts';

const { ada, alice, superuser } = await scoreFixture({ PGSCORE_POLL: '0.2' });

async function replay(args: string): Promise<RunState> {
  const text = `select pgscore.replay(${args}, source => 'trips', event_time => 'due') as run`;
  const { rows } = await alice.query<{ run: string }>(text);
  return endOfRun(alice, rows[0]?.run ?? '');
}

type Compared = { version: number; other: number; value_a: number; value_b: number; difference: number; n_a: number };

/** The mean absolute error of a replay and of what it is compared with, once labels judge so many rows. */
async function compared(run: RunState, labels: number): Promise<Compared> {
  const text = `select model_version::int as version, other_version::int as other, value_a, value_b, difference, n_a::int
      from pgscore_bi.version_comparison where replay_run = $1 and metric = 'mae'`;
  return waitFor(
    async () => (await superuser.query<Compared>(text, [run.run])).rows.find((row) => row.n_a === labels),
    { message: 'the comparison of the replay' },
  );
}

/** Labels for trips from one to another. */
async function addLabels(from: number, to: number): Promise<void> {
  await alice.query(
    `insert into truth select id, x + 1, due + interval '1 hour' from trips where id between $1 and $2`,
    [from, to],
  );
}

beforeAll(async () => {
  await deployBytes(ada, 'far', weightedModel({ x: 'float32' }));
  await deployBytes(ada, 'far', weightedModel({ z: 'float32' }));
  await deployBytes(ada, 'near', weightedModel({ x: 'float32', z: 'float32' }));
  await alice.query(`
    create table trips as select id, (id % 7)::real as x, (id % 5)::real as z, timestamptz '2026-01-01' + id * interval '1 hour' as due
      from generate_series(1, 200) id;
    alter table trips add primary key (id);
    create table truth (id int primary key, y float8, at timestamptz)`);
  await alice.query(`select pgscore.set_labels('far', 'truth', label => 'y', known_at => 'at')`);
  expect(await scoreTable(alice, 'far', 'trips', { event_time: 'due' })).toMatchObject({ state: 'done' });
  await addLabels(1, 100);
});

test('a replay of the champion says what the champion said live, and so does the comparison', async () => {
  const run = await replay(`'far'`);
  expect(run).toMatchObject({ state: 'done', rows_done: '200', rows_failed: '0' });
  const text = (table: string) => `select id, score, error_code from ${table} order by id`;
  const live = await alice.query(text('trips_scores_history'));
  expect((await alice.query(text('far_trips_replay_history'))).rows).toEqual(live.rows);
  expect(await compared(run, 100)).toMatchObject({ version: 1, other: 1, value_a: 1, value_b: 1, difference: 0 });
});

test('replays of two models over one source have targets of their own', async () => {
  const targets = [await replay(`'near'`), await replay(`'far@2'`)].map(({ target }) => target);
  expect(targets).toEqual(['alice.near_trips_replay', 'alice.far_trips_replay']);
});

test.each([
  [
    `from_time => '2020-01-01Z', to_time => '2020-02-01Z'`,
    ' from 2020-01-01T00:00:00+00:00 until 2020-02-01T00:00:00+00:00',
  ],
  [`to_time => '2020-02-01Z'`, ' until 2020-02-01T00:00:00+00:00'],
])('a replay without a row in its window fails, and names both: %s', async (window, named) => {
  expect(await replay(`'far', ${window}`)).toMatchObject({
    state: 'failed',
    error_code: 'replay_empty',
    error: `"alice.trips" has no row for a time${named}`,
    remedy: expect.stringContaining('from_time and to_time'),
  });
});

test('a replay stays compared with the champion of when it was asked for', async () => {
  const run = await replay(`'far@2'`);
  expect(await compared(run, 100)).toMatchObject({ version: 2, other: 1, value_b: 1 });
  await ada.query(`select pgscore.promote('far@2')`);
  await addLabels(101, 150);
  expect(await compared(run, 150)).toMatchObject({ version: 2, other: 1, value_b: 1 });
  const later = await replay(`'far@1'`);
  await waitFor(
    async () =>
      (
        await superuser.query(`select from pgscore_bi.version_comparison where replay_run = $1 and other_version = 2`, [
          later.run,
        ])
      ).rowCount,
  );
});
