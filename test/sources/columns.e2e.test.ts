import { describe, expect, test } from '@jest/globals';

import { cloneDatabase } from '../support/database.ts';
import { deployBytes } from '../support/deploy.ts';
import { refusal } from '../support/refusal.ts';
import { endOfRun, scoreTable, submitRun } from '../support/run.ts';
import { startTestService } from '../support/service.ts';
import { weightedModel } from '../support/weighted-model.ts';

const database = await cloneDatabase();
await startTestService(database);
const [ada, alice] = await Promise.all([database.client('ada'), database.client('alice')]);
await deployBytes(ada, 'churn', weightedModel({ MonthlyCharges: 'float32', tenure: 'float32' }));
await deployBytes(ada, 'kinds', weightedModel({ month: 'float32', city: 'string', embedding: 3 }));

await alice.query('create domain measure as real; create domain wide as double precision');

/** Creates a table under a new name each time, with one row. */
let tables = 0;
async function table(columns: string): Promise<string> {
  tables += 1;
  const create = `create table t${tables} (id int primary key, ${columns})`;
  await alice.query(create);
  return `t${tables}`;
}

async function scoreOf(source: string, options: Record<string, unknown> = {}): Promise<number> {
  const insert = `insert into ${source} values (1, 5, 7)`;
  await alice.query(insert);
  expect(await scoreTable(alice, 'churn', source, options)).toMatchObject({ state: 'done', error: null });
  const read = `select score from ${source}_scores`;
  return (await alice.query<{ score: number }>(read)).rows[0]?.score ?? Number.NaN;
}

const SCORE = `select pgscore.score_table('churn', $1::text::regclass)`;

describe('a feature finds its column', () => {
  test('by its exact name, wherever the column stands', async () => {
    expect(await scoreOf(await table('"MonthlyCharges" real, tenure real'))).toBe(75);
    expect(await scoreOf(await table('tenure real, "MonthlyCharges" real'))).toBe(57);
  });

  test('by its name in another case, where only one column has it', async () => {
    expect(await scoreOf(await table('monthlycharges real, "TENURE" real'))).toBe(75);
  });

  test('by its exact name before another case of it', async () => {
    const source = await table('"MonthlyCharges" real, tenure real, monthlycharges real');
    expect(await scoreOf(source)).toBe(75);
  });

  test('by column_map, also where a column of its name stands by', async () => {
    const source = await table('charges real, tenure real, "MonthlyCharges" real');
    expect(await scoreOf(source, { column_map: '{"MonthlyCharges": "charges"}' })).toBe(75);
  });

  test('which may feed two features', async () => {
    const source = await table('charges real, tenure real');
    expect(await scoreOf(source, { column_map: '{"MonthlyCharges": "charges", "tenure": "charges"}' })).toBe(55);
  });
});

