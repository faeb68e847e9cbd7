import { beforeAll, describe, expect, test } from '@jest/globals';

import { deployModel } from '../support/deploy.ts';
import { scoreFixture } from '../support/score-fixture.ts';
import { waitFor } from '../support/wait-for.ts';
import { atRest, differences } from './watching.ts';

const SETTINGS = { PGSCORE_POLL: '0.4' };
const { superuser, ada, alice } = await scoreFixture(SETTINGS);

const COLUMNS = 'sepal_length real, sepal_width real, petal_length real, petal_width real';
const ROW = '4 + i % 4, 3, 1 + i % 6, 0.2 * (i % 10)';

type Seen = { state: string; error_code: string | null; error: string | null; remedy: string | null; pending: string };

async function seen(source: string): Promise<Seen | undefined> {
  const text = 'select state, error_code, error, remedy, pending from pgscore.watches where target = $1';
  return (await alice.query<Seen>(text, [`alice.${source}_live`])).rows[0];
}

/** Runs a statement whose names the tests choose. */
async function run(text: string): Promise<void> {
  await alice.query(text);
}

async function watch(source: string, options = ''): Promise<void> {
  await run(`select pgscore.watch('iris', '${source}', target => '${source}_live'${options})`);
  await atRest(alice, `alice.${source}_live`);
}

/** A table of twenty rows that is watched. Its triggers have fired in this session, so that their plans are kept. */
async function watchedTable(name: string): Promise<void> {
  await run(`create table ${name} (id bigint primary key, ${COLUMNS})`);
  await run(`insert into ${name} select i, ${ROW} from generate_series(1, 20) i`);
  await watch(name);
  await run(`insert into ${name} values (21, 5, 3, 4, 1.2)`);
  await run(`update ${name} set petal_length = 2 where id = 1`);
  await run(`delete from ${name} where id = 2`);
}

async function failing(source: string, code: RegExp, error: RegExp): Promise<void> {
  const state = await waitFor(
    async () => {
      const now = await seen(source);
      return now?.state === 'failing' ? now : undefined;
    },
    { timeout: 15_000, message: `the watch of ${source} to say what is wrong` },
  );
  expect(state).toMatchObject({
    error_code: expect.stringMatching(code),
    error: expect.stringMatching(error),
    remedy: expect.stringMatching(/\w/),
  });
}

/** Waits until the watch goes on, and looks whether it missed anything. */
async function follows(source: string): Promise<void> {
  await waitFor(async () => (await seen(source))?.error === null, {
    message: `the watch of ${source} to go on`,
    timeout: 60_000,
  });
  await atRest(alice, `alice.${source}_live`);
  expect(await differences(alice, 'iris', source, `${source}_live`)).toEqual([]);
}

async function resume(source: string): Promise<void> {
  await run(`select pgscore.resume_watch('${source}_live')`);
}

beforeAll(async () => {
  await deployModel(ada, 'iris', 'test/models/iris_multiclass.onnx');
});

