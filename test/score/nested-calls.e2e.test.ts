import { afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { deployBytes } from '../support/deploy.ts';
import { scoreTable } from '../support/run.ts';
import { scoreFixture } from '../support/score-fixture.ts';
import { weightedModel } from '../support/weighted-model.ts';

const { superuser, ada, alice } = await scoreFixture();
const notices: (string | undefined)[] = [];
alice.on('notice', ({ message }) => notices.push(message));

/** Of three thousand rows: how many are scored, and with the wrong number. */
const outer = (from: string): string =>
  `select count(s.score)::int as rows, (count(*) filter (where s.score is distinct from s.n))::int as wrong
     from pgscore.score_rows('sum@1', array(select r from ${from} r)) with ordinality s (features, score, label, probabilities, version, outputs, n)`;
const OUTER = outer('outside');
const INNER = `pgscore.score_rows('sum@1', array(select r from inside r)) s`;
const CATCHES = `begin perform * from ${INNER}; exception when division_by_zero then raise notice 'caught'; end;`;
const LEAVES = `perform pgscore_models._v1_online_send((select json_agg(json_build_object('a', -g, 'tone', ''))::text from generate_series(1, 1000) g));`;
const RIGHT = [{ rows: 3000, wrong: 0 }];

/** What the rows outside do while they are made JSON; those inside fail at `failing`. */
async function whileWritten(does: string, failing = 0): Promise<void> {
  const inside = `create or replace function written(inner_label) returns json language plpgsql set search_path from current as $$
    declare v int := substr($1::text, 2)::int; begin perform v / case when v = ${failing} then 0 else 1 end; return to_json('none'::text); end $$`;
  const outside = `create or replace function written(outer_label) returns json language plpgsql set search_path from current as $$
    declare v int := substr($1::text, 2)::int; answer float8; begin if v in (500, 1500, 2500) then ${does} end if; return to_json('none'::text); end $$`;
  await alice.query(inside);
  await alice.query(outside);
}

beforeAll(async () => {
  await deployBytes(ada, 'sum', weightedModel({ a: 'float32', tone: 'string' }));
  const labels = Array.from({ length: 3000 }, (_, n) => `'g${n + 1}'`).join();
  const types = ['inner_label', 'outer_label'].map((name) => `create type ${name} as enum (${labels})`);
  await alice.query(types.join(';'));
  await whileWritten('');
  await alice.query('create cast (inner_label as json) with function written(inner_label)');
  await alice.query('create cast (outer_label as json) with function written(outer_label)');
  await alice.query('create domain outer_domain as outer_label');
  for (const [table, label] of Object.entries({
    inside: 'inner_label',
    outside: 'outer_label',
    in_domain: 'outer_domain',
  })) {
    const create = `create table ${table} as select g + 10 as a, ('g' || g)::${label} as tone, g as v from generate_series(1, 3000) g`;
    await alice.query(create);
  }
  await alice.query('set pgscore.execution = online');
});

beforeEach(() => void notices.splice(0));

describe('each row has its own number where the rows of score_rows() are made JSON by a function that', () => {
  afterEach(async () => {
    expect((await alice.query(OUTER)).rows).toEqual(RIGHT);
    await whileWritten('');
    expect((await alice.query(OUTER)).rows).toEqual(RIGHT);
  });

  test.each([1, 500, 1500, 2500])('catches the error of its own score_rows(), at row %s of it', async (row) => {
    await whileWritten(CATCHES, row);
    expect((await alice.query(OUTER)).rows).toEqual(RIGHT);
    expect(notices).toEqual(['caught', 'caught', 'caught']);
  });

  test('catches it, and is that of a type under a domain', async () => {
    await whileWritten(CATCHES, 2500);
    expect((await alice.query(outer('in_domain'))).rows).toEqual(RIGHT);
    expect(notices).toEqual(['caught', 'caught', 'caught']);
  });

  test.each([
    ['and does no more', LEAVES],
    ['after score_rows()', `perform * from ${INNER}; ${LEAVES}`],
    ['before and after score_rows()', `${LEAVES} perform * from ${INNER}; ${LEAVES}`],
  ])('sends a request and leaves its answer, %s', async (_, does) => {
    await whileWritten(does);
    expect((await alice.query(OUTER)).rows).toEqual(RIGHT);
  });

  test.each([
    ['score_rows()', `select sum(s.score) from ${INNER}`, (3000 * 3001) / 2],
    ['score()', `select score('sum@1', '{"a": 1, "tone": "green"}'::jsonb)`, 21],
    ['score() of a row', `select score('sum@1', r) from inside r where r.v = 7`, 7],
    ['predict()', `select (pgscore.predict('sum@1', '{"a": 1, "tone": "green"}') ->> 'value')::float8`, 21],
  ])('calls %s, whose numbers are right too', async (_, call, expected) => {
    await whileWritten(`answer := (${call}); raise notice '%', answer;`);
    expect((await alice.query(OUTER)).rows).toEqual(RIGHT);
    expect(notices.map(Number)).toEqual([expected, expected, expected]);
  });
});

describe.each([
  ['asks for another', `answer := score('sum@1', '{"a": 1, "tone": "green"}'::jsonb);`],
  ['leaves an answer', LEAVES],
])('a row that %s while it is made JSON', (_, does) => {
  test.each([
    ['score()', `score('sum@1', r)`],
    ['predict()', `(pgscore.predict('sum@1', to_jsonb(r)) ->> 'value')::float8`],
  ])('has its own number of %s', async (_way, call) => {
    await whileWritten(does);
    const calls = `select count(*)::int as rows, (count(*) filter (where ${call} is distinct from r.v))::int as wrong from outside r where v between 1490 and 1510`;
    expect((await alice.query(calls)).rows).toEqual([{ rows: 21, wrong: 0 }]);
  });
});

describe('a text of char(n)', () => {
  const COLUMNS = {
    'char(9)': 'character(9)',
    'a domain over char(9)': 'code',
    'a domain over it': 'short_code',
  };

  beforeAll(async () => {
    await deployBytes(ada, 'toned', weightedModel({ number: 'float32', tone: 'string' }));
    await superuser.query('grant usage on schema alice to pgscore_owner');
    await alice.query('create domain code as char(9)');
    await alice.query('create domain short_code as code check (length(value) < 9)');
  });

  const value = async (text: string) => (await alice.query<{ value: unknown }>(text)).rows[0]?.value;

  const WAYS = {
    'score() of a row': `select score('toned', p) as value from padded p`,
    'score() of a row with a column that needs a look': `select score('toned', w) as value from wide w`,
    'score() of a row of a subquery': `select score('toned', r) as value from (select number, tone, null::text as note from padded offset 0) r`,
    'score() of names in another case': `select score('toned', r) as value from (select tone as "Tone", number as "NUMBER" from padded) r`,
    'score() of a row in a domain': `select score('toned', p::padded_row) as value from padded p`,
    'score() of a version': `select score('toned@1', p) as value from padded p`,
    'predict()': `select (pgscore.predict('toned', p) ->> 'value')::float8 as value from padded p`,
    'predict() of a row of a subquery': `select (pgscore.predict('toned', r) ->> 'value')::float8 as value from (select number, tone from padded) r`,
    'score_rows()': `select score as value from pgscore.score_rows('toned', array(select p from padded p))`,
    'score() of a bound table': `select score('toned', b) as value from bound b`,
    'what if': `select score('toned', jsonb_populate_record(p, '{"number": 1}')) as value from padded p`,
    'what if, of a bound table': `select score('toned', jsonb_populate_record(b, '{"number": 1}')) as value from bound b`,
    'a bound table as rows of a subquery': `select score('toned', r) as value from (select * from bound) r`,
    'a typed function': `select pgscore_models.toned(b) as value from bound b`,
  };

  test.each(Object.entries(COLUMNS))(
    '%s is without its padding however the row comes, as in a run',
    async (_, type) => {
      await alice.query('drop table if exists padded, wide, bound cascade');
      for (const [table, number] of [
        ['padded', 'real'],
        ['wide', 'boolean'],
        ['bound', 'real'],
      ] as const) {
        const create = `create table ${table} (id int primary key, tone ${type}, gone text, number ${number})`;
        await alice.query(create);
        const insert = `insert into ${table} values (1, 'green', '', ${number === 'real' ? '1' : 'true'})`;
        await alice.query(insert);
        const drop = `alter table ${table} drop gone`;
        await alice.query(drop);
      }
      await alice.query('create domain padded_row as padded');
      await scoreTable(alice, 'toned', 'padded');
      await alice.query(`select pgscore.bind('toned', 'bound')`);
      const expected = await value('select score as value from padded_scores');
      for (const execution of ['native', 'online']) {
        await alice.query("select set_config('pgscore.execution', $1, false)", [execution]);
        for (const [way, text] of Object.entries(WAYS))
          expect({ execution, way, value: await value(text) }).toEqual({ execution, way, value: expected });
      }
      await alice.query(`select pgscore.unbind('toned', 'bound')`);
    },
  );

  test('a text, and what is given as jsonb, is taken as it is', async () => {
    const asked = [
      `select score('toned', r) as value from (select 1 as number, 'green '::text as tone) r`,
      `select score('toned', r) as value from (select 1 as number, 'green '::varchar(9) as tone, 'x'::char(3) as note) r`,
      `select score('toned', '{"number": 1, "tone": "green "}'::jsonb) as value`,
      `select (pgscore.predict('toned', '{"number": 1, "tone": "green "}'::jsonb) ->> 'value')::float8 as value`,
      `select score('toned', to_jsonb(p)) as value from padded p`,
      `select score as value from pgscore.score_rows('toned', array(select to_jsonb(p) from padded p))`,
    ];
    for (const execution of ['native', 'online']) {
      await alice.query("select set_config('pgscore.execution', $1, false)", [execution]);
      for (const text of asked) expect({ execution, text, value: await value(text) }).toMatchObject({ value: -9 });
    }
  });

  test('a NULL and one of nothing but padding are what they are in a run', async () => {
    await alice.query('create table blank (id int primary key, number real, tone char(9))');
    await alice.query(`insert into blank values (1, 1, ' ')`);
    for (const execution of ['native', 'online']) {
      await alice.query("select set_config('pgscore.execution', $1, false)", [execution]);
      expect(await value(`select score('toned', b) as value from blank b`)).toBe(41);
      expect(await value(`select score('toned', r) as value from (select * from blank) r`)).toBe(41);
    }
  });

  test('a session that has scored a table goes on where a column becomes char(n)', async () => {
    await alice.query(`set pgscore.execution = native`);
    await alice.query(`create table later as select true as number, 'green'::text as tone`);
    const asked = [
      `select score('toned', l) as value from later l`,
      `select (pgscore.predict('toned', l) ->> 'value')::float8 as value from later l`,
    ];
    for (const text of asked) expect(await value(text)).toBe(21);
    await alice.query('alter table later alter tone type char(20)');
    for (const text of asked) expect(await value(text)).toBe(21);
  });
});
