import { beforeAll, expect, test } from '@jest/globals';

import { callsCounted } from '../monitor/calls.ts';
import { deployBytes } from '../support/deploy.ts';
import { goldenBytes, goldenModel, goldenRows } from '../support/golden-models.ts';
import { loadRows } from '../support/load-rows.ts';
import { refusal } from '../support/refusal.ts';
import { endOfRun, scoreTable } from '../support/run.ts';
import { scoreFixture } from '../support/score-fixture.ts';
import { waitFor } from '../support/wait-for.ts';

const { ada, alice, superuser } = await scoreFixture({ PGSCORE_POLL: '0.4' });

const MODEL = goldenModel('typed_inputs');
const SOURCE = `source => 'seen', key => array['flight_id', 'as_of'], event_time => 'as_of'`;

type July = { n: number; value: number; live: number };

async function settled(): Promise<void> {
  await waitFor(
    async () => (await superuser.query(`select from pgscore.label_sources where is_settled`)).rowCount === 1,
    { message: 'labels to be counted' },
  );
}

/** What a replay comes to in July: accuracy, that of the champion over the same labels, and how many there are. */
async function july(args: string): Promise<{ run: string; found: July }> {
  const run = await replayed(args);
  return { run, found: await julyOf(run) };
}

/** A replay that was compared. */
async function replayed(args: string): Promise<string> {
  const asked = `select pgscore.replay('late@2', ${args}) as run`;
  const { rows } = await alice.query<{ run: string }>(asked);
  const run = rows[0]?.run ?? '';
  expect(await endOfRun(alice, run)).toMatchObject({ state: 'done', rows_failed: '0' });
  await waitFor(
    async () =>
      (await superuser.query(`select from pgscore_data.replay where run_id = $1 and compared_at is not null`, [run]))
        .rowCount === 1,
    { message: 'the comparison of the replay' },
  );
  return run;
}

async function julyOf(run: string): Promise<July> {
  const { rows } = await superuser.query<July>(
    `select n_labeled::int as n, value, live_value as live from pgscore_bi.replay_performance_monthly
      where replay_run = $1 and metric = 'accuracy' and window_date = '2025-07-01'`,
    [run],
  );
  if (rows[0] === undefined) throw new Error('the replay has no July');
  return rows[0];
}

/** The same by its definition, of labels that are known before `until`. */
async function expected(run: string, history: string, until: string): Promise<July> {
  const text = `select count(*)::int as n, avg((h.label = t.is_late::text)::int)::float8 as value,
            avg((c.label = t.is_late::text)::int) filter (where t.at = n.at)::float8 as live
       from alice.${history} h
       join pgscore.online_predictions c on c.event_time = h.event_time
        and c.key = ${history.includes('seen') ? 'array[h.flight_id::text]' : 'h.key'}
      cross join lateral (
        select x.is_late, x.at from alice.truths x
         where x.flight_id::text = c.key[1] and x.at >= h.event_time and x.at < $2::timestamptz order by x.at desc limit 1) t
      -- The label that judges what was said live.
      cross join lateral (
        select max(x.at) as at from alice.truths x
         where x.flight_id::text = c.key[1] and x.at >= h.event_time and x.at < '2025-08-15') n
      where h.run_id = $1 and h.event_time = '2025-07-15'`;
  const { rows } = await superuser.query<July>(text, [run, until]);
  if (rows[0] === undefined || rows[0].n < 10) throw new Error('nothing to compare with');
  return rows[0];
}

beforeAll(async () => {
  for (const client of [ada, alice, superuser]) await client.query(`set timezone = 'UTC'`);
  await deployBytes(ada, 'late', goldenBytes(MODEL), MODEL.deploy);
  await deployBytes(ada, 'late', goldenBytes(MODEL), { ...MODEL.deploy, threshold: 0.6 });
  await loadRows(alice, 'flights', [MODEL.key, ...MODEL.features], goldenRows(MODEL));
  await alice.query(`
    create table seen as
      select f.*, timestamptz '2025-05-15' + n * interval '1 month' as as_of from flights f, generate_series(0, 5) n;
    alter table seen add primary key (flight_id, as_of);
    create table truths (id bigint generated always as identity primary key, flight_id bigint, is_late int, at timestamptz);
    insert into truths (flight_id, is_late, at)
    select flight_id, (abs(hashtext(flight_id || '/' || as_of::date)) % 3 = 0)::int,
           as_of + abs(hashtext(as_of::date || '/' || flight_id)) % 50 * interval '1 day' + interval '1 hour'
      from seen`);
  await ada.query(`select pgscore.log_calls('late', key => '{flight_id}', event_time => 'as_of')`);
  await alice.query(
    `select pgscore.set_labels('late', 'truths', label => 'is_late', key => 'flight_id', known_at => 'at')`,
  );
  await alice.query('set pgscore.execution = online');
  const { rows } = await alice.query<{ n: number }>(`select count(score('late', s))::int as n from seen s`);
  await callsCounted(superuser, 'late', rows[0]?.n ?? 0);
  await settled();
});

