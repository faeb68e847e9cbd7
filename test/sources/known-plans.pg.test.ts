import { describe, expect, test } from '@jest/globals';
import { cloneDatabase } from '../support/database.ts';
import { addReadyModel } from '../support/ready-model.ts';
import { refusal } from '../support/refusal.ts';

const database = await cloneDatabase();
const superuser = await database.client();
const [alice, bob] = await Promise.all([database.client('alice'), database.client('bob')]);
await addReadyModel(superuser, 'first');
await addReadyModel(superuser, 'second');

type Planned = { run: string; known: boolean; handle: string; columns: { name: string; sql_type: string }[] };

let tables = 0;

async function table(columns = 'id int primary key, x real, y real'): Promise<string> {
  tables += 1;
  const name = `source_${tables}`;
  const text = `create table ${name} (${columns})`;
  await alice.query(text);
  return name;
}

/** What a request came to, and whether that was known before. */
async function score(source: string, options = '', model = 'first'): Promise<Planned> {
  const text = `select pgscore.score_table($1, $2${options}) as run`;
  const { rows } = await alice.query<{ run: string }>(text, [model, source]);
  const { rows: planned } = await superuser.query<Planned>(
    `select r.run_id as run, r.plan is null as known, r.handle_id as handle, coalesce(r.plan, k.plan) -> 'columns' as columns
       from pgscore_data.run r left join pgscore_data.known_plan k using (plan_id) where r.run_id = $1`,
    [rows[0]?.run],
  );
  return planned[0] as Planned;
}

describe('a request that was made before', () => {
  test('is not planned again, and reads through the same handle', async () => {
    const source = await table();
    const [first, again] = [await score(source), await score(source)];
    expect([first.known, again.known]).toEqual([false, true]);
    expect(again).toMatchObject({ handle: first.handle, columns: first.columns });
  });

  test('says how large the source is now', async () => {
    const source = await table();
    await score(source);
    const fill = `insert into ${source} select n, n from generate_series(1, 2000) n`;
    await alice.query(fill);
    const analyze = `analyze ${source}`;
    await alice.query(analyze);
    const { run } = await score(source);
    const { rows } = await superuser.query(
      'select pages > 5 as grown, rows_expected from pgscore_data.run where run_id = $1',
      [run],
    );
    expect(rows).toEqual([{ grown: true, rows_expected: '2000' }]);
  });

  test('is another, and planned, with another model, key, target, map or time', async () => {
    const source = await table('id int primary key, other int, x real, y real, at timestamp');
    await score(source);
    for (const [options, model] of [
      ['', 'second'],
      [`, key => 'other', target => 'by_other'`],
      [`, target => 'elsewhere'`],
      [`, column_map => '{"x": "y"}'`],
      [`, event_time => 'at'`],
    ]) {
      expect(await score(source, options, model)).toMatchObject({ known: false });
      expect(await score(source, options, model)).toMatchObject({ known: true });
    }
    await alice.query(`set time zone 'Asia/Kolkata'`);
    expect(await score(source, `, event_time => 'at'`)).toMatchObject({ known: false });
    await alice.query('reset time zone');
  });
});

