import { beforeAll, expect, test } from '@jest/globals';

import { deployBytes } from '../support/deploy.ts';
import { scoreTable } from '../support/run.ts';
import { scoreFixture } from '../support/score-fixture.ts';
import { weightedModel } from '../support/weighted-model.ts';

const { superuser, ada, alice } = await scoreFixture();

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

test.each(Object.entries(COLUMNS))('%s is without its padding however the row comes, as in a run', async (_, type) => {
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
});

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
