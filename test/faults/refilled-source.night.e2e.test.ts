import { expect, test } from '@jest/globals';

import { cloneDatabase } from '../support/database.ts';
import { deployBytes } from '../support/deploy.ts';
import { endOfRun, submitRun } from '../support/run.ts';
import { startTestService } from '../support/service.ts';
import { waitFor } from '../support/wait-for.ts';
import { weightedModel } from '../support/weighted-model.ts';
import { PATIENCE_MS } from './long-run.ts';

const SMALL = 100;
/** Rows that fill more than 512 pages, so that they are scored in shards. */
const LARGE = 12_000;

const database = await cloneDatabase();
const [superuser, ada, alice, filler] = await Promise.all([
  database.client(),
  database.client('ada'),
  database.client('alice'),
  database.client('alice'),
]);
await startTestService(database, { PGSCORE_SCORERS: '2', PGSCORE_POLL: '0.2' });
await deployBytes(ada, 'same', weightedModel({ a: 'float32' }));

// A run waits to be released, so that the service finds it only when its source is locked.
await superuser.query("alter table pgscore_data.run alter column lease_until set default 'infinity'");

async function release(...runs: string[]): Promise<void> {
  await superuser.query('update pgscore_data.run set lease_until = null where run_id = any($1)', [runs]);
}

const TABLE = (name: string): string => `create table ${name} (id int primary key, a real, filler text)`;

/** Rows whose predictions are all `a`. */
async function fill(name: string, rows: number, a: number): Promise<void> {
  const insert = `insert into ${name} select i, ${a}, repeat('x', 400) from generate_series(1, ${rows}) i`;
  await filler.query(insert);
}

const SECURE = (table: string): string =>
  `alter table ${table} enable row level security; alter table ${table} force row level security; create policy all_of_them on ${table} using (a > 0)`;
const PARTITIONED = `create table parts (id int primary key, a real, filler text) partition by range (id);
  create table parts_1 partition of parts for values from (-100) to (0); create table parts_2 partition of parts default`;

const FILTER = { rls: 'filter' };

type Case = {
  kind: string;
  table: string;
  rows: number;
  before?: string;
  after?: string;
  source?: string;
  options?: Record<string, unknown>;
};

const CASES: Case[] = [
  { kind: 'a small table', table: 'small', rows: SMALL },
  { kind: 'a table read in one piece through a view', table: 'middle', rows: 4_000 },
  { kind: 'a large table', table: 'large', rows: LARGE },
  { kind: 'a partition', table: 'parts_2', rows: SMALL, before: PARTITIONED, source: 'parts' },
  {
    kind: 'the table under a view',
    table: 'base',
    rows: SMALL,
    after: 'create view over as select id, a from base where a > 0 group by id, a',
    source: 'over',
    options: { key: 'id' },
  },
  { kind: 'a small table with policies', table: 'secured', rows: SMALL, after: SECURE('secured'), options: FILTER },
  {
    kind: 'a large table with policies',
    table: 'secured_large',
    rows: LARGE,
    after: SECURE('secured_large'),
    options: FILTER,
  },
];

async function readersWait(): Promise<boolean> {
  const { rows } = await superuser.query(
    `select from pg_locks l join pg_stat_activity a using (pid)
      where not l.granted and a.datname = current_database() and a.application_name in ('pgscore reader', 'pgscore snapshot')`,
  );
  return rows.length > 0;
}

test.each(CASES)(
  'a run that waits for somebody who refills $kind scores the new rows',
  async ({ table, rows, before, after, source = table, options = {} }) => {
    await alice.query(before ?? TABLE(table));
    await fill(table, rows, 1);
    if (after !== undefined) await alice.query(after);
    const run = await submitRun(alice, 'same', source, options);
    await filler.query('begin');
    const truncate = `truncate ${table}`;
    await filler.query(truncate);
    await fill(table, rows, 2);
    await release(run);

    await waitFor(readersWait, { timeout: PATIENCE_MS, message: 'the run to wait for the lock' });
    const { rows: times } = await filler.query<{ at: string }>('select clock_timestamp()::text as at');
    await filler.query('commit');
    expect(await endOfRun(alice, run, PATIENCE_MS)).toMatchObject({
      state: 'done',
      rows_done: String(rows),
      attempt: 1,
      error: null,
    });
    const read = `select score, count(*)::int as rows, bool_and(scored_at > $1) as later from ${source}_scores group by score`;
    expect((await alice.query(read, [times[0]?.at])).rows).toEqual([{ score: 2, rows, later: true }]);
  },
);

test('a run whose source stays locked gives up, and says so', async () => {
  const sources = { kept: SMALL, kept_large: LARGE };
  for (const [source, rows] of Object.entries(sources)) {
    await alice.query(TABLE(source));
    await fill(source, rows, 1);
  }
  const runs = await Promise.all(Object.keys(sources).map((source) => submitRun(alice, 'same', source)));
  await filler.query('begin; lock table kept, kept_large');
  await release(...runs);
  for (const run of runs) {
    const end = await endOfRun(alice, run, PATIENCE_MS);
    expect(end).toMatchObject({ state: 'failed', error_code: 'source_locked', published: null });
    expect(end.error).toMatch(/"alice\.kept(_large)?" is locked by another session/);
    expect(end.remedy).toContain('when the session that alters or drops it has ended');
  }
  await filler.query('rollback');
});