describe('a run is refused at once', () => {
  test('where columns are missing: all of them, with what there is', async () => {
    const refused = await refusal(alice, SCORE, [await table('charges real, other text')]);
    expect(refused).toMatchObject({
      code: '42703',
      message: `source alice.t${tables} lacks 2 features of the model: "MonthlyCharges", "tenure"`,
      detail: 'Its columns: id, charges, other',
      hint: expect.stringContaining(`column_map => '{"MonthlyCharges": "<column>"}'`),
    });
  });

  test('where two columns differ from a feature by case alone', async () => {
    const refused = await refusal(alice, SCORE, [
      await table('monthlycharges real, "MONTHLYCHARGES" real, tenure real'),
    ]);
    expect(refused).toMatchObject({
      code: '42702',
      message: expect.stringContaining('"MonthlyCharges" matches more than one'),
    });
  });

  test('with a hint that names the column that differs by case and underscores only', async () => {
    const source = await table('monthly_charges real, tenure real');
    const refused = await refusal(alice, `select pgscore.score_table('churn', $1::text::regclass)`, [source]);
    const map = `'{"MonthlyCharges": "monthly_charges"}'`;
    expect(refused).toMatchObject({ code: '42703', hint: expect.stringContaining(`column_map => ${map};`) });
  });

  test('where column_map names a column that is not there, or a feature that is not', async () => {
    const source = await table('"MonthlyCharges" real, tenure real');
    const text = `select pgscore.score_table('churn', $1::text::regclass, column_map => $2)`;
    expect(await refusal(alice, text, [source, '{"tenure": "years"}'])).toMatchObject({
      code: '42703',
      message: `column_map: alice.t${tables} has no column "years" for feature "tenure"`,
      detail: 'Its columns: id, MonthlyCharges, tenure',
      hint: 'Name another column, or leave the feature out: a column of its own name is then taken.',
    });
    expect(await refusal(alice, text, [source, '{"age": "tenure"}'])).toMatchObject({
      code: '22023',
      message: 'column_map names "age", which is not a feature of the model',
    });
    for (const wrong of ['[]', '"tenure"', '{"tenure": 5}']) {
      expect((await refusal(alice, text, [source, wrong])).code).toMatch(/^(22|42)/);
    }
  });

  test.each([
    ['date', `extract(month from month)::real as month`],
    ['timestamptz', `extract(month from month)::real as month`],
    ['interval', `extract(epoch from month)::real as month`],
    ['time', `extract(epoch from month)::real as month`],
    ['json', `(month ->> 'field')::real as month`],
    ['jsonb', `(month ->> 'field')::real as month`],
    ['text', `month::real as month`],
    ['uuid', `month`],
    ['real[]', `month`],
  ])('where a number is %s, with the expression to write', async (type, expression) => {
    const source = await table(`month ${type}, city text, embedding real[]`);
    const refused = await refusal(alice, `select pgscore.score_table('kinds', $1::text::regclass)`, [source]);
    expect(refused).toMatchObject({ code: '42804', hint: expect.stringContaining(expression) });
    expect(refused.message).toMatch(/column "month" of alice\.t\d+ is .*, and feature "month" is float32/);
  });

  test.each([
    [
      'month real, city int, embedding real[]',
      /"city" .* is integer, and feature "city" is string/,
      /city::text as city/,
    ],
    ['month real, city date, embedding real[]', /"city" .* is date, and feature "city" is string/, /as city/],
    [
      'month real, city text, embedding real',
      /"embedding" .* is real, and feature "embedding" is 3 numbers/,
      /array\[.*\]::real\[\] as embedding/,
    ],
    ['month real, city text, embedding numeric[]', /"embedding" .* is numeric\[\]/, /real\[\]/],
  ])('where the columns are %s', async (columns, message, hint) => {
    const source = await table(columns);
    const refused = await refusal(alice, `select pgscore.score_table('kinds', $1::text::regclass)`, [source]);
    expect(refused.code).toBe('42804');
    expect(refused.message).toMatch(message);
    expect(refused.hint).toMatch(hint);
  });

  test('where the model, its version or its alias does not exist', async () => {
    const source = await table('"MonthlyCharges" real, tenure real');
    const text = `select pgscore.score_table($1, $2::text::regclass)`;
    expect(await refusal(alice, text, ['chrun', source])).toMatchObject({
      code: '42704',
      message: 'model "chrun" does not exist',
      hint: 'Deployed models: churn, kinds.',
    });
    for (const version of ['churn@2', 'churn@challenger', 'churn@', 'churn@1@1', 'churn@0', 'churn@99999999999']) {
      expect((await refusal(alice, text, [version, source])).code).toMatch(/^(42704|55000)$/);
    }
    expect((await refusal(alice, text, [null, source])).code).toMatch(/^(42|22)/);
  });
});

