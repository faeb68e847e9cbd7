import { beforeAll, describe, expect, test } from '@jest/globals';
import type { Client } from 'pg';

import { describeOnCitus } from '../support/citus.ts';
import { deployBytes } from '../support/deploy.ts';
import { refusal } from '../support/refusal.ts';
import { startTestService } from '../support/service.ts';
import { weightedModel } from '../support/weighted-model.ts';

/** The prediction for id is 321 plus 100 ids. */
const TABLES = `
  set citus.shard_count = 4;
  create table spread (id bigint primary key, a int, b int, c float8, expected float8);
  select create_distributed_table('spread', 'id');
  insert into spread select g, 1, 2, 3 + g, 321 + 100 * g from generate_series(1, 100) g;
  create table copied (like spread including all);
  select create_reference_table('copied');
  insert into copied select * from spread;
  create table plain (like spread including all);
  insert into plain select * from spread;
  create table parts (like spread, primary key (id, a)) partition by list (a);
  create table parts_1 partition of parts for values in (1);
  select create_distributed_table('parts', 'id');
  insert into parts select * from spread;
  create view spread_view as select * from spread;
  create view parts_view as select * from parts;
  create view copied_view as select * from copied;
  create view plain_view as select * from plain`;

const WORKS = 'works';
const CALL = /^this call is for the coordinator of Citus, and the query sends it to the nodes$/;
const ROUTER = /^Citus sends this query to its nodes before pgscore has chosen a version$/;
const UNNAMED = /^Citus sends rows of views and subqueries to its nodes without the names of their columns$/;
const ONLINE = /^the nodes of Citus have no such native version$/;

/** A query that gives 10321 of a source, and what it does of distributed tables and of views of them. */
const CALLS: readonly [query: string, table: RegExp | typeof WORKS, view: RegExp | typeof WORKS][] = [
  [`select max(score('sums', x)) from SOURCE x`, WORKS, UNNAMED],
  [`select max(score('sums@1', x)) from SOURCE x where score('sums', x) > 0`, WORKS, UNNAMED],
  [`select max(score('sums', jsonb_build_object('a', a, 'b', b, 'c', c))) from SOURCE x`, WORKS, WORKS],
  [`select score('sums', x) from SOURCE x where id = 100`, ROUTER, ROUTER],
  [`select max(score('sums', x)) from (select a, b, c from SOURCE) x`, UNNAMED, UNNAMED],
  [`select max(s) from (select score('sums', x) as s from SOURCE x) y`, ROUTER, ROUTER],
  [`select max(score(m, x)) from SOURCE x cross join (values ('sums')) v (m)`, ROUTER, ROUTER],
  [`select max(score_or_null('sums', x)) from SOURCE x`, CALL, CALL],
  [`select score_or_null('sums', x) from SOURCE x where id = 100`, ROUTER, ROUTER],
  [`select 10321 from SOURCE x where pgscore.why_not('sums', x) is null limit 1`, CALL, CALL],
  [`select max((pgscore.predict('sums', x) ->> 'value')::float8) from SOURCE x`, CALL, CALL],
  [`select pgscore.predict('sums', x) -> 'value' from SOURCE x where id = 100`, ROUTER, ROUTER],
  [`select max(score('online', x)) from SOURCE x`, ONLINE, UNNAMED],
  [`select score('online', x) from SOURCE x where id = 100`, ROUTER, ROUTER],
  [`select 10321 from SOURCE x where pgscore.arm('sums', id) = 'sums@1' limit 1`, ROUTER, ROUTER],
  [
    `select max(r.score) from SOURCE x cross join lateral pgscore.score_rows('sums', array[to_jsonb(x)]) r`,
    ROUTER,
    ROUTER,
  ],
  [
    `select max(r.score) from pgscore.score_rows('sums', (select array_agg(jsonb_build_object('a', a, 'b', b, 'c', c)) from SOURCE)) r`,
    WORKS,
    WORKS,
  ],
  [`select 10320 + min(pgscore.bucket('salt', id) - pgscore.bucket('salt', id::text) + 1) from SOURCE`, WORKS, WORKS],
  // The way out of each.
  [`with x as materialized (select * from SOURCE) select max(score('sums', x)) from x`, WORKS, WORKS],
  [`with x as materialized (select * from SOURCE) select max(score('online', x)) from x`, WORKS, WORKS],
  [`with x as materialized (select * from SOURCE) select max(score_or_null('sums', x)) from x`, WORKS, WORKS],
  [
    `with x as materialized (select * from SOURCE) select max((pgscore.predict('sums', x) ->> 'value')::float8) from x`,
    WORKS,
    WORKS,
  ],
  [`select read_and_scored('SOURCE', 100)`, WORKS, WORKS],
];

