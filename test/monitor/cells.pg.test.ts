import { expect, test } from '@jest/globals';
import fc from 'fast-check';

import { cloneDatabase } from '../support/database.ts';
import { howMany } from '../support/night.ts';
import { addBlocks, addCalls } from './add-calls.ts';
import { addMonitoredModel, addRun, type MonitoredPrediction } from './monitored-model.ts';
import { pairsOf, type Task, type World, volumesOf } from './world.ts';

const database = await cloneDatabase();
const [superuser, alice] = await Promise.all([database.client(), database.client('alice')]);

const KEYS = 6;
const DAYS = 5;
const at = (day: number, hour: number): string =>
  `2026-03-${String(7 + day).padStart(2, '0')} ${String(hour).padStart(2, '0')}:30+00`;

type Command = { what: string; apply(world: World): Promise<void> };

const moment = fc.tuple(fc.nat(DAYS - 1), fc.nat(23)).map(([day, hour]) => at(day, hour));
const key = fc.integer({ min: 1, max: KEYS });
const scores = fc.constantFrom(0, 0.1, 0.25, 0.5, 0.5000001, 0.75, 0.9999, 1);
const truths = fc.nat(1);
const TRUTHS = { binary: ['no', 'yes'], multiclass: ['a', 'c'], regression: ['0.25', '7'] } as const;
const values = fc.tuple(fc.constantFrom('a', 'b', null), fc.constantFrom('x', 'y y', '', 'z"'));

/** What a model says that has a score: with three classes, the score halved between two of them, and the rest for the third. */
function said(task: Task, row: MonitoredPrediction): MonitoredPrediction {
  if (task === 'regression') return row;
  if (task === 'binary') return { ...row, label: row.score >= 0.5 ? 'yes' : 'no' };
  const probabilities = [row.score / 2, row.score / 2, 1 - row.score];
  const score = Math.max(...probabilities);
  return { ...row, score, probabilities, label: 'abc'.charAt(probabilities.indexOf(score)) };
}

const commands: fc.Arbitrary<Command> = fc.oneof(
  fc
    .tuple(
      fc.array(fc.record({ id: key, at: moment, score: scores, segments: values }), { minLength: 1, maxLength: KEYS }),
      fc.boolean(),
    )
    .map(([rows, isSplit]) => ({
      what: `score ${JSON.stringify(rows)} ${isSplit}`,
      apply: async (world: World) => {
        const columns = isSplit ? world.segments : [];
        const split = rows.map((row) => ({ ...row, segments: row.segments.slice(0, columns.length) }));
        const once = [...new Map(split.map((row) => [row.id, said(world.task, row)])).values()];
        const run = await addRun(superuser, world.model, once, columns);
        world.predictions.push(...once.map((row) => ({ ...row, run })));
      },
    })),
  fc
    .tuple(
      fc.array(fc.record({ id: key, at: moment, score: scores }), { minLength: 1, maxLength: KEYS }),
      fc.constantFrom(addCalls, addBlocks),
    )
    .map(([rows, add]) => ({
      what: `ask ${JSON.stringify(rows)} ${add.name}`,
      apply: async (world: World) => {
        const asked = rows.map((row) => said(world.task, row));
        const runs = await add(superuser, world.model, asked);
        world.predictions.push(...asked.map((row, index) => ({ ...row, run: runs[index] ?? '' })));
      },
    })),
  fc.record({ id: key, knownAt: moment, truth: truths }).map(({ truth, ...when }) => ({
    what: `label ${JSON.stringify(when)} ${truth}`,
    apply: async (world: World) => {
      const label = { ...when, label: String(TRUTHS[world.task][truth]) };
      const upsert = `insert into ${world.table} values ($1, $2, $3) on conflict (id, known_at) do update set truth = excluded.truth`;
      await alice.query(upsert, [label.id, label.knownAt, label.label]);
      world.labels.set(`${label.id} ${label.knownAt}`, label);
    },
  })),
  fc.record({ id: key, knownAt: moment }).map(({ id, knownAt }) => ({
    what: `withdraw ${id} ${knownAt}`,
    apply: async (world: World) => {
      const remove = `delete from ${world.table} where id = $1 and known_at = $2`;
      await alice.query(remove, [id, knownAt]);
      world.labels.delete(`${id} ${knownAt}`);
    },
  })),
  fc.record({ id: key, from: moment, to: moment }).map(({ id, from, to }) => ({
    what: `move ${id} ${from} to ${to}`,
    apply: async (world: World) => {
      if (world.labels.has(`${id} ${to}`)) return;
      const move = `update ${world.table} set known_at = $3 where id = $1 and known_at = $2`;
      await alice.query(move, [id, from, to]);
      const label = world.labels.get(`${id} ${from}`);
      if (label === undefined) return;
      world.labels.delete(`${id} ${from}`);
      world.labels.set(`${id} ${to}`, { ...label, knownAt: to });
    },
  })),
  fc.constant({
    what: 'move labels to those that are no longer recent',
    apply: async () => {
      await superuser.query('select pgscore_data._move_recent(most => 2, from_bytes => 0)');
    },
  }),
  fc.constant({
    what: 'refresh',
    apply: async () => {
      await superuser.query('select pgscore.refresh()');
    },
  }),
);

