import { beforeAll, describe, expect, test } from '@jest/globals';

import { cloneDatabase } from '../support/database.ts';
import { addReadyModel } from '../support/ready-model.ts';
import { refusal } from '../support/refusal.ts';

const database = await cloneDatabase();
const [superuser, alice, mallory] = await Promise.all([
  database.client(),
  database.client('alice'),
  database.client('mallory'),
]);

type Watch = { watch_id: number; target_id: number; capture: string };

/** The watch of a role, with the function of its triggers. */
async function watchOf(role: string): Promise<Watch> {
  const { rows } = await superuser.query<Watch>(
    `select w.watch_id, w.target_id, (select p.proname from pg_proc p where p.proname like 'capture_watch_' || w.watch_id || '\\_%') as capture
       from pgscore_data.watch w where w.owner = $1`,
    [role],
  );
  const [row] = rows;
  if (row === undefined) throw new Error(`${role} has no watch`);
  return row;
}

async function queue(): Promise<unknown[]> {
  const { rows } = await superuser.query(
    'select watch_id, keys from pgscore_data.watch_change order by watch_id, keys',
  );
  return rows;
}

beforeAll(async () => {
  await addReadyModel(superuser, 'line');
  for (const client of [alice, mallory]) {
    await client.query('create table rows (id bigint primary key, x real)');
    await client.query(`select pgscore.watch('line', 'rows', target => 'live')`);
  }
});

describe(`the watch of another role`, () => {
  test('has triggers whose function nobody else can use', async () => {
    const { capture } = await watchOf('alice');
    const text = `create trigger mine after insert on rows referencing new table as fresh for each statement
      execute function pgscore_sources.${capture}()`;
    expect(await refusal(mallory, text)).toMatchObject({ code: '42501' });
  });

  test.each([
    [
      'triggers',
      `insert into pgscore._capture_request (purpose, id, relation, key_columns) values ('watch', $1, 'rows', '{id}')`,
    ],
    [
      'a plan',
      `insert into pgscore._renewal_request (watch_id, version_id, plan, handle_id, scan_handle_id) values ($1, 1, '{}', 1, 1)`,
    ],
    ['commands', `insert into pgscore._watch_command (action, watch_id) values ('drop', $1)`],
    ['a renewal', 'select pgscore._renew_watch($1)'],
  ])('takes no %s', async (_what, text) => {
    const { watch_id: watch } = await watchOf('alice');
    const { code } = await refusal(mallory, text, [watch]);
    expect(['42501', '42704', '22023']).toContain(code);
  });

  test('cannot be overwritten by its target', async () => {
    const { target_id: target } = await watchOf('alice');
    expect(await refusal(mallory, REQUEST, values({ target_id: target }))).toMatchObject({ code: '42501' });
  });

  test('is not seen, nor its queue', async () => {
    const seen = await mallory.query(
      'select owner from pgscore.watches union all select requested_by from pgscore._watch_request',
    );
    expect(seen.rows).toEqual([{ owner: 'mallory' }, { owner: 'mallory' }]);
    expect(await refusal(mallory, 'select from pgscore_data.watch_change')).toMatchObject({ code: '42501' });
  });
});

const REQUEST = `insert into pgscore._watch_request (model, target_id, source, arguments, tables, capture, poll_every, on_promote, notify)
  values ($1, $2, $3, $4, $5, $6, $7, $8, $9)`;

/** A request that would be taken, but for what is given. */
function values(given: Record<string, unknown>): unknown[] {
  const usual = {
    model: 'line',
    target_id: 0,
    source: 'mallory.rows',
    arguments: { rls: 'error', time_zone: 'UTC', key: ['id'] },
    tables: '[]',
    capture: 'poll',
    poll_every: '1 min',
    on_promote: 'rescore',
    notify: null,
  };
  return Object.values({ ...usual, ...given });
}

