import { expect, test } from '@jest/globals';

import { cloneDatabase } from '../support/database.ts';
import { deployBytes } from '../support/deploy.ts';
import { endOfRun, submitRun, type RunState } from '../support/run.ts';
import { startTestService } from '../support/service.ts';
import { waitFor } from '../support/wait-for.ts';
import { weightedModel } from '../support/weighted-model.ts';

const database = await cloneDatabase();
const service = await startTestService(database, { PGSCORE_POLL: '0.2' });
const [ada, alice, holder, superuser] = await Promise.all([
  database.client('ada'),
  database.client('alice'),
  database.client(),
  database.client(),
]);
await deployBytes(ada, 'same', weightedModel({ a: 'float32' }));
await deployBytes(ada, 'counts', weightedModel({ n: 'int32' }));
await deployBytes(ada, 'says', weightedModel({ says: 'string' }));

/** A table of one row, whose prediction is `value`. */
async function table(name: string, value: number): Promise<void> {
  const create = `create table ${name} as select 1 as id, ${value}::real as a`;
  await alice.query(create);
}

type Source = { readonly name: string; readonly model?: string; readonly rls?: string };

/** Submits runs that the service gets to know of all at once: the first alone, as a scorer is idle, the others while it works. */
async function submitTogether(sources: readonly Source[]): Promise<string[]> {
  const runs: string[] = [];
  await alice.query('begin');
  for (const { name, model = 'same', rls = 'error' } of sources)
    runs.push(await submitRun(alice, model, name, { key: 'id', rls }));
  await alice.query('commit');
  return runs;
}

async function ends(runs: readonly string[]): Promise<RunState[]> {
  const states: RunState[] = [];
  for (const run of runs) states.push(await endOfRun(superuser, run));
  return states;
}

async function scoresOf(names: readonly string[]): Promise<number[][]> {
  const scores: number[][] = [];
  for (const name of names) {
    const select = `select score from ${name}_scores_history order by run_id`;
    const { rows } = await alice.query<{ score: number }>(select);
    scores.push(rows.map(({ score }) => score));
  }
  return scores;
}

/** The transactions that wrote the predictions of a source. */
async function writersOf(name: string): Promise<string[]> {
  const { rows: targets } = await superuser.query<{ target: number }>(
    'select target_id as target from pgscore_data.target where view_name = $1',
    [`${name}_scores`],
  );
  const select = `select distinct xmin::text as writer from pgscore_predictions.target_${targets[0]?.target}`;
  const { rows } = await superuser.query<{ writer: string }>(select);
  return rows.map(({ writer }) => writer);
}

/**
 * Submits runs that are published together, of which the first to be published waits for its target: until the holder
 * commits. Targets are taken in the order in which they were made.
 */
async function submitHeld(held: string, others: readonly string[]): Promise<string[]> {
  await ends(await submitTogether([{ name: held }]));
  await holder.query('begin');
  await holder.query('select from pgscore_data.target where view_name = $1 for no key update', [`${held}_scores`]);
  const runs = await submitTogether(['one', held, ...others].map((name) => ({ name })));
  await waitFor(
    async () => {
      const { rowCount } = await superuser.query(
        "select from pg_stat_activity where datname = current_database() and application_name = 'pgscore scorer' and wait_event_type = 'Lock'",
      );
      return rowCount === 1;
    },
    { timeout: 10_000, message: 'a scorer to wait for the target' },
  );
  return runs.slice(1);
}

test('small runs that wait together are published in one transaction, each in its own target', async () => {
  const names = ['one', 'two', 'three', 'four'];
  for (const [n, name] of names.entries()) await table(name, n);
  const runs = await submitTogether(names.map((name) => ({ name })));
  for (const end of await ends(runs)) expect(end).toMatchObject({ state: 'done', attempt: 1, rows_done: '1' });
  expect(await scoresOf(names)).toEqual([[0], [1], [2], [3]]);
  const writers = new Set<string>();
  for (const name of names.slice(1)) for (const writer of await writersOf(name)) writers.add(writer);
  expect(writers.size).toBe(1);
});

