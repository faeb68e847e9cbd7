import { beforeAll, describe, expect, test } from '@jest/globals';

import { callsCounted } from '../monitor/calls.ts';
import { deployBytes } from '../support/deploy.ts';
import { goldenBytes, goldenModel, goldenRows } from '../support/golden-models.ts';
import { loadRows } from '../support/load-rows.ts';
import { refusal } from '../support/refusal.ts';
import { endOfRun, scoreTable, type RunState } from '../support/run.ts';
import { scoreFixture } from '../support/score-fixture.ts';
import { waitFor } from '../support/wait-for.ts';

const { ada, alice, bob, superuser } = await scoreFixture({ PGSCORE_POLL: '0.4' });

const [TYPED, OTHER] = [goldenModel('typed_inputs'), goldenModel('lightgbm')];

async function replay(client: typeof alice, args: string): Promise<RunState> {
  const text = `select pgscore.replay(${args}) as run`;
  const { rows } = await client.query<{ run: string }>(text);
  return endOfRun(client, rows[0]?.run ?? '');
}

/** All that analysts and users see of live predictions, and what it is made of: all but replays, and what only the clock moves. */
async function live(): Promise<Record<string, unknown>> {
  const { rows: views } = await superuser.query<{ name: string }>(
    `select format('%I.%I', n.nspname, c.relname) as name from pg_class c join pg_namespace n on n.oid = c.relnamespace
      where n.nspname in ('pgscore', 'pgscore_bi') and c.relkind = 'v' and c.relname !~ '^_'
        and c.relname not in ('services', 'replay_performance_monthly')
      union all
     select format('pgscore_data.%I', c.relname) from pg_class c
      where c.relnamespace = 'pgscore_data'::regnamespace and c.relkind = 'r'
        and c.relname ~ '^(cell_|kept_|evaluation|feature_|day_|class_|segment|touched|alert_(event|rule|window|state)|alert$|calibration|estimate|compared_|score_log|metric|feed_day|monitor|online_)'
      order by name`,
  );
  const seen: Record<string, unknown> = {};
  for (const { name } of views) {
    const own =
      name === 'pgscore.runs' || name === 'pgscore_bi.version_comparison'
        ? `where coalesce(to_jsonb(x) -> 'is_replay', to_jsonb(x) -> 'is_replayed') = 'false'`
        : name === 'pgscore.targets'
          ? `where x.target !~ 'replay'`
          : '';
    const text = `select jsonb_agg(r order by r::text) as rows
      from (select to_jsonb(x) - '{freshness_seconds,counted_at}'::text[] as r from ${name} x ${own}) y
      where coalesce(r ->> 'metric', '') !~ '^hours_since'`;
    const { rows } = await superuser.query(text);
    seen[name] = rows[0]?.rows;
  }
  return seen;
}

async function settled(): Promise<void> {
  await waitFor(
    async () => (await superuser.query(`select from pgscore.label_sources where is_settled`)).rowCount === 1,
    { message: 'labels to be counted' },
  );
}

/** Waits until a replay is compared, and gives how it is. */
async function compared(run: string): Promise<Record<string, unknown>[]> {
  const text = `select model_version::int as version, other_version::int as other, metric, value_a, value_b, difference, n_a::int, n_b::int, verdict, in_training, undefined_reason
      from pgscore_bi.version_comparison where is_replayed and replay_run = $1 order by metric`;
  let rows: Record<string, unknown>[] = [];
  await waitFor(
    async () => {
      ({ rows } = await superuser.query(text, [run]));
      return rows.length > 0 && rows.every((row) => row['undefined_reason'] !== 'not_compared');
    },
    { message: 'the comparison of the replay' },
  );
  return rows;
}