describe('a request that goes round watch() cannot stop the watches of others', () => {
  test.each([
    { source: '1 2' },
    { source: 'rows' },
    { source: 'a.b.c' },
    { tables: '{}' },
    { tables: '["x"]' },
    { tables: '[{"table": "rows"}]' },
    { tables: '[{"table": "1 2"}]' },
    { arguments: '[]' },
    { arguments: { rls: 'no' } },
    { poll_every: '0' },
    { poll_every: '-1 year' },
    { notify: 'pgscore' },
    { capture: 'auto' },
    { capture: 'x' },
    { on_promote: 'x' },
  ])('%j', async (given) => {
    const { target_id: target } = await watchOf('mallory');
    const { code } = await refusal(mallory, REQUEST, values({ target_id: target, ...given }));
    expect(code).toMatch(/^(22|23|42)/);
    expect((await superuser.query(`select * from pgscore_data._due_watches('{}')`)).rows).toEqual(expect.any(Array));
  });

  test.each([`'{}'`, `'{id,x}'`, `'{no}'`, 'null', `'{null}'`])('a key of %s', async (key) => {
    const { watch_id: watch } = await watchOf('mallory');
    const text = `insert into pgscore._capture_request (purpose, id, relation, key_columns) values ('watch', $1, 'rows', ${key})`;
    expect(await refusal(mallory, text, [watch])).toMatchObject({ hint: expect.stringContaining('watch') });
  });
});

test('a function that waits under the name of a capture function is not taken for it', async () => {
  const { capture } = await watchOf('alice');
  const { rows } = await superuser.query<{ body: string }>(`select prosrc as body from pg_proc where proname = $1`, [
    capture,
  ]);
  const drop = `drop function pgscore_sources.${capture}() cascade`;
  await superuser.query(drop);
  const body = mallory.escapeLiteral(rows[0]?.body ?? '');
  const create = `create function pgscore_sources.${capture}() returns trigger language plpgsql as ${body}`;
  await mallory.query(create);
  const { watch_id: watch } = await watchOf('alice');
  await alice.query('select pgscore._renew_watch($1)', [watch]);
  await mallory.query(drop);
  const owners = `select distinct p.proowner::regrole::text as owner from pg_trigger t join pg_proc p on p.oid = t.tgfoid
    where t.tgrelid = 'alice.rows'::regclass`;
  expect((await superuser.query(owners)).rows).toEqual([{ owner: 'pgscore_owner' }]);
});

test('no name of a capture function can be guessed from those of others', async () => {
  const { rows } = await superuser.query(
    `select count(distinct right(proname, 16))::int as n from pg_proc where proname ~ '^capture_watch_[0-9]+_[0-9]+_[0-9a-f]{16}$'`,
  );
  expect(rows).toEqual([{ n: 2 }]);
});

describe('no code of a user runs as pgscore_owner while rows are captured', () => {
  /** Functions that raise where they are called by pgscore_owner, behind all that a type of a user can have called. */
  beforeAll(async () => {
    await mallory.query(`
      create function trap() returns boolean language plpgsql as $$
        begin
          if current_user <> 'mallory' then raise exception 'called as %', current_user; end if;
          return true;
        end $$;
      create type pair as (a int, b int);
      create function pair_is(pair, pair) returns boolean language sql as 'select mallory.trap()';
      create function bigint_is(bigint, text) returns boolean language sql as 'select mallory.trap()';
      create function text_of(pair) returns text language sql as $$ select mallory.trap()::text $$;
      create operator = (leftarg = pair, rightarg = pair, function = pair_is);
      create operator <> (leftarg = pair, rightarg = pair, function = pair_is);
      create operator *<> (leftarg = pair, rightarg = pair, function = pair_is);
      create operator = (leftarg = bigint, rightarg = text, function = bigint_is);
      create cast (pair as text) with function text_of(pair) as implicit;
      create domain checked as real check (trap());
      create table typed (id bigint primary key, x checked, p pair);
      create function rows_trap() returns trigger language plpgsql as $$ begin perform mallory.trap(); return new; end $$;
      create trigger before_all before insert or update on typed for each row execute function rows_trap()`);
    await mallory.query(`select pgscore.watch('line', 'typed', target => 'typed_live')`);
  });

  test('by types, operators, casts, domains and triggers of hers', async () => {
    await superuser.query('truncate pgscore_data.watch_change');
    await mallory.query(`insert into typed values (1, 1, '(1,2)'), (2, 2, '(3,4)')`);
    await mallory.query(`update typed set p = '(5,6)', x = x + 1`);
    await mallory.query('delete from typed where id = 2');
    const { rows } = await superuser.query(
      'select k from pgscore_data.watch_change cross join unnest(keys) k order by k',
    );
    expect(rows.map(({ k }) => k)).toEqual(['1', '1', '2', '2', '2']);
    await superuser.query('truncate pgscore_data.watch_change');
  });

  test('by a search_path of the writer', async () => {
    await mallory.query(`
      create function concat(bigint) returns text language sql as $$ select mallory.trap()::text $$;
      set search_path = mallory, pg_catalog;
      insert into rows values (10, 1);
      reset search_path`);
    expect(await queue()).toEqual([expect.objectContaining({ keys: ['10'] })]);
    await superuser.query('truncate pgscore_data.watch_change');
  });

  test('by tables of hers in pg_temp', async () => {
    await mallory.query(`
      create temp table fresh (id bigint); insert into fresh values (666);
      create temp table watch_change (watch_id int, keys text[]);
      insert into rows values (11, 1);
      drop table pg_temp.fresh, pg_temp.watch_change`);
    expect(await queue()).toEqual([expect.objectContaining({ keys: ['11'] })]);
  });
});

