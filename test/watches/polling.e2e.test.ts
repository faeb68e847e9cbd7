import { beforeAll, describe, expect, test } from '@jest/globals';

import { deployModel } from '../support/deploy.ts';
import { scoreFixture } from '../support/score-fixture.ts';
import { waitFor } from '../support/wait-for.ts';
import { differences } from './watching.ts';

const { database, service, superuser, ada, alice, bob } = await scoreFixture({ PGSCORE_POLL: '0.4' });

const COLUMNS = 'sepal_length real, sepal_width real, petal_length real, petal_width real';
const ROW = '4 + i % 4, 3, 1 + i % 6, 0.2 * (i % 10)';

/** Runs a statement whose names the tests choose. */
async function run(text: string): Promise<void> {
  await alice.query(text);
}

async function poll(source: string, options = ''): Promise<void> {
  const text = `select pgscore.watch('iris', '${source}', target => '${source}_live', key => 'id', poll_every => '1 s'${options}) as capture`;
  expect((await alice.query(text)).rows).toEqual([{ capture: 'poll' }]);
}

/** Waits until the source was read once more, and all that differed is scored. */
async function polled(source: string): Promise<void> {
  const { rows } = await superuser.query<{ now: Date }>('select clock_timestamp() as now');
  const isPolled = async (): Promise<boolean> => {
    const { rows: seen } = await superuser.query<{ done: boolean; error: string | null }>(
      `select w.tried_at > $2 and w.compared_at > w.tried_at and s.state = 'following' as done, s.error
         from pgscore.watches s join pgscore_data.target t on s.target = format('%I.%I', t.view_schema, t.view_name)
         join pgscore_data.watch w using (target_id) where s.target = $1`,
      [`alice.${source}_live`, rows[0]?.now],
    );
    if (seen[0]?.error) throw new Error(seen[0].error);
    return seen[0]?.done === true;
  };
  await waitFor(isPolled, { message: `${source} to be polled` });
}

async function follows(source: string): Promise<void> {
  await polled(source);
  expect(await differences(alice, 'iris', source, `${source}_live`)).toEqual([]);
}

type Counts = { scored: number; compared: number };

async function counts(source: string): Promise<Counts> {
  const { rows } = await alice.query<Counts>(
    `select rows_scored::int as scored, rows_compared::int as compared
       from pgscore.watches where target = $1`,
    [`alice.${source}_live`],
  );
  return rows[0] ?? { scored: 0, compared: 0 };
}

beforeAll(async () => {
  await deployModel(ada, 'iris', 'test/models/iris_multiclass.onnx');
});

test('a table is polled: rows that come, change, get another key and go are followed, and only those are written', async () => {
  await run(`create table polled (id bigint primary key, ${COLUMNS}, note text)`);
  await run(`insert into polled select i, ${ROW} from generate_series(1, 500) i`);
  await poll('polled', `, capture => 'poll'`);
  await follows('polled');
  const before = await counts('polled');
  expect(before).toMatchObject({ scored: 500, compared: 500 });
  await run(`insert into polled values (501, 5, 3, 4, 1.2);
    update polled set petal_length = 7 where id = 1;
    update polled set id = 600 where id = 2;
    delete from polled where id between 10 and 19;
    update polled set note = 'x'`);
  await follows('polled');
  expect(await counts('polled')).toMatchObject({ scored: 503, compared: 491 });
  expect((await alice.query(`select tgname from pg_trigger where tgrelid = 'polled'::regclass`)).rows).toEqual([]);
  await run('truncate polled');
  await follows('polled');
  expect((await alice.query('select from polled_live')).rowCount).toBe(0);
});

test('a materialized view is polled: what a refresh changes is followed', async () => {
  await run(`create table base (id bigint primary key, ${COLUMNS})`);
  await run(`insert into base select i, ${ROW} from generate_series(1, 50) i`);
  await run('create materialized view summary as select * from base where id % 2 = 0');
  await poll('summary');
  await follows('summary');
  await run('update base set petal_length = 6 where id = 2; delete from base where id = 4');
  await polled('summary');
  expect(await counts('summary')).toMatchObject({ scored: 25 });
  await run('refresh materialized view summary');
  await follows('summary');
  expect(await counts('summary')).toMatchObject({ scored: 26 });
});

test('a view over a materialized view is polled, though tables below it are named', async () => {
  await run('create view over_summary as select s.* from summary s join base b using (id)');
  await poll('over_summary', `, on_change_of => '{"base": "id"}'`);
  await follows('over_summary');
});

test('a foreign table is polled', async () => {
  const { hostname, port, password, pathname } = new URL(database.url('alice'));
  const create = `create extension postgres_fdw;
    create server there foreign data wrapper postgres_fdw
      options (host '${hostname}', port '${port}', dbname '${pathname.slice(1)}');
    create user mapping for alice server there options (user 'alice', password '${password}');
    grant usage on foreign server there to alice`;
  await superuser.query(create);
  await run(`create table far_base (id bigint primary key, ${COLUMNS});
    insert into far_base select i, ${ROW} from generate_series(1, 50) i;
    create foreign table far (id bigint, ${COLUMNS}) server there options (schema_name 'alice', table_name 'far_base')`);
  await poll('far');
  await follows('far');
  await run('update far_base set petal_length = 7 where id = 2; delete from far_base where id = 4');
  await follows('far');
  expect(await counts('far')).toMatchObject({ scored: 51, compared: 49 });
});