beforeAll(async () => {
  await deployBytes(ada, 'late', goldenBytes(TYPED), TYPED.deploy);
  await deployBytes(ada, 'late', goldenBytes(TYPED), {
    ...TYPED.deploy,
    threshold: 0.6,
    trained_until: '2026-01-11',
  });
  await deployBytes(ada, 'late', goldenBytes(OTHER), OTHER.deploy);
  await loadRows(alice, 'flights', [TYPED.key, ...TYPED.features], goldenRows(TYPED));
  await alice.query(`
    alter table flights add due timestamptz;
    update flights f set due = timestamptz '2026-01-01' + n * interval '2 hours'
      from (select flight_id, row_number() over (order by flight_id) as n from flights) x where x.flight_id = f.flight_id;
    create table landed (flight_id bigint primary key, is_late int, at timestamptz);
    insert into landed select flight_id, (flight_id % 3 = 0)::int, due + interval '1 hour' from flights`);
  await ada.query(`select pgscore.log_calls('late', key => '{flight_id}', event_time => 'due')`);
  await alice.query(`select pgscore.set_labels('late', 'landed', label => 'is_late', known_at => 'at')`);
  expect(await scoreTable(alice, 'late', 'flights', { event_time: 'due' })).toMatchObject({ state: 'done' });
  await alice.query(`set pgscore.execution = online; select count(score('late', f)) from flights f where flight_id % 2 = 0;
    select count(score('late', f)) from (select * from flights order by flight_id limit 3) f`);
  const calls = 'select count(*)::int + 3 as n from flights where flight_id % 2 = 0';
  await callsCounted(superuser, 'late', (await alice.query<{ n: number }>(calls)).rows[0]?.n ?? 0);
  await settled();
  await superuser.query('select pgscore.refresh()');
});