describe('a table that changes under its watch', () => {
  test('has a feature column renamed: writers go on, and so does the watch when it is named back', async () => {
    await watchedTable('renamed');
    await run('alter table renamed rename petal_width to width');
    await run('insert into renamed values (30, 5, 3, 4, 1.2)');
    await run('update renamed set width = 2 where id = 3');
    await run('delete from renamed where id = 4');
    await failing('renamed', /^source_changed$/, /petal_width/);
    await run('alter table renamed rename width to petal_width');
    await follows('renamed');
  });

  test('has a feature column dropped: writers go on, and so does the watch when it is there again', async () => {
    await watchedTable('dropped');
    await run('alter table dropped drop petal_width');
    await run('insert into dropped values (30, 5, 3, 4)');
    await run('update dropped set petal_length = 2 where id = 3');
    await run('delete from dropped where id = 4');
    await failing('dropped', /^source_changed$/, /petal_width/);
    await run('alter table dropped add petal_width real default 1');
    await follows('dropped');
    await run('update dropped set petal_width = 2 where id = 5');
    await follows('dropped');
  });

  test('has a column in front dropped, and one added', async () => {
    await run(`create table shifted (note text, id bigint primary key, ${COLUMNS})`);
    await run(`insert into shifted select 'x', i, ${ROW} from generate_series(1, 20) i`);
    await watch('shifted');
    await run(`insert into shifted values ('y', 21, 5, 3, 4, 1.2)`);
    await run('alter table shifted drop note, add other text');
    await run('insert into shifted values (22, 5, 3, 4, 1.2)');
    await run('update shifted set petal_length = 6 where id = 3');
    await follows('shifted');
  });

  test('has a feature of another type', async () => {
    await watchedTable('widened');
    await run('alter table widened alter petal_width type double precision');
    await run('insert into widened values (30, 5, 3, 4, 1.2)');
    await run('update widened set petal_width = 2 where id = 3');
    await follows('widened');
  });

  test('has a key of another type: writers go on, and the watch says that its target does not fit', async () => {
    await watchedTable('keyed');
    await run('alter table keyed alter id type text');
    await run(`insert into keyed values ('a', 5, 3, 4, 1.2)`);
    await run(`update keyed set petal_width = 2 where id = '3'`);
    await failing('keyed', /^(source_changed|source_error|watch_failed)$/, /./);
    await run(`delete from keyed where id = 'a'`);
    await run('alter table keyed alter id type bigint using id::bigint');
    await resume('keyed');
    await follows('keyed');
  });

  test('is replaced by another of its name, as dbt does', async () => {
    await watchedTable('swapped');
    await run(`create table swapped_new (id bigint primary key, ${COLUMNS})`);
    await run(`insert into swapped_new select i, 5, 3, 1 + i % 5, 1 from generate_series(10, 40) i`);
    await run(`begin; alter table swapped rename to swapped_old; alter table swapped_new rename to swapped; commit`);
    await run('insert into swapped values (50, 5, 3, 4, 1.2)');
    await run('insert into swapped_old values (60, 5, 3, 4, 1.2)');
    await run('drop table swapped_old');
    await waitFor(async () => (await alice.query('select from swapped_live where id = 40')).rowCount === 1);
    await run('update swapped set petal_length = 6 where id = 10');
    await run('delete from swapped where id = 11');
    await follows('swapped');
  });

  test('is renamed: its writers go on, and the watch says so', async () => {
    await watchedTable('moved');
    await run('alter table moved rename to moved_on');
    await run('insert into moved_on values (30, 5, 3, 4, 1.2)');
    await failing('moved', /^source_changed$/, /alice\.moved/);
    await run('alter table moved_on rename to moved');
    await follows('moved');
  });

  test('has its key renamed: writers go on, and so does the watch when it is named back', async () => {
    await watchedTable('rekeyed');
    await run('alter table rekeyed rename id to number');
    await run('insert into rekeyed values (30, 5, 3, 4, 1.2)');
    await run('update rekeyed set petal_width = 2 where number = 3');
    await failing('rekeyed', /^(source_changed|watch_failed)$/, /id/);
    await run('alter table rekeyed rename number to id');
    await follows('rekeyed');
  });

  test('is in a schema that is renamed: its writers go on, and the watch says so', async () => {
    const create = 'create schema shop authorization alice';
    await superuser.query(create);
    await run(`create table shop.sold (id bigint primary key, ${COLUMNS})`);
    await run(`select pgscore.watch('iris', 'shop.sold', target => 'sold_live')`);
    await atRest(alice, 'alice.sold_live');
    await superuser.query('alter schema shop rename to store');
    await run('insert into store.sold values (30, 5, 3, 4, 1.2)');
    await failing('sold', /^source_changed$/, /shop\.sold/);
    await superuser.query('alter schema store rename to shop');
    await waitFor(async () => (await alice.query('select from sold_live where id = 30')).rowCount === 1);
    await run(`select pgscore.unwatch('sold_live')`);
  });

  test('gets a partition, in which there are rows', async () => {
    await run(`create table parts (id bigint primary key, ${COLUMNS}) partition by range (id)`);
    await run(`create table parts_1 partition of parts for values from (1) to (100)`);
    await run(`insert into parts select i, ${ROW} from generate_series(1, 20) i`);
    await watch('parts');
    await run(`create table parts_2 (id bigint primary key, ${COLUMNS})`);
    await run(`insert into parts_2 select i, ${ROW} from generate_series(100, 120) i`);
    await run('alter table parts attach partition parts_2 for values from (100) to (200)');
    await run('insert into parts_2 values (150, 5, 3, 4, 1)');
    await waitFor(async () => (await alice.query('select from parts_live where id in (120, 150)')).rowCount === 2);
    await run('update parts_2 set petal_length = 6 where id = 101');
    await follows('parts');
    await run('alter table parts detach partition parts_2');
    await waitFor(async () => (await alice.query('select from parts_live where id >= 100')).rowCount === 0);
    await follows('parts');
  });

  test('is dropped: the watch says so, and can be ended', async () => {
    await watchedTable('gone');
    await run('drop table gone');
    await failing('gone', /^source_changed$/, /alice\.gone/);
    await run(`select pgscore.unwatch('gone_live')`);
    expect(await seen('gone')).toBeUndefined();
  });

  test('has its triggers dropped or disabled: they are put there again, and nothing is missed', async () => {
    await watchedTable('bare');
    await run('alter table bare disable trigger user');
    await run('insert into bare values (30, 5, 3, 4, 1.2)');
    await waitFor(async () => (await alice.query('select from bare_live where id = 30')).rowCount === 1);
    await run('insert into bare values (31, 5, 3, 4, 1.2)');
    await follows('bare');
    await run(`begin; alter table bare disable trigger all; insert into bare values (32, 5, 3, 4, 1.2);
      alter table bare enable trigger all; commit`);
    await waitFor(async () => (await alice.query('select from bare_live where id = 32')).rowCount === 1);
  });

  test('computes a feature as it is read', async () => {
    const { rows } = await alice.query<{ has: boolean }>(
      `select current_setting('server_version_num')::int >= 180000 as has`,
    );
    const kind = rows[0]?.has === true ? 'virtual' : 'stored';
    const computed = COLUMNS.replace('petal_width real', `petal_width real generated always as (base * 2) ${kind}`);
    await run(`create table computed (id bigint primary key, base real, ${computed})`);
    await run(`insert into computed (id, base, sepal_length, sepal_width, petal_length) values (1, 0.1, 5, 3, 4)`);
    await watch('computed');
    await run('update computed set base = 1.2');
    await waitFor(async () => (await seen('computed'))?.state === 'following');
    await follows('computed');
  });
});

