import { beforeAll, describe, expect, test } from '@jest/globals';
import { deployBytes } from '../support/deploy.ts';
import { childrenOf, startedWith } from '../support/processes.ts';
import { refusal } from '../support/refusal.ts';
import { endOfRun, scoreTable, type RunState } from '../support/run.ts';
import { scoreFixture } from '../support/score-fixture.ts';
import { waitFor } from '../support/wait-for.ts';
import { type FeatureType, weightedModel } from '../support/weighted-model.ts';
import { shadowIs, shadowState, startShadow } from './shadowed-calls.ts';

const { ada, alice, superuser, service } = await scoreFixture({ PGSCORE_POLL: '0.4' });

/** Deploys two versions, and says that calls are about their field `id`. */
async function deployPair(model: string, ...versions: readonly Record<string, FeatureType>[]): Promise<void> {
  for (const features of versions) await deployBytes(ada, model, weightedModel(features));
  await ada.query('select pgscore.log_calls($1, key => $2)', [model, ['id']]);
}

const ROW = `jsonb_build_object('id', n, 'a', n + 0.25, 'b', (n % 7)::real)`;
/** The predictions of a shadow that have one of the champion beside them, of the same call. */
const PAIRS = `select s.key, s.score, s.inputs, c.inputs as given, s.requested_by, s.asked_at = c.asked_at as is_asked_then, s.probabilities
     from pgscore.online_predictions s join pgscore.online_predictions c using (model, key)
    where s.is_shadow and s.version = 2 and not c.is_shadow and c.version = 1 and s.request_id is not distinct from c.request_id and model = $1`;

/** Has alice ask of rows 1 to `rows`, each `times` times. */
async function ask(model: string, rows: number, times = 1): Promise<unknown[]> {
  const text = `select score($1, ${ROW}) as score from generate_series(1, $2::int) n, generate_series(1, $3::int) again`;
  return (await alice.query(text, [model, rows, times])).rows;
}

beforeAll(async () => {
  await alice.query('set pgscore.execution = online');
  await ada.query('set pgscore.execution = online');
});

test('a shadow says of each call, by the same inputs, what its version says', async () => {
  await deployPair('sums', { a: 'float32', b: 'float32' }, { b: 'float32', a: 'float32' });
  await startShadow(ada, 'sums');
  await alice.query(`set pgscore.request_id = 'one by one'`);
  const rows = await ask('sums', 40);
  expect(rows[7]).toEqual({ score: 8.25 + 10 });
  // More than one block of logged calls holds.
  await alice.query(`set pgscore.request_id = 'many'`);
  await alice.query(
    `create table rows as select n as id, n::real as a, 2::real as b from generate_series(1001, 2100) n`,
  );
  await alice.query(`select count(*) from pgscore.score_rows('sums', array(select r from rows r)) s`);
  await alice.query('reset pgscore.request_id');
  await shadowIs(alice, 'sums', ({ scored, waiting }) => scored === 1140 && waiting === 0);
  expect(await shadowState(alice, 'sums')).toMatchObject({ failed: 0, skipped: 0, error: null });
  const pairs = await ada.query(PAIRS, ['sums']);
  expect(pairs.rows).toHaveLength(1140);
  for (const { inputs, requested_by: by, is_asked_then: asked } of pairs.rows) {
    expect({ inputs, by, asked }).toEqual({ inputs: null, by: 'ada', asked: true });
  }
  const replayed = await ada.query(`select pgscore.replay('sums@1', target_schema => 'ada') as run`);
  expect(await endOfRun(ada, replayed.rows[0].run)).toMatchObject({ state: 'done', rows_done: '1140' });
  const off = `select count(*)::int as wrong from (${PAIRS}) p where p.score <> score('sums@2', p.given)`;
  expect((await ada.query(off, ['sums'])).rows).toEqual([{ wrong: 0 }]);
  expect((await alice.query('select from pgscore.online_predictions where is_shadow')).rows).toEqual([]);
});