describe('a replay of calls', () => {
  test('reproduces each prediction of the version that made them, and nothing that is live moves', async () => {
    const before = await live();
    const latest = await alice.query('table flights_scores order by flight_id');
    const run = await replay(alice, `'late'`);
    expect(run).toMatchObject({
      state: 'done',
      published: false,
      rows_failed: '0',
      target: expect.stringContaining('late_replay'),
    });
    const calls = await alice.query(
      `select prediction_id, key, score, label from pgscore.online_predictions order by 1`,
    );
    const again = await alice.query(`select prediction_id, key, score, label from late_replay_history order by 1`);
    // ONNX Runtime sums one row in another order than many.
    const close = calls.rows.map(({ score, ...row }) => ({ ...row, score: expect.closeTo(score, 6) }));
    expect(again.rows).toEqual(close);
    expect(again.rowCount).toBeGreaterThan(100);
    expect((await alice.query(`select distinct model_version from late_replay_history`)).rows).toEqual([
      { model_version: 'late@1' },
    ]);
    const [accuracy, ...others] = await compared(String(run.run));
    expect(accuracy).toMatchObject({
      metric: 'accuracy',
      version: 1,
      other: 1,
      difference: 0,
      verdict: 'no_difference',
      in_training: 'unknown',
    });
    for (const other of others) expect(other).toMatchObject({ difference: 0 });
    await superuser.query('select pgscore.refresh()');
    expect((await alice.query('table late_replay')).rowCount).toBe(0);
    expect((await alice.query('table flights_scores order by flight_id')).rows).toEqual(latest.rows);
    expect(await live()).toEqual(before);
  });

  test('reproduces those of trees to the last bit, NULL included', async () => {
    await deployBytes(ada, 'delay', goldenBytes(OTHER), OTHER.deploy);
    await loadRows(alice, 'others', [OTHER.key, ...OTHER.features], goldenRows(OTHER));
    await alice.query('update others set temp = temp / 3, wind_speed = null where flight_id % 4 = 0');
    await alice.query(`select count(score('delay', o)) from others o`);
    const calls = `select prediction_id, score, label, probabilities[2] as probability from pgscore.online_predictions where model = 'delay' order by 1`;
    await waitFor(async () => (await alice.query(calls)).rowCount === goldenRows(OTHER).length);
    expect(await replay(alice, `'delay'`)).toMatchObject({ state: 'done', rows_failed: '0' });
    const again = `select prediction_id, score, label, probability_1 as probability from delay_replay_history order by 1`;
    expect((await alice.query(again)).rows).toEqual((await alice.query(calls)).rows);
  });

  test('takes those of its window, of versions with its features', async () => {
    const run = await replay(
      alice,
      `'late@2', from_time => '2026-01-05', to_time => '2026-01-09', target => 'window_replay'`,
    );
    expect(run).toMatchObject({ state: 'done' });
    const text = `select (select count(*)::int from window_replay_history) as n,
      (select count(*)::int from pgscore.online_predictions where event_time >= '2026-01-05' and event_time < '2026-01-09') as within`;
    const { rows } = await alice.query<{ n: number }>(text);
    expect(rows[0]).toEqual({ n: expect.any(Number), within: rows[0]?.n });
    expect(rows[0]?.n).toBeGreaterThan(10);
  });

  test('is refused with the remedy where no call was kept that it could replay', async () => {
    expect(await refusal(alice, `select pgscore.replay('late', to_time => '2020-01-01')`)).toMatchObject({
      code: '55000',
      message: 'no call of "late" was kept with its inputs in that time',
      hint: expect.stringContaining(`source => 'table or view', event_time => 'column'`),
    });
    expect(await refusal(alice, `select pgscore.replay('late@3')`)).toMatchObject({
      code: '55000',
      detail: expect.stringContaining('all features of late@3'),
    });
    expect(await refusal(alice, `select pgscore.replay('late', '2020-01-01', '2020-02-01')`)).toMatchObject({
      code: '55000',
    });
    const early = `select pgscore.replay('late', to_time => '2020-01-01')`;
    await ada.query(`select pgscore.log_calls('late', inputs => false)`);
    expect((await refusal(alice, early)).detail).toBe('The model keeps its calls without their inputs.');
    await ada.query(`select pgscore.log_calls('late', inputs => true, sampling => 0)`);
    expect((await refusal(alice, early)).detail).toBe('The model keeps no calls.');
    await ada.query(`select pgscore.log_calls('late', sampling => 1)`);
    // She sees her own calls.
    expect(await refusal(bob, `select pgscore.replay('late')`)).toMatchObject({ code: '55000' });
    await alice.query('create table mine_calls (id int)');
    expect(await refusal(alice, `select pgscore.replay('late', target => 'mine')`)).toMatchObject({ code: '42P07' });
    expect((await alice.query(`select from pg_class where relname = 'mine'`)).rowCount).toBe(0);
  });

  test('reads no view of calls that another role made', async () => {
    expect(await replay(alice, `'late', target => 'lured'`)).toMatchObject({ state: 'done' });
    await alice.query('grant usage, create on schema alice to ada; grant select on lured_calls to ada');
    expect(
      await refusal(ada, `select pgscore.replay('late', target => 'lured', target_schema => 'alice')`),
    ).toMatchObject({
      code: '42P07',
      message: '"alice.lured_calls" already exists and is not a view of calls of yours',
    });
  });
});