describe('a source that changes between the request and the run', () => {
  /** The change commits together with the request, so the run always comes after it. */
  async function changed(columns: string, change: (source: string) => string): ReturnType<typeof endOfRun> {
    const source = await table(columns);
    await alice.query('begin');
    const run = await submitRun(alice, 'churn', source);
    const text = change(source);
    await alice.query(text);
    await alice.query('commit');
    return endOfRun(alice, run);
  }

  test.each([
    ['a feature was renamed', (source: string) => `alter table ${source} rename tenure to years`, /tenure/],
    ['the key was renamed', (source: string) => `alter table ${source} rename id to number`, /id/],
    ['a feature was dropped', (source: string) => `alter table ${source} drop tenure`, /tenure/],
    ['the table was renamed', (source: string) => `alter table ${source} rename to elsewhere`, /does not exist/],
    ['the table was dropped', (source: string) => `drop table ${source}`, /does not exist/],
  ])('fails the run with the reason: %s', async (_, change, reason) => {
    const run = await changed('"MonthlyCharges" real, tenure real', change);
    expect(run).toMatchObject({ state: 'failed', error_code: 'source_changed', published: null });
    expect(run.error).toMatch(reason);
    expect(run.remedy).toBe('Submit the run again.');
  });

  test.each([
    [
      'a feature became wider',
      'alter tenure type double precision',
      /column "tenure" was real and is double precision/,
    ],
    ['a feature became text', 'alter tenure type text', /column "tenure" was real and is text/],
    ['a feature became one that cannot be cast', 'drop tenure, add tenure date', /cannot cast type date to real/],
    ['the key became numeric', 'alter id type numeric', /column "id" was integer and is numeric/],
    [
      'a feature became a domain over another type',
      'alter tenure type wide',
      /column "tenure" was real and is double precision/,
    ],
  ])('fails the run where the type did: %s', async (_, change, reason) => {
    const run = await changed(
      '"MonthlyCharges" real, tenure real',
      (source) => `insert into ${source} values (1, 1, 1); alter table ${source} ${change}`,
    );
    expect(run).toMatchObject({
      state: 'failed',
      error_code: 'source_changed',
      published: null,
      remedy: 'Submit the run again.',
    });
    expect(run.error).toMatch(reason);
  });

  test.each(['alter tenure type measure', 'alter "MonthlyCharges" type numeric(20, 5)', 'alter id set default 5'])(
    'scores it where the type is the same in other clothes: %s',
    async (change) => {
      const run = await changed(
        '"MonthlyCharges" numeric(10, 2), tenure real',
        (source) => `insert into ${source} values (1, 1, 1); alter table ${source} ${change}`,
      );
      expect(run).toMatchObject({ state: 'done', rows_done: '1', error: null });
    },
  );

  test('fails the run where it is a view that was made again with another type', async () => {
    await alice.query(`create table under (id int, charges real, tenure real); insert into under values (1, 1, 1);
      create view over as select id, charges as "MonthlyCharges", tenure from under`);
    await alice.query('begin');
    const run = await submitRun(alice, 'churn', 'over', { key: 'id' });
    await alice.query(`drop view over; alter table under alter charges type numeric;
      create view over as select id, charges as "MonthlyCharges", tenure from under`);
    await alice.query('commit');
    const end = await endOfRun(alice, run);
    expect(end).toMatchObject({ state: 'failed', error_code: 'source_changed', published: null });
    expect(end.error).toContain('column "MonthlyCharges" was real and is numeric');
  });

  test('fails the run where the event time did: a date is not the instant of a timestamp', async () => {
    await alice.query('create table events (id int primary key, "MonthlyCharges" real, tenure real, at timestamp)');
    await alice.query('begin');
    const run = await submitRun(alice, 'churn', 'events', { event_time: 'at' });
    await alice.query('alter table events alter at type date');
    await alice.query('commit');
    const end = await endOfRun(alice, run);
    expect(end).toMatchObject({ state: 'failed', error_code: 'source_changed' });
    expect(end.error).toContain('column "at" was timestamp without time zone and is date');
  });

  test('and is scored as it is now when the run is submitted again', async () => {
    const source = await table('"MonthlyCharges" real, tenure real');
    await alice.query('begin');
    const run = await submitRun(alice, 'churn', source);
    const change = `alter table ${source} alter tenure type double precision`;
    await alice.query(change);
    await alice.query('commit');
    expect(await endOfRun(alice, run)).toMatchObject({ state: 'failed', error_code: 'source_changed' });
    expect(await scoreOf(source)).toBe(75);
  });

  test('reads the new rows where only they changed', async () => {
    const run = await changed(
      '"MonthlyCharges" real, tenure real',
      (source) => `insert into ${source} values (1, 1, 1), (2, 2, 2)`,
    );
    expect(run).toMatchObject({ state: 'done', rows_done: '2' });
  });

  test('fails the run where a row-level policy came', async () => {
    const run = await changed(
      '"MonthlyCharges" real, tenure real',
      (source) =>
        `alter table ${source} enable row level security, force row level security; create policy none on ${source} using (false)`,
    );
    expect(run).toMatchObject({
      state: 'failed',
      error_code: expect.stringMatching(/^(permission_denied|source_changed)$/),
    });
  });
});