await describeOnCitus('a call', (database) => {
  let alice: Client;
  let ada: Client;

  beforeAll(async () => {
    await startTestService(database);
    const superuser = await database.client();
    alice = await database.client('alice');
    ada = await database.client('ada');
    await superuser.query('grant create on schema public to alice');
    const types = { a: 'int32', b: 'int32', c: 'float32' } as const;
    await deployBytes(ada, 'sums', weightedModel(types));
    await deployBytes(ada, 'online', weightedModel(types), { native: false });
    await deployBytes(ada, 'places', weightedModel({ f1: 'int32', f2: 'int32', f3: 'float32' }));
    await alice.query(TABLES);
    await alice.query(`create function read_and_scored(source text, key bigint) returns float8 language plpgsql as $$
      declare found record;
      begin
        execute format('select * from %I where id = $1', source) into found using key;
        return pgscore.score('sums', to_jsonb(found));
      end $$`);
    await alice.query('grant select on all tables in schema public to ada');
  });

  async function expectAnswer(query: string, expected: RegExp | typeof WORKS): Promise<void> {
    if (expected === WORKS) {
      const { rows } = await alice.query<[unknown]>({ text: query, rowMode: 'array' });
      expect([query, rows.map(([value]) => Number(value))]).toEqual([query, [10321]]);
      return;
    }
    expect({ query, ...(await refusal(alice, query)) }).toMatchObject({
      query,
      code: '0A000',
      message: expect.stringMatching(expected),
      hint: expect.any(String),
    });
  }

  describe.each([
    ['spread', 'parts'],
    ['spread_view', 'parts_view'],
    ['copied', 'plain', 'copied_view', 'plain_view'],
  ])('of %s', (...sources) => {
    test.each(sources)('%s works, or is refused in a sentence', async (source) => {
      for (const [query, table, view] of CALLS) {
        const isOnNodes = /^(spread|parts)/.test(source);
        await expectAnswer(
          query.replace('SOURCE', source),
          isOnNodes ? (source.endsWith('view') ? view : table) : WORKS,
        );
      }
    });

    test.each(sources)('%s gives golden rows and a baseline', async (source) => {
      await ada.query(`select pgscore.set_gate('sums', 'golden', source => $1, expected => 'expected')`, [source]);
      const { rows } = await ada.query(`select passed, reason from pgscore.check_gates('sums@1')`);
      expect(rows).toEqual([{ passed: true, reason: '100 rows are as expected' }]);
      await ada.query(`select pgscore.set_baseline('sums', source => $1)`, [source]);
    });
  });

  test('of rows whose names Citus has taken is refused where a model would take them for its own', async () => {
    await alice.query(`create table places (id bigint, f1 int, f2 int, f3 float8);
      select create_distributed_table('places', 'id');
      insert into places select g, 1, 2, 3 + g from generate_series(1, 100) g;
      create view places_view as select * from places`);
    await expectAnswer(`select max(score('places', x)) from places_view x`, UNNAMED);
    await expectAnswer(`select max(score('places', to_jsonb(x))) from places_view x`, UNNAMED);
    await expectAnswer(`select max(score('places', to_jsonb(x))) from places x`, WORKS);
  });

  test('of a column is refused as elsewhere, unless it is JSON', async () => {
    for (const source of ['spread', 'plain'])
      expect(await refusal(alice, `select max(score('sums', b)) from ${source}`)).toMatchObject({
        code: '42804',
        message: `the model takes a row, not the value '2'`,
      });
    await alice.query(`create table documents (id bigint, document json);
      select create_distributed_table('documents', 'id');
      insert into documents select id, to_json(s) from spread s`);
    await expectAnswer(`select max(score('sums', document)) from documents`, WORKS);
  });

  test('goes on in a session where a column gets another type', async () => {
    await alice.query(`create table altered (like spread including all);
      select create_distributed_table('altered', 'id');
      insert into altered select * from spread`);
    for (const type of ['int', 'bigint', 'smallint', 'int']) {
      const alter = `alter table altered alter column a type ${type}`;
      await alice.query(alter);
      await expectAnswer(`select max(score('sums', x)) from altered x`, WORKS);
    }
  });

  test('of a row with a column that its feature cannot be is refused as elsewhere', async () => {
    await deployBytes(ada, 'texts', weightedModel({ s: 'string' }));
    await alice.query(`create table dated (id bigint, s date);
      create table spread_dated (like dated);
      select create_distributed_table('spread_dated', 'id');
      insert into dated values (1, '2026-01-01');
      insert into spread_dated values (1, '2026-01-01')`);
    for (const source of ['dated', 'spread_dated'])
      expect(await refusal(alice, `select score('texts', x) from ${source} x`)).toMatchObject({
        code: '42804',
        message: 'column "s" of the row is date, and feature "s" is string',
      });
  });

  test('has all digits of a number, whatever the session of the node has set', async () => {
    await deployBytes(ada, 'exact', weightedModel({ a: 'float64' }));
    await alice.query(`create table reals (id bigint, a real);
      select create_distributed_table('reals', 'id');
      insert into reals values (1, 0.1234567)`);
    await alice.query(`begin; set local citus.propagate_set_commands = 'local'; set local extra_float_digits = 0`);
    const { rows } = await alice.query(`select max(score('exact', x)) * 1e7 as score from reals x`);
    await alice.query('rollback');
    expect(rows).toEqual([{ score: 1234567 }]);
  });

  test('of a whole row of a join has every column, whichever table Citus reads first', async () => {
    await deployBytes(ada, 'lenient', weightedModel({ a: 'float32', b: 'float32', c: 'float32' }), {
      null_values: { a: 0, b: 0, c: 0 },
    });
    const joins = [
      'plain p join spread x using (id) where x.id = 100',
      'plain p left join spread x using (id) where p.id > 99',
      'copied p left join spread x using (id) where p.id > 99',
      'generate_series(100, 100) g left join parts x on g = x.id',
    ];
    const calls = [
      `score('lenient', x)`,
      `score('online', x)`,
      `score_or_null('lenient', x)`,
      `pgscore.predict('lenient', x) -> 'value'`,
    ];
    const expectWhole = async (): Promise<void> => {
      for (const join of joins) for (const call of calls) await expectAnswer(`select ${call} from ${join}`, WORKS);
    };
    await expectWhole();
    await alice.query(`select pgscore.bind('sums', 'spread')`);
    await expectWhole();
    for (const join of joins.slice(0, 3)) await expectAnswer(`select pgscore_models.sums(x) from ${join}`, WORKS);
    await alice.query(`select pgscore.unbind('sums', 'spread')`);
  });

  test('of typed functions works on distributed tables and their views', async () => {
    for (const source of ['spread', 'parts', 'spread_view']) {
      await alice.query(`select pgscore.bind('sums', $1)`, [source]);
      await expectAnswer(`select max(pgscore_models.sums(x)) from ${source} x`, WORKS);
    }
    for (const source of ['copied', 'copied_view']) {
      expect(await refusal(alice, `select pgscore.bind('sums', '${source}')`)).toMatchObject({
        code: '0A000',
        message: `Citus gives rows of public.${source} another type, which typed functions do not take`,
      });
    }
    await database.client().then((superuser) => superuser.query('select pgscore.sync_nodes()'));
    await expectAnswer('select pgscore_models.sums(x) from spread x where id = 100', ROUTER);
    await alice.query('set citus.enable_router_execution = off');
    await expectAnswer('select pgscore_models.sums(x) from spread x where id = 100', WORKS);
    await expectAnswer(`select score('sums', x) from spread x where id = 100`, WORKS);
    await alice.query('reset citus.enable_router_execution');
  });

  test('writes its scores', async () => {
    await alice.query(
      `create table kept (id bigint primary key, score float8); select create_distributed_table('kept', 'id')`,
    );
    await alice.query(`insert into kept select id, score('sums', x) from spread x`);
    await alice.query(`with s as materialized (select id, score('sums', x) as score from spread x)
      update kept set score = s.score + 1 from s where s.id = kept.id`);
    await expectAnswer('select max(score) - 1 from kept', WORKS);
    expect(await refusal(alice, `update kept set score = score('sums', kept)`)).toMatchObject({
      code: '0A000',
      message: 'functions used in UPDATE queries on distributed tables must not be VOLATILE',
    });
  });
});