test('a table of somebody else is polled, with the rights of who watches', async () => {
  await run(`create table lent (id bigint primary key, ${COLUMNS});
    insert into lent select i, ${ROW} from generate_series(1, 20) i;
    grant usage on schema alice to bob, pgscore_owner, pgscore_service, pgscore_reader; grant select on lent to bob`);
  await superuser.query('create schema if not exists bob authorization bob');
  const watch = `select pgscore.watch('iris', 'alice.lent', target => 'lent_live', target_schema => 'bob', poll_every => '1 s') as capture`;
  expect((await bob.query(watch)).rows).toEqual([{ capture: 'poll' }]);
  const has = (id: number) => async (): Promise<boolean> =>
    (await bob.query('select from bob.lent_live where id = $1', [id])).rowCount === 1;
  await waitFor(has(20));
  await run('insert into lent values (21, 5, 3, 4, 1)');
  await waitFor(has(21));
  await run('revoke select on lent from bob');
  const stopped = await waitFor(async () => {
    const { rows } = await bob.query<{ state: string; error_code: string }>(
      'select state, error_code, error, remedy from pgscore.watches',
    );
    return rows[0]?.state === 'failing' ? rows[0] : undefined;
  });
  expect(stopped).toMatchObject({ error_code: 'permission_denied', error: expect.stringMatching(/lent/) });
  await run('insert into lent values (22, 5, 3, 4, 1); grant select on lent to bob');
  await waitFor(has(22));
});

describe('row-level security', () => {
  beforeAll(async () => {
    await run(`create table guarded (id bigint primary key, ${COLUMNS}, who name);
      insert into guarded select i, ${ROW}, case when i % 2 = 0 then 'bob' else 'alice' end from generate_series(1, 20) i;
      alter table guarded enable row level security;
      create policy own on guarded using (who = current_user);
      grant select on guarded to bob`);
  });

  const watch = (options: string): string =>
    `select pgscore.watch('iris', 'alice.guarded', target => 'guarded_live', target_schema => 'bob', poll_every => '1 s'${options}) as capture`;

  test('that would hide rows stops a watch with a reason', async () => {
    const refused = await bob.query(watch('')).then(
      async () =>
        waitFor(async () => {
          const { rows } = await bob.query<{ error: string | null; remedy: string }>(
            `select error, remedy from pgscore.watches where target = 'bob.guarded_live'`,
          );
          return rows[0]?.error ? rows[0] : undefined;
        }),
      (error: { message: string; hint: string }) => ({ error: error.message, remedy: error.hint }),
    );
    expect(refused).toMatchObject({ error: expect.stringMatching(/row/), remedy: expect.stringMatching(/rls/) });
  });

  test('filters the rows that are scored, where that is wanted', async () => {
    await bob.query(watch(`, rls => 'filter'`));
    const ids = async (): Promise<number[]> =>
      (await bob.query<{ id: string }>('select id from bob.guarded_live order by id')).rows.map(({ id }) => Number(id));
    const even = Array.from({ length: 10 }, (_, at) => 2 * at + 2);
    await waitFor(async () => (await ids()).length === 10);
    expect(await ids()).toEqual(even);
    await run(`update guarded set who = 'bob' where id = 1; update guarded set who = 'alice' where id = 2`);
    await waitFor(async () => (await ids())[0] === 1);
    expect(await ids()).toEqual([1, ...even.slice(1)]);
  });

  test('that is forced on the owner of a table is not advised to be taken off, and its failures are logged once', async () => {
    await run('alter table guarded force row level security');
    await poll('guarded', `, capture => 'poll'`);
    const failure = async (after: Date): Promise<{ remedy: string; tried_at: Date } | undefined> => {
      const { rows } = await superuser.query<{ remedy: string; tried_at: Date }>(
        `select remedy, tried_at from pgscore_data.watch where owner = 'alice' and source = 'alice.guarded' and error is not null and tried_at > $1`,
        [after],
      );
      return rows[0];
    };
    const first = await waitFor(async () => failure(new Date(0)), { message: 'the watch to fail' });
    expect(first.remedy).toContain(`watch again with rls => 'filter'`);
    await run(`select pgscore.resume_watch('guarded_live')`);
    await waitFor(async () => failure(first.tried_at), { message: 'the watch to fail again' });
    expect(service.log().match(/"owner":"alice","code":"permission_denied"/g)).toHaveLength(1);
    await run(`select pgscore.unwatch('guarded_live')`);
  });
});

test('a watch whose owner left says so, and who ends it', async () => {
  await run(`create table inherited (id bigint primary key, ${COLUMNS})`);
  await poll('inherited', `, capture => 'poll'`);
  await superuser.query(`update pgscore_data.watch set owner = 'nobody_left' where source = 'alice.inherited'`);
  const failing = await waitFor(async () => {
    const { rows } = await ada.query<{ error: string | null; remedy: string }>(
      `select error, remedy from pgscore.watches where target = 'alice.inherited_live'`,
    );
    // A comparison that had begun under the old name ends with that name.
    return rows[0]?.error?.includes('its owner "nobody_left" was dropped or renamed') ? rows[0] : undefined;
  });
  expect(failing.remedy).toContain('pgscore.unwatch(');
  await ada.query(`select pgscore.unwatch('alice.inherited_live')`);
});