describe('a plan does not outlive what it was made for', () => {
  test.each([
    [
      'a column of another type',
      'alter table $ alter column x type double precision',
      { sql_type: 'double precision' },
    ],
    ['another primary key', 'alter table $ drop constraint $_pkey, add column n int primary key', { name: 'n' }],
    ['a column by the name of another', 'alter table $ rename x to z; alter table $ rename y to x', { name: 'x' }],
  ])('%s is planned anew', async (_, change, expected) => {
    const source = await table();
    await score(source);
    await alice.query(change.replaceAll('$', source));
    const target = `, target => 'changed_${source}'`;
    const { known, columns } = await score(source, target);
    expect(known).toBe(false);
    expect(columns).toContainEqual(expect.objectContaining(expected));
  });

  test('a schema by the name of another is not taken for it', async () => {
    await superuser.query('create schema blue authorization alice; create schema green authorization alice');
    for (const schema of ['blue', 'green']) {
      const create = `create table ${schema}.swapped (id int primary key, x real)`;
      await alice.query(create);
    }
    await score('blue.swapped', `, target => 'of_blue'`);
    await superuser.query('alter schema blue rename to red; alter schema green rename to blue');
    const { run, known } = await score('red.swapped', `, target => 'of_blue'`);
    const { rows } = await superuser.query('select source_schema from pgscore_data.run where run_id = $1', [run]);
    expect({ known, rows }).toEqual({ known: false, rows: [{ source_schema: 'red' }] });
  });

  test('a key of one column is not taken for one of two that the same index holds', async () => {
    const source = await table('id int, x real, y int, primary key (id) include (y)');
    await score(source);
    const alter = `alter table ${source} drop constraint ${source}_pkey, add primary key (id, y)`;
    await alice.query(alter);
    expect(await refusal(alice, `select pgscore.score_table('first', $1)`, [source])).toMatchObject({ code: '42804' });
  });

  test.each([
    ['the type of a key', 'mood', 'alter type mood rename to feeling'],
    ['a type under that of a key', 'nuance', 'alter type shade rename to tone'],
  ])('%s by another name is noticed', async (_, type, rename) => {
    await superuser.query('grant usage on schema alice to pgscore_owner, pgscore_service');
    await alice.query(
      type === 'mood'
        ? `create type mood as enum ('a')`
        : `create type shade as enum ('a'); create domain nuance as shade`,
    );
    const source = await table(`id ${type} primary key, x real`);
    await score(source);
    await alice.query(rename);
    expect(await refusal(alice, `select pgscore.score_table('first', $1)`, [source])).toMatchObject({ code: '42804' });
  });

  test('the same target is refused once the key has another type', async () => {
    const source = await table();
    await score(source);
    const alter = `alter table ${source} alter column id type bigint`;
    await alice.query(alter);
    expect(await refusal(alice, `select pgscore.score_table('first', $1)`, [source])).toMatchObject({ code: '42804' });
  });

  test('a feature that is gone is missed', async () => {
    const source = await table();
    await score(source);
    const alter = `alter table ${source} drop column x`;
    await alice.query(alter);
    expect(await refusal(alice, `select pgscore.score_table('first', $1)`, [source])).toMatchObject({ code: '42703' });
  });

  test('a source under row-level security, one with children, and one that has grown are planned each time', async () => {
    const [secured, parent, large] = [await table(), await table(), await table()];
    for (const source of [secured, parent, large]) await score(source);
    const changes = [
      `alter table ${secured} enable row level security`,
      `create table ${parent}_child () inherits (${parent})`,
      `insert into ${large} select n, n from generate_series(1, 40000) n`,
    ];
    for (const change of changes) await alice.query(change);
    for (const source of [secured, parent, large]) expect(await score(source)).toMatchObject({ known: false });
  });

  test('a right that was taken away is missed', async () => {
    const source = await table();
    const grant = `grant usage on schema alice to bob; grant select on ${source} to bob`;
    await alice.query(grant);
    const submit = `select pgscore.score_table('first', 'alice.${source}', target => 'of_${source}')`;
    await bob.query(submit);
    const revoke = `revoke select on ${source} from bob`;
    await alice.query(revoke);
    expect(await refusal(bob, submit)).toMatchObject({ code: '42501' });
  });

  test('a view of the target that was dropped is made again', async () => {
    const source = await table();
    await score(source);
    const drop = `drop view ${source}_scores_history`;
    await alice.query(drop);
    await score(source);
    const { rows } = await alice.query('select to_regclass($1) is not null as there', [`${source}_scores_history`]);
    expect(rows).toEqual([{ there: true }]);
  });

  test('a read handle that is gone, or that somebody has overloaded, is made again', async () => {
    const source = await table();
    for (const change of [
      'drop function pgscore_sources.$(tid, tid)',
      'create function pgscore_sources.$(tid, text) returns int return 1',
    ]) {
      const { handle } = await score(source);
      const { rows } = await superuser.query<{ name: string }>(
        'select name from pgscore_data.handle where handle_id = $1',
        [handle],
      );
      await alice.query(change.replaceAll('$', rows[0]?.name ?? ''));
      expect((await score(source)).handle).not.toBe(handle);
    }
  });

  test('a read handle that belongs to another role, as after the name of a role was given anew, is not hers', async () => {
    const source = await table();
    const { handle } = await score(source);
    const { rows } = await superuser.query<{ name: string }>(
      'select name from pgscore_data.handle where handle_id = $1',
      [handle],
    );
    const give = `alter function pgscore_sources.${rows[0]?.name}(tid, tid) owner to bob`;
    await superuser.query(give);
    expect((await score(source)).handle).not.toBe(handle);
  });

  test('it goes with its read handle, its version or its target', async () => {
    const source = await table();
    const { handle } = await score(source);
    await score(source);
    await superuser.query(`update pgscore_data.run set state = 'cancelled' where handle_id = $1`, [handle]);
    await superuser.query('select pgscore_data._drop_handle($1)', [handle]);
    const { rows } = await superuser.query('select from pgscore_data.known_plan where handle_id = $1', [handle]);
    expect(rows).toEqual([]);
    expect((await score(source)).known).toBe(false);
  });
});