test('what a month comes to does not depend on where the window ends', async () => {
  const whole = await july(SOURCE);
  expect(whole.found).toEqual(await expected(whole.run, 'late_seen_replay_history', '2025-08-15'));
  const month = await july(`${SOURCE}, from_time => '2025-07-15', to_time => '2025-08-15'`);
  expect(month.found).toEqual(whole.found);
});

test('a label that is known after the window judges no row of an entity that may have more, as a NOTICE says', async () => {
  const notices: unknown[] = [];
  const heard = ({ message, hint }: { message?: string | undefined; hint?: string | undefined }): void =>
    void notices.push({ message, hint });
  alice.on('notice', heard);
  const { run, found } = await july(`${SOURCE}, from_time => '2025-07-01', to_time => '2025-08-01'`);
  alice.off('notice', heard);
  expect(found).toEqual(await expected(run, 'late_seen_replay_history', '2025-08-01'));
  expect(notices).toMatchObject([
    {
      message: 'labels that become known since 2025-08-01 00:00:00+00 judge no row of this replay',
      hint: expect.stringContaining('Let it end later'),
    },
  ]);
});

test('rows that no label will judge any more wait for none', async () => {
  const run = await replayed(`${SOURCE}, from_time => '2025-10-01', to_time => '2025-11-01'`);
  const { rows } = await superuser.query(
    `select n_labeled + n_superseded - n_predictions as rest, n_superseded > 0 as has_superseded, label_coverage, is_mature from pgscore_bi.replay_performance_monthly
      where replay_run = $1 and metric = 'accuracy'`,
    [run],
  );
  expect(rows).toEqual([{ rest: '0', has_superseded: true, label_coverage: 1, is_mature: true }]);
});

test('a replay of calls knows by them which call comes next after the window', async () => {
  const { run, found } = await july(`from_time => '2025-07-01', to_time => '2025-08-01'`);
  expect(found).toEqual(await expected(run, 'late_replay_history', '2025-08-15'));
});

test('what is scored live after a replay takes the labels that come later', async () => {
  const { run, found } = await july(`${SOURCE}, from_time => '2025-07-15', target => 'since'`);
  const last = async (): Promise<unknown> =>
    (
      await superuser.query(
        `select n_labeled::int, value from pgscore_bi.replay_performance_monthly
          where replay_run = $1 and metric = 'accuracy' and window_date = '2025-10-01'`,
        [run],
      )
    ).rows[0];
  const before = await last();
  await alice.query(`create table now_seen as select f.*, clock_timestamp() as due from flights f;
    alter table now_seen add primary key (flight_id)`);
  expect(await scoreTable(alice, 'late', 'now_seen', { event_time: 'due' })).toMatchObject({ state: 'done' });
  await superuser.query('select pgscore.refresh()');
  const { rows } = await superuser.query(`select compared_at from pgscore_data.replay where run_id = $1`, [run]);
  await alice.query(`insert into truths (flight_id, is_late, at) select flight_id, 1, clock_timestamp() from flights`);
  await waitFor(
    async () =>
      (
        await superuser.query(`select from pgscore_data.replay where run_id = $1 and compared_at > $2`, [
          run,
          rows[0]?.compared_at,
        ])
      ).rowCount === 1,
    { message: 'the next comparison' },
  );
  await settled();
  expect(await last()).toEqual(before);
  expect(await julyOf(run)).toEqual(found);
});

test('a replay that no label can find is refused', async () => {
  await alice.query('create view named as select flight_id as id, s.* from seen s');
  const replayed = `select pgscore.replay('late', source => 'named', key => array['id', 'as_of'], event_time => 'as_of')`;
  expect(await refusal(alice, replayed)).toMatchObject({
    code: '22023',
    message: 'no label of model "late" can find a row of this replay',
    detail: 'Labels go by flight_id, and the key of the rows is id, as_of.',
    hint: expect.stringContaining('as the labels do'),
  });
});