test('keys are those of the changed rows, in any spelling of the session that writes', async () => {
  await superuser.query('truncate pgscore_data.watch_change');
  await alice.query('create table days (id date, at timestamptz, x real, primary key (id, at))');
  await alice.query(`select pgscore.watch('line', 'days', target => 'days_live')`);
  await alice.query(`set datestyle = 'German'; set timezone = 'Asia/Tokyo'; set intervalstyle = 'sql_standard';
    insert into days values ('31.12.2025', '1.1.2026 09:00:00+09', 1); reset all`);
  expect(await queue()).toEqual([expect.objectContaining({ keys: ['{2025-12-31,"2026-01-01 00:00:00+00"}'] })]);
});

test('tables that each have two parents are met once, not once for each way to them', async () => {
  const levels = Array.from({ length: 24 }, (_, level) => {
    const parents = level === 0 ? 'rows' : `a${level - 1}, b${level - 1}`;
    return `create table a${level} () inherits (${parents}); create table b${level} () inherits (${parents})`;
  });
  for (const level of levels) await mallory.query(level);
  await superuser.query(`set statement_timeout = '10s'`);
  const { rows } = await superuser.query(
    `select (select count(*)::int from pgscore._leaves('mallory.rows')) as leaves,
       (select count(*)::int from pgscore._relations_of('mallory.rows')) as relations`,
  );
  expect(rows).toEqual([{ leaves: 49, relations: 49 }]);
  await superuser.query(`select pgscore._runs_code_when_planned('mallory.rows')`);
  await superuser.query(`select work from pgscore_data._due_watches('{}')`);
  await superuser.query('reset statement_timeout');
});

test('a session can lower the bound of the queue that all share, and not raise it', async () => {
  const bounds = async (setting: string, target: string): Promise<unknown[]> => {
    await mallory.query(`select set_config('pgscore.watch_queue_bytes', $1, false)`, [setting]);
    await mallory.query(`select pgscore.watch('line', 'rows', target => $1)`, [target]);
    const { rows } = await superuser.query<{ body: string }>(
      `select prosrc as body from pg_proc where proname ~ '^capture_watch_' order by oid desc limit 1`,
    );
    const found = rows[0]?.body.matchAll(/pg_relation_size\('pgscore_data.watch_change'\) > (\d+)/g) ?? [];
    return [...new Set(Array.from(found, ([, bytes]) => Number(bytes)))];
  };
  expect(await bounds('1GB', 'raised')).toEqual([268_435_456]);
  expect(await bounds('64kB', 'lowered')).toEqual([65_536]);
  await superuser.query(
    `do $$ begin execute format('alter database %I set pgscore.watch_queue_bytes = ''512MB''', current_database()); end $$`,
  );
  expect(await bounds('1GB', 'of_database')).toEqual([536_870_912]);
});