describe('a plan is known to who asked for it', () => {
  test('only: another role neither sees nor names it', async () => {
    const source = await table();
    await score(source);
    const { run } = await score(source);
    const { rows } = await superuser.query(
      'select version_id, target_id, source_schema, source_name, source_kind, handle_id, plan_id from pgscore_data.run where run_id = $1',
      [run],
    );
    const insert = `insert into pgscore._run_request (version_id, target_id, source_schema, source_name, source_kind, handle_id, plan_id, rls)
      values ($1, $2, $3, $4, $5, $6, $7, 'error')`;
    const hers = Object.values(rows[0] as object);
    expect(await refusal(bob, insert, hers)).toMatchObject({ code: '42501' });
    const own = 'create table if not exists own (id int primary key, x real)';
    await bob.query(own);
    await bob.query(`select pgscore.score_table('first', 'own')`);
    const { rows: his } = await superuser.query(
      `select version_id, target_id, source_schema, source_name, source_kind, handle_id from pgscore_data.run where requested_by = 'bob' order by run_id desc limit 1`,
    );
    expect(await refusal(bob, insert, [...Object.values(his[0] as object), hers.at(-1)])).toMatchObject({
      code: '22023',
      message: 'the plan does not fit the version and the target',
    });
    expect((await bob.query(`select from pgscore._known_plan where owner <> 'bob'`)).rows).toEqual([]);
  });
});

test('a run that waits reads by the plan that it was accepted with, whatever its owner plans since', async () => {
  const source = await table();
  await score(source);
  const { run, handle, columns } = await score(source);
  const { rows: digests } = await alice.query('select plan_digest from pgscore._known_plan where handle_id = $1', [
    handle,
  ]);
  const other = await table('id text primary key, x real');
  const { run: otherRun } = await score(other);
  const { rows } = await superuser.query(
    'select version_id, target_id, source_schema, source_name, source_kind, handle_id, plan from pgscore_data.run where run_id = $1',
    [otherRun],
  );
  await alice.query(
    `insert into pgscore._run_request (version_id, target_id, source_schema, source_name, source_kind, handle_id, plan, plan_digest, rls)
     values ($1, $2, $3, $4, $5, $6, $7, $8, 'error')`,
    [...Object.values(rows[0] as object), digests[0]?.plan_digest],
  );
  await superuser.query('update pgscore_data.run set state = $1 where run_id <> $2', ['cancelled', run]);
  await superuser.query('select pgscore_data._drop_handle(handle_id) from pgscore_data.handle');
  const { rows: planned } = await superuser.query(
    `select k.plan -> 'columns' as columns from pgscore_data.run join pgscore_data.known_plan k using (plan_id) where run_id = $1`,
    [run],
  );
  expect(planned).toEqual([{ columns }]);
});

test('a size that no table has is refused with a known plan too', async () => {
  const source = await table();
  await score(source);
  const { run } = await score(source);
  const { rows } = await superuser.query(
    'select version_id, target_id, source_schema, source_name, source_kind, handle_id, plan_id from pgscore_data.run where run_id = $1',
    [run],
  );
  const insert = `insert into pgscore._run_request (version_id, target_id, source_schema, source_name, source_kind, handle_id, plan_id, rls, pages, rows_expected)
    values ($1, $2, $3, $4, $5, $6, $7, 'error', $8, $9)`;
  for (const [pages, rowsExpected] of [
    [-1, 1],
    ['9223372036854775807', 1],
    [1, -1],
  ]) {
    const said = [...Object.values(rows[0] as object), pages, rowsExpected];
    expect(await refusal(alice, insert, said)).toMatchObject({ code: '22023' });
  }
});