test('one that fails takes no other along', async () => {
  await table('sound', 1);
  await table('sounder', 2);
  await alice.query('create table twice as select 1 as id, 3::real as a union all select 1, 4');
  await alice.query('create table gaps as select i as id, nullif(i, 1) as n from generate_series(0, 1) i');
  const runs = await submitTogether([
    { name: 'sound' },
    { name: 'twice' },
    { name: 'gaps', model: 'counts' },
    { name: 'sounder' },
  ]);
  const [sound, twice, gaps, sounder] = await ends(runs);
  expect([sound, sounder]).toEqual([
    expect.objectContaining({ state: 'done', attempt: 1, rows_done: '1' }),
    expect.objectContaining({ state: 'done', attempt: 1, rows_done: '1' }),
  ]);
  expect(twice).toMatchObject({ state: 'failed', error_code: 'duplicate_key' });
  expect(gaps).toMatchObject({ state: 'done', rows_done: '2', rows_failed: '1' });
  expect(await scoresOf(['sound', 'sounder', 'twice'])).toEqual([[1], [2], []]);
});

test('one whose few rows are large goes its own way', async () => {
  await table('slight', 5);
  await alice.query("create table long as select 1 as id, repeat('x', 3000000) as says");
  const runs = await submitTogether([{ name: 'one' }, { name: 'long', model: 'says' }, { name: 'slight' }]);
  for (const end of await ends(runs)) expect(end).toMatchObject({ state: 'done', attempt: 1, rows_done: '1' });
  expect(await scoresOf(['long', 'slight'])).toEqual([[-1], [5]]);
});

test('one that is cancelled before its turn is, and the others go on', async () => {
  for (const [n, name] of ['held', 'kept', 'dropped'].entries()) await table(name, n);
  const runs = await submitHeld('held', ['kept', 'dropped']);
  await alice.query('select pgscore.cancel_run($1)', [runs[2]]);
  await holder.query('commit');
  const states = (await ends(runs)).map(({ state }) => state);
  expect(states).toEqual(['done', 'done', 'cancelled']);
  expect(await scoresOf(['held', 'kept', 'dropped'])).toEqual([[0, 0], [1], []]);
});

test('one whose policy takes its time, or breaks the connection off, holds no other up and costs it no try', async () => {
  for (const [n, name] of ['dawdling', 'breaking', 'prompt'].entries()) await table(name, n);
  await alice.query(`
    create function dawdle() returns boolean language plpgsql as $$ begin perform pg_sleep(60); return true; end $$;
    create function give_way() returns boolean language plpgsql as $$ begin raise 'gone' using errcode = '57P01'; end $$;
    alter table dawdling enable row level security; alter table dawdling force row level security;
    alter table breaking enable row level security; alter table breaking force row level security;
    create policy dawdles on dawdling using (dawdle());
    create policy breaks on breaking using (give_way())`);
  for (const name of ['dawdling', 'breaking']) {
    const [, hindrance, prompt] = await submitTogether([{ name: 'one' }, { name, rls: 'filter' }, { name: 'prompt' }]);
    expect(await endOfRun(superuser, prompt ?? '')).toMatchObject({ state: 'done', attempt: 1 });
    await alice.query('select pgscore.cancel_run($1)', [hindrance]);
    expect(['cancelled', 'failed']).toContain((await endOfRun(superuser, hindrance ?? '')).state);
  }
  expect(await scoresOf(['prompt'])).toEqual([[2, 2]]);
});

test('a scorer that dies with them loses and doubles no prediction', async () => {
  for (const [n, name] of ['locked', 'here', 'there'].entries()) await table(name, n);
  const runs = await submitHeld('locked', ['here', 'there']);
  for (const pid of await service.scorerPids()) process.kill(pid, 'SIGKILL');
  await holder.query('commit');
  const states = (await ends(runs)).map(({ state }) => state);
  expect(states).toEqual(['done', 'done', 'done']);
  expect(await scoresOf(['locked', 'here', 'there'])).toEqual([[0, 0], [1], [2]]);
});
