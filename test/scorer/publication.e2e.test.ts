import { describe, expect, test } from '@jest/globals';
import { cloneDatabase } from '../support/database.ts';
import { deployBytes } from '../support/deploy.ts';
import { endOfRun, scoreTable, submitRun, type RunState } from '../support/run.ts';
import { startTestService } from '../support/service.ts';
import { waitFor } from '../support/wait-for.ts';
import { weightedModel } from '../support/weighted-model.ts';

const database = await cloneDatabase();
const service = await startTestService(database, { PGSCORE_POLL: '0.4', PGSCORE_BATCH_ROWS: '10' });
const [ada, alice, holder, superuser] = await Promise.all([
  database.client('ada'),
  database.client('alice'),
  database.client(),
  database.client(),
]);
await deployBytes(ada, 'same', weightedModel({ a: 'float32' }));
await deployBytes(ada, 'counts', weightedModel({ n: 'int32' }));
await deployBytes(ada, 'says', weightedModel({ says: 'string' }));
await alice.query('create table small (id int primary key, a real)');
await alice.query('insert into small values (1, 5)');

type Seen = { latest: number; history: number };

async function predictionsOf(target: string): Promise<Seen | undefined> {
  const text = `select (select count(*)::int from ${target}) as latest, (select count(*)::int from ${target}_history) as history`;
  return (await alice.query<Seen>(text)).rows[0];
}

test('many runs over one target at once each replace the one before', async () => {
  const runs: string[] = [];
  while (runs.length < 30) runs.push(await submitRun(alice, 'same', 'small', { target: 'often' }));
  for (const run of runs) expect(await endOfRun(alice, run)).toMatchObject({ state: 'done', attempt: 1 });
  expect(await predictionsOf('often')).toEqual({ latest: 1, history: 30 });
});

test('a target that changed between the claim of a run and its publication is taken as it is', async () => {
  const first = await submitRun(alice, 'same', 'small', { target: 'overtaken' });
  expect(await endOfRun(alice, first)).toMatchObject({ state: 'done', published: true });
  await holder.query('begin');
  await holder.query("update pgscore_data.target set current_snapshot_at = 'infinity' where view_name = 'overtaken'");
  const late = await submitRun(alice, 'same', 'small', { target: 'overtaken' });
  await waitFor(
    async () => {
      const { rowCount } = await holder.query(
        "select from pg_stat_activity where datname = current_database() and application_name = 'pgscore scorer' and wait_event_type = 'Lock'",
      );
      return rowCount === 1;
    },
    { timeout: 10_000, message: 'the publication to wait for the target' },
  );
  await holder.query('commit');
  expect(await endOfRun(alice, late)).toMatchObject({ state: 'done', published: false, attempt: 1 });
  expect(await predictionsOf('overtaken')).toEqual({ latest: 1, history: 2 });
  const { rows } = await alice.query('select run_id from overtaken');
  expect(rows).toEqual([{ run_id: first }]);
});

test.each([
  ['to be the latest', true],
  ['for the history only', false],
])('a small run %s over a view with a key twice fails and leaves no prediction', async (_, publish) => {
  await alice.query('create or replace view doubled as select id, a from small union all select id, a + 1 from small');
  const target = `doubled_${publish}`;
  const run = await submitRun(alice, 'same', 'doubled', { key: 'id', target, publish });
  expect(await endOfRun(alice, run)).toMatchObject({ state: 'failed', error_code: 'duplicate_key', published: null });
  expect(await predictionsOf(target)).toEqual({ latest: 0, history: 0 });
});

async function generations(target: string): Promise<number[]> {
  const { rows } = await holder.query<{ generation: number }>(
    `select g.generation from pgscore_data.generation g join pgscore_data.target t using (target_id)
      where t.view_name = $1 order by 1`,
    [target],
  );
  return rows.map(({ generation }) => generation);
}

test('the rows of a batch are as set: a run of more than one batch gets a generation of its own', async () => {
  await alice.query('create table t as select i as id, 1::real as a from generate_series(1, 10) i');
  await scoreTable(alice, 'same', 't', { key: 'id', target: 'one_batch' });
  expect(await generations('one_batch')).toEqual([0, 1]);
  await alice.query('insert into t select 11, 1');
  await scoreTable(alice, 'same', 't', { key: 'id', target: 'two_batches' });
  expect(await generations('two_batches')).toEqual([0, 1, 2]);
});

test('the session that read a table through a view of one run reads it through that of the next', async () => {
  // More than 1 MB, so that its handle is a view, and less than 4 MB, so that it is read in one piece.
  await alice.query(
    `create table middle as select i as id, 1::real as a, repeat('x', 400) as filler from generate_series(1, 5000) i`,
  );
  for (const _ of [1, 2, 3]) {
    expect(await scoreTable(alice, 'same', 'middle', { key: 'id' })).toMatchObject({
      state: 'done',
      rows_done: '5000',
    });
  }
});

describe('runs that are published together', () => {
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
      const [, hindrance, prompt] = await submitTogether([
        { name: 'one' },
        { name, rls: 'filter' },
        { name: 'prompt' },
      ]);
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
});
