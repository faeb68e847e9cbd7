import { expect, test } from '@jest/globals';
import fc from 'fast-check';

import { cloneDatabase } from '../support/database.ts';
import { howMany } from '../support/night.ts';
import { addMonitoredModel, type MonitoredModel } from './monitored-model.ts';

const database = await cloneDatabase();
const superuser = await database.client();

/** A large run of entities first to last, but for each that `without` divides, for the time of its snapshot: hours before now. */
type Night = { first: number; last: number; without: number; hoursAgo: number };

async function addNight({ versionId, targetId }: MonitoredModel, night: Night): Promise<void> {
  const { rows } = await superuser.query<{ run_id: string; generation: number }>(
    `with numbered as (
       update pgscore_data.target set next_generation = next_generation + 1 where target_id = $2 returning next_generation - 1 as generation
     ), run as (
       insert into pgscore_data.run (requested_by, version_id, target_id, source_schema, source_name, source_kind, plan, rls, state, attempt, generation, snapshot_at, counted, rows_done)
       select 'alice', $1, $2, 'public', 'source', 'ctid', '{}', 'error', 'done', 1, generation, now() - $3 * interval '1 hour', true, $4 from numbered returning run_id, generation
     ), stored as (
       insert into pgscore_data.generation (target_id, generation, run_id, attempt, state) select $2, generation, run_id, 1, 'published' from run
     )
     select run_id, generation from run`,
    [versionId, targetId, night.hoursAgo, Math.max(1000, night.last - night.first)],
  );
  const [run] = rows;
  if (run === undefined) throw new Error('the run was not made');
  const base = `pgscore_predictions.target_${targetId}`;
  const partition = `create table ${base}_g${run.generation} partition of ${base} for values in (${run.generation})`;
  await superuser.query(partition);
  const owned = `alter table ${base}_g${run.generation} owner to pgscore_owner`;
  await superuser.query(owned);
  const insert = `insert into ${base} (generation, run_id, id, score, label)
    select $1, $2, i, (i % 100) / 100.0, case when i % 100 >= 50 then 'yes' else 'no' end from generate_series($3::int, $4::int) i where i % $5 <> 0`;
  await superuser.query(insert, [run.generation, run.run_id, night.first, night.last, night.without]);
}

const OPEN = `select segment_id, day, closes_at, n from pgscore_data.cell_open where version_id = $1 and closes_at > now() and n <> 0 order by 1, 2, 3`;

async function expectRecounted({ versionId }: MonitoredModel): Promise<void> {
  await superuser.query('select pgscore.refresh()');
  const counted = await superuser.query(OPEN, [versionId]);
  await superuser.query('begin');
  await superuser.query('select pgscore_data._recount_open($1)', [versionId]);
  const again = await superuser.query(OPEN, [versionId]);
  await superuser.query('rollback');
  expect(counted.rows).toEqual(again.rows);
}

const nights = fc.record({
  first: fc.constantFrom(1, 1, 1, 400, 1200),
  last: fc.constantFrom(1500, 1500, 1510, 2600),
  without: fc.constantFrom(5000, 5000, 97, 3),
  hoursAgo: fc.integer({ min: 1, max: 90 }),
});
const labels = fc.record({ id: fc.integer({ min: 1, max: 40 }), hoursAgo: fc.integer({ min: 0, max: 90 }) });
let models = 0;

test('large runs in any order, of any entities, are counted as a recount of all that is kept counts them', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.oneof({ weight: 2, arbitrary: nights }, { weight: 1, arbitrary: labels }), {
        minLength: 3,
        maxLength: 9,
      }),
      async (steps) => {
        models += 1;
        const name = `nights${models}`;
        const model = await addMonitoredModel(superuser, name, 'binary');
        await superuser.query(`update pgscore_data.monitor set key_types = '{bigint}' where model_id = $1`, [
          model.modelId,
        ]);
        for (const step of steps) {
          if ('first' in step) await addNight(model, step);
          else
            await superuser.query(`select pgscore.record_label($1, $2::text, 'yes', now() - $3 * interval '1 hour')`, [
              name,
              step.id,
              step.hoursAgo,
            ]);
          await expectRecounted(model);
        }
      },
    ),
    { numRuns: howMany(3, 12), seed: 20261129, endOnFailure: true },
  );
}, 120_000);

test('a label judges the last run before it, however many runs came since and whatever was swept', async () => {
  const model = await addMonitoredModel(superuser, 'swept', 'binary');
  for (const hoursAgo of [96, 72, 48, 24]) await addNight(model, { first: 1, last: 1500, without: 5000, hoursAgo });
  await superuser.query('select pgscore.refresh()');
  await superuser.query('set role alice');
  await superuser.query(`insert into pgscore._drop_request (target_id, step) values ($1, 'drop')`, [model.targetId]);
  await superuser.query('reset role');
  const label = `insert into pgscore_data.label_change (model_id, key, known_at, label)
    select $1, array[i::text], now() - interval '60 hours', 'yes' from generate_series(1, 100) i`;
  await superuser.query(`update pgscore_data.monitor set key_types = '{bigint}' where model_id = $1`, [model.modelId]);
  await superuser.query(label, [model.modelId]);
  await superuser.query('select pgscore.refresh()');
  const judged = `select round(extract(epoch from now() - event_time) / 3600)::int as hours_ago, count(*)::int as n
    from pgscore_data.evaluation where model_id = $1 group by 1`;
  expect((await superuser.query(judged, [model.modelId])).rows).toEqual([{ hours_ago: 72, n: 100 }]);
  await superuser.query(`select pgscore.rebuild('swept')`);
  expect((await superuser.query(judged, [model.modelId])).rows).toEqual([{ hours_ago: 72, n: 100 }]);
});