test('texts and NULL reach the shadow as they were given', async () => {
  const options = { null_values: { a: 7 } };
  await deployBytes(ada, 'texts', weightedModel({ colour: 'string', a: 'float64' }), options);
  await deployBytes(ada, 'texts', weightedModel({ a: 'float64', colour: 'string' }), options);
  await ada.query(`select pgscore.log_calls('texts', key => array['id'])`);
  await startShadow(ada, 'texts');
  await alice.query(
    `select score('texts', jsonb_build_object('id', n, 'colour', (array['red', 'Grün ☃', 'blue'])[n], 'a', n / nullif(n - 1, 0.0))) from generate_series(1, 3) n`,
  );
  await shadowIs(alice, 'texts', ({ scored }) => scored === 3);
  const text = `select p.*, score('texts@2', p.given) as said from (${PAIRS}) p order by key`;
  const pairs = await ada.query(text, ['texts']);
  expect(pairs.rows).toHaveLength(3);
  for (const { score, said, inputs } of pairs.rows) expect([score, inputs]).toEqual([said, null]);
});

test('one process scores for the shadows of all models', async () => {
  const started = await Promise.all((await childrenOf(service.pid)).map(startedWith));
  expect(started.filter((told) => told.includes('shadow/main'))).toHaveLength(1);
});

test('a share of the entities is sampled, the same in calls as in runs', async () => {
  await deployPair('shares', { a: 'float32' }, { a: 'float32' });
  await startShadow(ada, 'shares', 0.3);
  await ask('shares', 400, 2);
  const expected = `select count(*)::int as n from generate_series(1, 400) n, pgscore.experiments e
                     where e.model = 'shares' and pgscore.bucket(e.salt, n::text) < 3000`;
  const { n } = (await alice.query<{ n: number }>(expected)).rows[0]!;
  expect(Math.abs(n - 120)).toBeLessThan(40);
  await shadowIs(alice, 'shares', ({ scored, waiting }) => scored === 2 * n && waiting === 0);
  const beyond = `select from pgscore.online_predictions p join pgscore.experiments e using (model)
                   where model = 'shares' and p.is_shadow and pgscore.bucket(e.salt, p.key[1]) >= 3000`;
  expect((await ada.query(beyond)).rows).toEqual([]);
  expect(await shadowState(alice, 'shares')).toMatchObject({ failed: 0, skipped: 0 });
});

test('a row that the shadow cannot score fails by itself, and is told of', async () => {
  await deployPair('narrow', { a: 'float64' }, { a: 'int32' });
  await startShadow(ada, 'narrow');
  await alice.query(`select score('narrow', jsonb_build_object('id', n, 'a', n * 0.5)) from generate_series(1, 10) n`);
  await shadowIs(alice, 'narrow', ({ scored, failed }) => scored === 5 && failed === 5);
  expect(await shadowState(alice, 'narrow')).toMatchObject({
    error: expect.stringContaining('narrow@2: it could not'),
  });
  const why = `select distinct error from pgscore.online_predictions where model = 'narrow' and is_shadow and error like '%0.5%'`;
  expect((await ada.query(why)).rows).toEqual([{ error: expect.stringContaining('not a whole number') }]);
});

test('a row whose array does not fit the shadow fails by itself, too', async () => {
  await deployPair('shaped', { v: [2, 2] }, { v: 4 });
  await startShadow(ada, 'shaped');
  // The champion takes both forms of an array.
  const array = `case n when 3 then '[[3, 3], [3, 3]]' else jsonb_build_array(n, n, n, n) end`;
  const rows = `array(select jsonb_build_object('id', n, 'v', ${array}) from generate_series(1, 5) n)`;
  const asked = `select count(score) from pgscore.score_rows('shaped', ${rows})`;
  await alice.query(asked);
  await shadowIs(alice, 'shaped', ({ scored, failed }) => scored === 4 && failed === 1);
  const said = `select key[1] as key, score, error from pgscore.online_predictions where model = 'shaped' and is_shadow order by score`;
  expect((await ada.query(said)).rows).toEqual([
    ...['1', '2', '4', '5'].map((key) => ({ key, score: Number(key), error: null })),
    { key: null, score: null, error: 'feature v is […], not an array of 4 numbers' },
  ]);
});