/** What one refresh finds: a single thing as a rule, and at times several, one of which may undo another. */
const batches = fc.oneof(
  { weight: 2, arbitrary: commands.map((command) => [command]) },
  { weight: 1, arbitrary: fc.array(commands, { minLength: 2, maxLength: 5 }) },
);

const SLICED = 'pgscore_data.evaluation cross join lateral unnest(0 || segments) as s (segment_id)';

/** Each kind of cell, and the pairs that it counts. */
const COUNTED = [
  [
    'cell_rank',
    `select segment_id, day, rank, count(*) as n from ${SLICED} where version_id = $1 and rank is not null group by 1, 2, 3`,
    'segment_id, day, rank',
  ],
  [
    'cell_class_score',
    `select day, place - 1 as class, place - 1 = actual_class as positive, b as bin, count(*) as n
       from pgscore_data.evaluation cross join lateral unnest(class_bins) with ordinality as x (b, place) where version_id = $1 group by 1, 2, 3, 4`,
    'day, class, positive, bin',
  ],
  [
    'cell_regression',
    `select segment_id, day, age_band, count(*) as n, sum((score - actual)::numeric) as sum_error, sum(abs(score - actual)::numeric) as sum_abs_error
       from ${SLICED} where version_id = $1 and actual is not null group by 1, 2, 3`,
    'segment_id, day, age_band, sum_error, sum_abs_error',
  ],
] as const;

const OUTCOMES_DIFFER = `
  with again as (
    select segment_id, day, age_band, actual_class, predicted_class, count(*) as n, sum(((1 - p_actual) ^ 2)::numeric) as brier
      from ${SLICED} where version_id = $1 and actual_class is not null group by 1, 2, 3, 4, 5
  )
  select * from again full join (select * from pgscore_data.cell_outcome where version_id = $1 and n <> 0) c using (segment_id, day, age_band, actual_class, predicted_class)
   where (again.n, again.brier) is distinct from (c.n, c.sum_brier)`;

async function expectTrue(world: World): Promise<void> {
  await superuser.query('select pgscore.refresh()');
  const { rows } = await superuser.query<{ pair: string }>(
    `select concat_ws(' ', key[1], run_id, coalesce(class_labels[actual_class + 1], actual::text), class_labels[predicted_class + 1], score, rank, (
              select string_agg(x.value, ' ' order by n) from unnest(segments) with ordinality as s (segment_id, n) join pgscore_data.segment x using (segment_id))) as pair
       from pgscore_data.evaluation join pgscore_data.execution using (version_id) where model_id = $1`,
    [world.model.modelId],
  );
  expect(rows.map(({ pair }) => pair).toSorted()).toEqual(pairsOf(world));
  const different = await superuser.query(OUTCOMES_DIFFER, [world.model.versionId]);
  expect(different.rows).toEqual([]);
  const scoresDiffer = await superuser.query(
    `with again as (
       select day, actual_class = 1 as positive, bin, count(*) as n, sum(score::numeric) as sum_score from pgscore_data.evaluation where version_id = $1 and bin is not null group by 1, 2, 3
     )
     select * from again full join (
       select day, positive, bin, sum(n) as n, sum(sum_score) as sum_score from pgscore_data.cell_outcome_score where version_id = $1 group by 1, 2, 3 having (sum(n), sum(sum_score)) <> (0, 0)
     ) c using (day, positive, bin)
      where (again.n, again.sum_score) is distinct from (c.n, c.sum_score)`,
    [world.model.versionId],
  );
  expect(scoresDiffer.rows).toEqual([]);
  for (const [cells, again, by] of COUNTED) {
    const differ = `select * from (${again}) again full join (select * from pgscore_data.${cells} where version_id = $1 and n <> 0) c using (${by}) where again.n is distinct from c.n`;
    expect([cells, (await superuser.query(differ, [world.model.versionId])).rows]).toEqual([cells, []]);
  }
  const called = await superuser.query<{ n: number }>(
    'select coalesce(sum(n_positive), 0)::int as n from pgscore_data.cell_score where version_id = $1',
    [world.model.versionId],
  );
  expect(called.rows).toEqual([{ n: world.predictions.filter(({ label }) => label === 'yes').length }]);
  const volume = await superuser.query<{ line: string }>(
    `select concat_ws(' ', (c.day at time zone 'UTC')::date, segment_key, segment_value, n_predictions) as line
       from pgscore_data.cell_volume c join pgscore_data.version using (version_id) join pgscore_data.slice using (model_id, segment_id) where version_id = $1`,
    [world.model.versionId],
  );
  expect(volume.rows.map(({ line }) => line).toSorted()).toEqual(volumesOf(world));
  await expectRecounted(world);
}

const OPEN = `select segment_id, day, closes_at, n from pgscore_data.cell_open where version_id = $1 and closes_at > now() and n <> 0 order by 1, 2, 3`;
const REPEATS = `select segment_id, grain, window_start, pairs2, hits_pairs, hits2 from pgscore_data.cell_repeat
  where version_id = $1 and (pairs2, hits_pairs, hits2) <> (0, 0, 0) order by 1, 2, 3`;

