import { beforeAll, expect, test } from '@jest/globals';

import { cloneDatabase } from '../support/database.ts';
import { addBlocks, addCalls } from './add-calls.ts';
import { addMonitoredModel, addRun } from './monitored-model.ts';

const database = await cloneDatabase();
const superuser = await database.client();

const PREDICTIONS = 20_000;
/** Rows that a statement may read one after the other: of a queue it looks at the first, of a small partition all. */
const FEW = 500;

const model = await addMonitoredModel(superuser, 'long', 'binary');

beforeAll(async () => {
  const rows = Array.from({ length: PREDICTIONS }, (_, n) => ({
    id: n + 1,
    at: moment(n % 90),
    score: (n % 1000) / 1000,
    label: n % 1000 < 500 ? 'no' : 'yes',
  }));
  await addRun(superuser, model, rows);
  for (let first = 0; first < PREDICTIONS; first += 20)
    await (first % 40 === 0 ? addCalls : addBlocks)(superuser, model, rows.slice(first, first + 20));
  const keyed = `update pgscore_data.monitor set key_types = '{bigint}' where model_id = $1`;
  await superuser.query(keyed, [model.modelId]);
  await queue(`select array[n::text], $2::timestamptz, 'yes', false from generate_series(1, ${PREDICTIONS - 1000}) n`);
  await superuser.query('select pgscore.refresh()');
  await superuser.query('select pgscore_data._move_recent(most => $1, from_bytes => 0)', [PREDICTIONS / 2]);
  await superuser.query('vacuum analyze');
});

function moment(day: number): string {
  return new Date(Date.UTC(2026, 2, 1 + day)).toISOString();
}

/** Puts changes of labels in line: their key, time, label, and whether they are withdrawn. */
async function queue(changes: string): Promise<void> {
  const insert = `insert into pgscore_data.label_change (model_id, key, known_at, label, retracted) select $1, c.* from (${changes}) c (key, known_at, label, retracted)`;
  await superuser.query(insert, [model.modelId, moment(100)]);
}

/** Rows that a refresh reads one after the other from each large table of the history, where there are more than a few. */
async function readInSequence(refresh = 'select pgscore_data._refresh()'): Promise<unknown[]> {
  await superuser.query('vacuum pgscore_data.label_change');
  // What this session counted before would be counted with it.
  await superuser.query('select pg_stat_force_next_flush()');
  await superuser.query('begin');
  try {
    await superuser.query(refresh);
    const { rows } = await superuser.query(
      `select relname, seq_tup_read from pg_stat_xact_user_tables
        where (relname in ('evaluation_recent', 'evaluation_earlier', 'label_change', 'online_block', 'online_batch') or schemaname = 'pgscore_predictions') and seq_tup_read > $1`,
      [FEW],
    );
    return rows;
  } finally {
    await superuser.query('commit');
  }
}

const CHANGES = {
  corrected: `select array[n::text], $2::timestamptz, 'no', false from generate_series(1, 100) n`,
  withdrawn: `select array[n::text], $2::timestamptz, null, true from generate_series(101, 200) n`,
  'added to entities that have one': `select array[n::text], $2::timestamptz + interval '1 day', 'no', false from generate_series(201, 300) n`,
  'of entities that had none': `select array[n::text], $2::timestamptz, 'no', false from generate_series(${PREDICTIONS - 99}, ${PREDICTIONS}) n`,
  'without a time': `select array[n::text], nullif($2::timestamptz, $2), 'no', false from generate_series(301, 400) n`,
};

test.each(Object.entries(CHANGES))('a refresh of labels %s reads no history whole', async (_, changes) => {
  await queue(changes);
  expect(await readInSequence()).toEqual([]);
  const { rows } = await superuser.query(
    'select entities, pairs_removed + pairs_added > 0 as changed from pgscore_data.refresh_log order by refresh_id desc limit 1',
  );
  expect(rows).toEqual([{ entities: '100', changed: true }]);
});

test.each([
  ['predictions', addRun],
  ['calls', addCalls],
  ['calls in blocks', addBlocks],
])('a refresh of late %s reads no history whole', async (_, add) => {
  const late = Array.from({ length: 100 }, (__, n) => ({ id: n + 1000, at: moment(95), score: 0.7, label: 'yes' }));
  await add(superuser, model, late);
  expect(await readInSequence()).toEqual([]);
  const { rows } = await superuser.query(
    'select entities from pgscore_data.refresh_log order by refresh_id desc limit 1',
  );
  expect(rows).toEqual([{ entities: '100' }]);
});

test('a refresh of a model without labels reads no labels of other models', async () => {
  const unlabelled = await addMonitoredModel(superuser, 'unlabelled', 'binary');
  const few = Array.from({ length: 100 }, (_, n) => ({ id: n + 1, at: moment(95), score: 0.7, label: 'yes' }));
  await addCalls(superuser, unlabelled, few);
  expect(await readInSequence()).toEqual([]);
});

test('a refresh takes its share of a long queue without reading the rest', async () => {
  await queue(`select array[n::text], $2::timestamptz, 'no', false from generate_series(1, ${PREDICTIONS - 2000}) n`);
  await superuser.query('analyze pgscore_data.label_change');
  expect(await readInSequence('select pgscore_data._refresh(100)')).toEqual([]);
});

test('moving labels that are no longer recent reads no history whole', async () => {
  expect(await readInSequence('select pgscore_data._move_recent(most => 100, from_bytes => 0)')).toEqual([]);
  const { rows } = await superuser.query('select count(*) > 0 as left from pgscore_data.evaluation_recent');
  expect(rows).toEqual([{ left: true }]);
});

test('plans that were made while there was no history are not kept once there is one', async () => {
  const grown = await cloneDatabase();
  const session = await grown.client();
  const { modelId } = await addMonitoredModel(session, 'grown', 'binary');
  const refresh = async (labels: number, retracted: boolean): Promise<void> => {
    const insert = `insert into pgscore_data.label_change (model_id, key, known_at, label, retracted)
      select $1, array[n::text], '2026-06-01', 'yes', $3 from generate_series(1, $2::int) n`;
    await session.query(insert, [modelId, labels, retracted]);
    await session.query('select pgscore_data._refresh()');
  };
  const read = async (): Promise<number> => {
    const count = `select seq_tup_read::int as rows from pg_stat_xact_user_tables where relname = 'evaluation_recent'`;
    return (await session.query<{ rows: number }>(count)).rows[0]?.rows ?? 0;
  };
  await session.query('vacuum (analyze)');
  await session.query('begin');
  for (let time = 0; time < 8; time += 1) await refresh(1, true);
  await session.query(`create function takes_long() returns trigger language plpgsql as 'begin perform pg_sleep(0.6); return new; end';
    create trigger takes_long before insert on pgscore_data.refresh_log for each row execute function takes_long()`);
  await refresh(3000, false);
  const before = await read();
  await refresh(10, true);
  expect((await read()) - before).toBe(0);
  await session.query('commit');
});