test('calls without inputs, or without a feature of the shadow, are skipped with the reason', async () => {
  await deployPair('blind', { a: 'float32' }, { a: 'float32' });
  await ada.query(`select pgscore.log_calls('blind', inputs => false)`);
  await startShadow(ada, 'blind');
  await deployPair('lacking', { a: 'float32' }, { a: 'float32', b: 'float32' });
  await startShadow(ada, 'lacking');
  for (const model of ['blind', 'lacking']) await ask(model, 5);
  expect(await shadowIs(alice, 'blind', ({ skipped }) => skipped === 5)).toMatchObject({
    scored: 0,
    error: expect.stringContaining(`select pgscore.log_calls('blind', inputs => true)`),
  });
  expect(await shadowIs(alice, 'lacking', ({ skipped }) => skipped === 5)).toMatchObject({
    scored: 0,
    error: 'lacking@2: it reads "b", which calls of lacking@1 are kept without',
  });
});

test('labels judge the shadow and the champion by the same calls', async () => {
  await deployPair('judged', { a: 'float32', b: 'float32' }, { b: 'float32', a: 'float32' });
  await alice.query('create table outcomes (id text primary key, y float8, at timestamptz default now())');
  await alice.query(`select pgscore.set_labels('judged', 'outcomes', label => 'y', known_at => 'at')`);
  await startShadow(ada, 'judged');
  await ask('judged', 150);
  await shadowIs(alice, 'judged', ({ scored }) => scored === 150);
  // The shadow is right, the champion is not.
  await alice.query('insert into outcomes select n, (n % 7) + 10 * (n + 0.25) from generate_series(1, 150) n');
  const results = `select model_version::int as version, n::int, value from pgscore_bi.experiment_results
                    where model_name = 'judged' and metric = 'mae' order by 1`;
  const judged = async (): Promise<unknown[] | undefined> => {
    await ada.query('select pgscore.refresh()');
    const { rows } = await superuser.query<{ n: number; value: number }>(results);
    return rows.every(({ n }) => n === 150) ? rows : undefined;
  };
  const [champion, shadow] = (await waitFor(judged, { message: 'the results' })) as { value: number }[];
  expect(shadow).toMatchObject({ version: 2, n: 150, value: 0 });
  expect(champion?.value).toBeGreaterThan(100);
  const agreed = `select count(*)::int as n from pgscore_bi.prediction_detail where model_name = 'judged' and actual is not null group by model_version`;
  expect((await superuser.query(agreed)).rows).toEqual([{ n: 150 }, { n: 150 }]);
});

describe('a replay over a table', () => {
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

  test('a default target that is too long is refused by its whole name', async () => {
    const source = `trips_${'x'.repeat(55)}`;
    const create = `create table ${source} (like trips including all)`;
    await alice.query(create);
    const { message } = await refusal(
      alice,
      `select pgscore.replay('far', source => '${source}', event_time => 'due')`,
    );
    expect(message).toBe(`target name "far_${source}_replay" is longer than 55 bytes`);
  });

  test('a part of a month is marked, and stands beside the live predictions of that part only', async () => {
    expect(await scoreTable(alice, 'near', 'trips', { event_time: 'due', target: 'near_live' })).toMatchObject({
      state: 'done',
    });
    await alice.query(`
      create table near_truth as select id, h.score + case when id < 24 then 3 else 1 end as y, t.due + interval '1 hour' as at
        from near_live_history h join trips t using (id);
      alter table near_truth add primary key (id)`);
    await alice.query(`select pgscore.set_labels('near', 'near_truth', label => 'y', known_at => 'at')`);
    const { run } = await replay(`'near', to_time => '2026-01-02Z'`);
    const months = `select is_partial, n_labeled::int as n, value, live_version::int as live, n_live_labeled::int as n_live, live_value
        from pgscore_bi.replay_performance_monthly where replay_run = $1 and metric = 'mae'`;
    const row = await waitFor(
      async () => (await superuser.query(months, [run])).rows.find(({ n_live: n }) => n > 0) as unknown,
      { message: 'the comparison of the replay' },
    );
    expect(row).toEqual({ is_partial: true, n: 23, value: 3, live: 1, n_live: 23, live_value: 3 });
    const live = `select mae from pgscore_bi.regression_performance_monthly where model_name = 'near' and segment_key is null`;
    expect((await superuser.query(live)).rows).toEqual([{ mae: (23 * 3 + 177) / 200 }]);
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
          await superuser.query(
            `select from pgscore_bi.version_comparison where replay_run = $1 and other_version = 2`,
            [later.run],
          )
        ).rowCount,
    );
  });
});