describe('a replay of a source', () => {
  test('stands beside the live predictions, without what its version was trained on', async () => {
    const before = await live();
    const run = await replay(alice, `'late@2', source => 'flights', event_time => 'due'`);
    expect(run).toMatchObject({
      state: 'done',
      published: false,
      target: expect.stringContaining('late_flights_replay'),
    });
    const rows = await compared(String(run.run));
    const truth = await alice.query<{ n: number; right: number }>(`
      select count(*)::int as n, avg((h.label = l.is_late::text)::int)::float8 as right
        from late_flights_replay_history h join landed l using (flight_id) where h.event_time >= '2026-01-11'`);
    expect(rows[0]).toMatchObject({
      metric: 'accuracy',
      version: 2,
      other: 1,
      in_training: 'other_unknown',
      value_a: truth.rows[0]?.right,
      n_a: truth.rows[0]?.n,
      n_b: truth.rows[0]?.n,
    });
    const months = await superuser.query(
      `select in_training, sum(n_predictions)::int as n, sum(n_labeled)::int as labeled from pgscore_bi.replay_performance_monthly
        where replay_run = $1 and metric = 'accuracy' group by in_training order by in_training`,
      [run.run],
    );
    const all = (await alice.query('select from flights')).rowCount ?? 0;
    const left = all - (truth.rows[0]?.n ?? 0);
    expect(months.rows).toEqual([
      { in_training: false, n: truth.rows[0]?.n, labeled: truth.rows[0]?.n },
      { in_training: true, n: left, labeled: left },
    ]);
    await superuser.query('select pgscore.refresh()');
    expect(await live()).toEqual(before);
    await ada.query(`select pgscore.set_gate('late', 'not_worse', metric => 'accuracy', margin => 0.5)`);
    const check = `select * from pgscore.check_gates('late@2')`;
    const refused = expect.stringMatching(/: a replay counts where a pgscore_deployer asked for it$/);
    expect((await ada.query(check)).rows).toMatchObject([{ passed: false, reason: refused }]);
    await superuser.query('update pgscore_data.run set requested_by = $1 where run_id = $2', ['ada', run.run]);
    const reason = expect.stringMatching(new RegExp(`, by a replay \\(run ${run.run}\\), .* \\(training data may `));
    expect((await ada.query(check)).rows).toMatchObject([{ passed: true, value: rows[0]?.['difference'], reason }]);
    await ada.query(`select pgscore.drop_gate('late', 'not_worse_accuracy')`);
  });

  test('may hold an entity at several times, and follows labels that come later', async () => {
    await alice.query(`create table seen as select f.*, f.due - n * interval '3 hours' as as_of from flights f, generate_series(0, 1) n;
      alter table seen add primary key (flight_id, as_of)`);
    const run = await replay(
      alice,
      `'late', source => 'seen', key => array['flight_id', 'as_of'], event_time => 'as_of'`,
    );
    expect(run).toMatchObject({ state: 'done' });
    const [accuracy] = await compared(String(run.run));
    const flights = (await alice.query('select from flights')).rowCount;
    // The later of both is judged.
    expect(accuracy).toMatchObject({ n_a: flights, n_b: flights, difference: 0 });
    await alice.query(`update landed set is_late = 1 - is_late`);
    const value = accuracy?.['value_a'];
    await waitFor(async () => (await compared(String(run.run)))[0]?.['value_a'] !== value, {
      message: 'the new labels',
    });
    expect((await compared(String(run.run)))[0]).toMatchObject({ difference: 0 });
  });

  test.each([
    [`'late', source => 'flights'`, '22023', 'needs event_time'],
    [
      `'late', source => 'flights', event_time => 'due', from_time => '2026-02-01', to_time => '2026-01-01'`,
      '22023',
      'is not before to_time',
    ],
    [`'late', event_time => 'due'`, '22023', 'are about a source'],
    [`'late', source => 'flights', event_time => 'due', target => 'flights_scores'`, '55000', 'holds live predictions'],
    [`'late@9'`, '42704', 'has no version or alias'],
  ])('replay(%s) is refused', async (args, code, message) => {
    expect(await refusal(alice, `select pgscore.replay(${args})`)).toMatchObject({
      code,
      message: expect.stringContaining(message),
    });
  });

  test('no live run goes into the target of replays', async () => {
    const asked = `select pgscore.score_table('late', 'flights', event_time => 'due', target => 'late_flights_replay')`;
    expect(await refusal(alice, asked)).toMatchObject({
      code: '55000',
      message: expect.stringContaining('holds replays'),
    });
  });

  test('what is forgotten leaves replays, too', async () => {
    const { rows } = await alice.query<{ id: string }>(
      'select flight_id::text as id from late_flights_replay_history order by 1 limit 1',
    );
    const id = rows[0]?.id;
    await ada.query(`select pgscore.forget('late', key => $1)`, [id]);
    const left = `select from late_flights_replay_history where flight_id = $1 union all select from late_seen_replay_history where flight_id = $1
      union all select from late_replay_history where key = array[$1::text]`;
    expect((await alice.query(left, [id])).rowCount).toBe(0);
  });
});