/** What refreshes added up is what a recount from all that is kept comes to. */
async function expectRecounted({ model: { versionId } }: World): Promise<void> {
  const rows = async (query: string) => (await superuser.query(query, [versionId])).rows;
  const read = async () => [await rows(OPEN), await rows(REPEATS)];
  const counted = await read();
  await superuser.query('begin');
  await superuser.query(
    `select pgscore_data._recount_open($1), pgscore_data._recount_repeats($1, '-infinity', 'infinity')`,
    [versionId],
  );
  const again = await read();
  await superuser.query('rollback');
  expect(counted).toEqual(again);
}

let worlds = 0;

async function newWorld(task: Task = 'binary', segments: readonly string[] = []): Promise<World> {
  worlds += 1;
  const name = `walk${worlds}`;
  const table = `truth${worlds}`;
  const model = await addMonitoredModel(superuser, name, task);
  const create = `create table ${table} (id int, known_at timestamptz, truth text, primary key (id, known_at))`;
  await alice.query(create);
  await alice.query(
    `select pgscore.set_labels($1, $2::regclass, label => 'truth', key => 'id', known_at => 'known_at')`,
    [name, table],
  );
  return { task, model, table, segments, predictions: [], labels: new Map() };
}

test.each(['binary', 'multiclass', 'regression'] as const)(
  'whatever is scored, with segments or without, asked about, labelled, corrected and withdrawn in whatever order, many at once or one by one, the cells of a %s model are what a recount gives, after every step',
  async (task) => {
    await fc.assert(
      fc.asyncProperty(fc.array(batches, { minLength: 1, maxLength: 10 }), async (steps) => {
        const world = await newWorld(task, ['s', 't']);
        for (const batch of steps) {
          for (const step of batch) await step.apply(world);
          await expectTrue(world);
        }
      }),
      { numRuns: howMany(2, 12), seed: 20261125, endOnFailure: true },
    );
  },
  120_000,
);

test.each(['binary', 'regression'] as const)(
  'what a refresh finds at once, corrections beside new predictions and labels of the same entities, leaves the cells of a %s model as a recount gives them',
  async (task) => {
    await fc.assert(
      fc.asyncProperty(fc.array(commands, { minLength: 8, maxLength: 24 }), async (steps) => {
        const world = await newWorld(task, ['s', 't']);
        for (const step of steps) await step.apply(world);
        await expectTrue(world);
      }),
      { numRuns: howMany(2, 8), seed: 20261126, endOnFailure: true },
    );
  },
  120_000,
);

test('labels that are committed out of order while refreshes go on are all counted, once', async () => {
  const world = await newWorld();
  const run = await addRun(
    superuser,
    world.model,
    Array.from({ length: 40 }, (_, id) => ({ id, at: at(0, 1), score: 0.9, label: 'yes' })),
  );
  expect(run).toMatch(/^\d+$/);
  const others = await Promise.all(Array.from({ length: 4 }, () => database.client('alice')));
  for (const [index, other] of others.entries()) {
    const insert = `insert into ${world.table} select g, '2026-03-08 00:00+00', 'yes' from generate_series(${index * 10}, ${index * 10 + 9}) g`;
    await other.query('begin');
    await other.query(insert);
  }
  for (const other of others.toReversed()) {
    await superuser.query('select pgscore.refresh()');
    await other.query('commit');
  }
  await superuser.query('select pgscore.refresh()');
  const { rows } = await superuser.query(
    'select sum(n)::int as n, count(*)::int as cells from pgscore_data.cell_outcome where version_id = $1',
    [world.model.versionId],
  );
  expect(rows).toEqual([{ n: 40, cells: 1 }]);
});

test('a label that arrives 400 days late changes the day that its prediction was for, and no other', async () => {
  const world = await newWorld();
  await addRun(superuser, world.model, [
    { id: 1, at: '2025-01-10 12:00+00', score: 0.8, label: 'yes' },
    { id: 2, at: '2026-02-01 12:00+00', score: 0.2, label: 'no' },
  ]);
  const insert = `insert into ${world.table} values ($1, $2, $3)`;
  await alice.query(insert, [2, '2026-02-02 00:00+00', 'no']);
  await superuser.query('select pgscore.refresh()');
  const daily = `select window_date::text as day, n_labeled::int as labeled, accuracy from pgscore_bi.binary_performance_daily where model_name = $1 order by 1`;
  const before = await superuser.query(daily, [`walk${worlds}`]);
  expect(before.rows).toEqual([
    { day: '2025-01-10', labeled: 0, accuracy: null },
    { day: '2026-02-01', labeled: 1, accuracy: 1 },
  ]);
  await alice.query(insert, [1, '2026-02-14 12:00+00', 'no']);
  await superuser.query('select pgscore.refresh()');
  const after = await superuser.query(daily, [`walk${worlds}`]);
  expect(after.rows).toEqual([
    { day: '2025-01-10', labeled: 1, accuracy: 0 },
    { day: '2026-02-01', labeled: 1, accuracy: 1 },
  ]);
});