describe('a view that changes under its watch', () => {
  test('has another definition, and then one with a clock: the watch stops until it says how often to compare', async () => {
    await run(`create table base (id bigint primary key, ${COLUMNS})`);
    await run(`insert into base select i, ${ROW} from generate_series(1, 20) i`);
    await run('create view redefined as select * from base');
    await watch('redefined', `, key => 'id', on_change_of => '{"base": "id"}'`);
    await run(`create or replace view redefined as
      select id, sepal_length, sepal_width, (7 - petal_length)::real as petal_length, petal_width from base where id < 15`);
    await waitFor(async () => (await alice.query('select from redefined_live')).rowCount === 14);
    await follows('redefined');
    await run(`create or replace view redefined as select b.* from base b where now() > '2020-01-01'`);
    await failing('redefined', /^watch_failed$/, /changes with the clock: it uses now\(\)/);
    await watch('redefined', `, key => 'id', on_change_of => '{"base": "id"}', rescore_every => '1 day'`);
    await follows('redefined');
  });

  test('has two rows of one key: the watch names it, and goes on when there is one', async () => {
    await run(`create table doubled_base (id bigint primary key, times int, ${COLUMNS})`);
    await run(`insert into doubled_base select i, 1, ${ROW} from generate_series(1, 20) i`);
    await run(`create view doubled as select b.* from doubled_base b cross join lateral generate_series(1, times)`);
    await watch('doubled', `, key => 'id', on_change_of => '{"doubled_base": "id"}'`);
    await run('update doubled_base set times = 2, petal_length = 7 - petal_length where id = 7');
    await run('update doubled_base set petal_length = 6 where id = 8');
    await failing('doubled', /^duplicate_key$/, /\(7/);
    await run('update doubled_base set times = 1 where id = 7');
    await resume('doubled');
    await follows('doubled');
  });
});

describe('a right that is taken away', () => {
  test('to read the table stops the watch with a reason until it is given again', async () => {
    await watchedTable('secret');
    await run('revoke select on secret from alice');
    await run('insert into secret values (30, 5, 3, 4, 1.2)');
    await failing('secret', /^permission_denied$/, /may not read|permission denied/);
    await run('insert into secret values (31, 5, 3, 4, 1.2)');
    await run('grant select on secret to alice');
    await resume('secret');
    await follows('secret');
  });

  test('to use the model', async () => {
    await deployModel(ada, 'private', 'test/models/iris_multiclass.onnx');
    await ada.query(`select pgscore.revoke_model('private', 'pgscore_user')`);
    await ada.query(`select pgscore.grant_model('private', 'alice')`);
    await run(`create table judged (id bigint primary key, ${COLUMNS})`);
    await run(`select pgscore.watch('private', 'judged', target => 'judged_live')`);
    await atRest(alice, 'alice.judged_live');
    await ada.query(`select pgscore.revoke_model('private', 'alice')`);
    await run('insert into judged values (30, 5, 3, 4, 1.2)');
    await failing('judged', /^permission_denied$/, /not granted/);
    expect((await alice.query('select from judged_live')).rowCount).toBe(0);
    await ada.query(`select pgscore.grant_model('private', 'alice')`);
    await waitFor(async () => (await alice.query('select from judged_live')).rowCount === 1);
  });
});

test('a row that the model cannot score is kept with its error, and tried again when it changes', async () => {
  await watchedTable('holey');
  await run('insert into holey values (30, 5, null, 4, 1.2)');
  await run('update holey set petal_length = null where id = 3');
  await waitFor(async () => (await alice.query('select from holey_live where error_code is not null')).rowCount === 2);
  const { rows } = await alice.query(
    `select key, code from pgscore.run_errors where run in (select run_id from holey_live) order by key::text`,
  );
  expect(rows).toHaveLength(2);
  await follows('holey');
  await run('update holey set petal_length = 3, sepal_width = 3 where id in (3, 30)');
  await waitFor(async () => (await alice.query('select from holey_live where error_code is not null')).rowCount === 0);
  await follows('holey');
});
