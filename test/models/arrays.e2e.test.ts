import { beforeAll, describe, expect, test } from '@jest/globals';
import { arrayBytes, arrayModels, vectorModels, type ArrayModel } from '../support/array-models.ts';
import { deployBytes } from '../support/deploy.ts';
import { loadRows } from '../support/load-rows.ts';
import { refusal } from '../support/refusal.ts';
import { scoreTable } from '../support/run.ts';
import { waitFor } from '../support/wait-for.ts';
import { scoreFixture } from '../support/score-fixture.ts';

const { superuser, ada, alice } = await scoreFixture();

/** What the framework said of each row: a number, or the class. */
function expectedOf({ rows, task, tolerance }: ArrayModel): unknown[] {
  return rows.map((row) => {
    if (task === 'multiclass') return row['expected_label'];
    return expect.closeTo(Number(row['expected_score'] ?? row['expected_value']), tolerance === undefined ? 5 : 2);
  });
}

/** Statements with names of this test in them. */
const run = async (text: string): Promise<unknown> => alice.query(text);

async function valuesOf(query: string): Promise<unknown[]> {
  const { rows } = await alice.query<{ value: unknown }>(query);
  return rows.map(({ value }) => value);
}

const TYPES: Readonly<Record<string, string>> = {
  tone: 'input_ids int64[], attention_mask int64[]',
  delay: 'measurements float32[][3]',
  cabin: 'choices string[3]',
  digit: 'pixels uint8[8][8]',
  rent: 'area float32, rooms float32, age float32, floor float32',
  price: 'area float16, rooms float16, age float16, floor float16',
};

beforeAll(async () => {
  await superuser.query('grant usage on schema alice to pgscore_owner');
});

describe.each(arrayModels.map((model) => [model.name, model] as const))('%s', (name, model) => {
  const answer = model.task === 'multiclass' ? 'label' : 'score';

  beforeAll(async () => {
    const expected = model.tolerance === undefined ? { expect: model.rows } : {};
    await deployBytes(ada, name, arrayBytes(model), { ...model.deploy, ...expected });
    const columns = [
      { name: 'id', type: 'int' },
      ...Object.entries(model.types).map(([column, type]) => ({ name: column, type })),
    ];
    await loadRows(
      alice,
      name,
      columns,
      model.rows.map((row, id) => ({ id, ...row })),
    );
    await scoreTable(alice, name, name);
  });

  test('is shown with the types of its features', async () => {
    const { rows } = await alice.query('select inputs, state, execution from pgscore.models where model = $1', [name]);
    expect(rows).toEqual([{ inputs: TYPES[name], state: 'ready', execution: expect.stringMatching(/^batch, online/) }]);
  });

  test('says the same of a table', async () => {
    expect(await valuesOf(`select ${answer} as value from ${name}_scores order by id`)).toEqual(expectedOf(model));
  });

  test('says the same of a row, of jsonb, of many rows and of a bound table', async () => {
    const call = model.task === 'multiclass' ? 'classify' : 'score';
    const members = { regression: `-> 'value'`, multiclass: `-> 'label'`, binary: `-> 'probabilities' -> '1'` };
    const member = members[model.task as keyof typeof members];
    expect(await valuesOf(`select pgscore.${call}('${name}', t) as value from ${name} t order by id`)).toEqual(
      expectedOf(model),
    );
    expect(
      await valuesOf(`select pgscore.predict('${name}', to_jsonb(t)) ${member} as value from ${name} t order by id`),
    ).toEqual(expectedOf(model));
    expect(
      await valuesOf(
        `select s.${answer} as value from pgscore.score_rows('${name}', array(select t from ${name} t order by id)) s`,
      ),
    ).toEqual(expectedOf(model));
    await run(`select pgscore.bind('${name}', '${name}')`);
    expect(await valuesOf(`select pgscore_models.${name}(t) as value from ${name} t order by id`)).toEqual(
      expectedOf(model),
    );
  });
});

/** Scores such values of one column, the others as in the first row of the model; a failed row gives its error code. */
async function outcomes(name: string, column: string, type: string, values: readonly string[]): Promise<unknown[]> {
  const types = arrayModels.find((model) => model.name === name)?.types ?? {};
  const others = Object.keys(types).map((other) => (other === column ? `v.x::${type} as ${column}` : `t.${other}`));
  const list = values.map((value) => alice.escapeLiteral(value)).join();
  await alice.query('drop table if exists odd');
  await run(`create table odd as select v.id, ${others.join()} from ${name} t,
    unnest(array[${list}]) with ordinality v (x, id) where t.id = 0`);
  await alice.query('alter table odd add primary key (id)');
  await scoreTable(alice, name, 'odd', { target: `odd_${name}` });
  const read = await valuesOf(
    `select coalesce(to_jsonb(error_code), to_jsonb(score)) as value from odd_${name} order by id`,
  );
  await run(`select pgscore.drop_target('odd_${name}')`);
  return read;
}

describe('an array that its model cannot take is a failed row', () => {
  const number = expect.any(Number);

  test('of any length, where it is empty, has a NULL, or is as long as no other', async () => {
    const ones = (length: number): string => `{${Array.from({ length }, () => 1).join()}}`;
    const [{ length }] = (await valuesOf('select attention_mask as value from tone where id = 0')) as [string];
    expect(
      await outcomes('tone', 'input_ids', 'int[]', [
        ones(length),
        '{}',
        '{1,NULL}',
        '{{1},{2}}',
        ones(length + 1),
        ones(40),
      ]),
    ).toEqual([number, 'wrong_length', 'null_feature', 'wrong_length', 'refused_by_model', 'refused_by_model']);
  });

  test('of steps, where a step has another size; all steps one behind the other are the same', async () => {
    const values = ['{{1,2,3},{4,5,6}}', '{1,2,3,4,5,6}', '{1,2,3,4}', '{{1,2},{3,4}}', '{{{1,2,3}}}', '{{1,2,NaN}}'];
    const [nested, flat, ...bad] = await outcomes('delay', 'measurements', 'float8[]', values);
    expect(flat).toBe(nested);
    expect(bad).toEqual(['wrong_length', 'wrong_length', 'wrong_length', 'null_feature']);
  });

  test('of texts, where it is too short', async () => {
    expect(await outcomes('cabin', 'choices', 'varchar[]', ['{aisle,noon,JFK}', '{aisle}', '{a,b,NULL}'])).toEqual([
      number,
      'wrong_length',
      'null_feature',
    ]);
  });

  test('of bytes, where a number is no byte: it is never another number', async () => {
    const image = (value: number): string => `{${Array.from({ length: 64 }, () => value).join()}}`;
    expect(
      await outcomes('digit', 'pixels', 'int[]', [image(3), image(255), image(256), image(-1), image(2 ** 16)]),
    ).toEqual([number, number, 'out_of_range', 'out_of_range', 'out_of_range']);
  });

  test('and so is a number past float16', async () => {
    expect(await outcomes('price', 'area', 'float8', ['65519', '65520', '-1e5', 'Infinity', 'NaN'])).toEqual([
      'non_finite_output',
      'out_of_range',
      'out_of_range',
      'non_finite_output',
      'null_feature',
    ]);
  });

  test('in a call it raises', async () => {
    const call = (name: string, row: string): Promise<unknown> =>
      refusal(alice, `select pgscore.score('${name}', $$${row}$$::jsonb)`);
    expect(await call('price', '{"area": 70000, "rooms": 1, "age": 1, "floor": 1}')).toMatchObject({
      code: '22003',
      message: expect.stringContaining('area is a number that float16 can not hold'),
    });
    expect(await call('delay', '{"measurements": [[1, 2]]}')).toMatchObject({
      message: expect.stringContaining('not an array of any x 3 numbers'),
    });
    expect(await call('tone', '{"input_ids": [1.5], "attention_mask": [1]}')).toMatchObject({ code: '42804' });
    expect(await call('cabin', '{"choices": ["a", "b", 3]}')).toMatchObject({ code: '42804' });
  });
});

test('columns that no such feature can be are refused with what to write', async () => {
  await alice.query(`create table no_arrays (id int primary key, input_ids text, attention_mask int[])`);
  const refused = await refusal(alice, `select pgscore.score_table('tone', 'no_arrays')`);
  expect(refused).toMatchObject({
    message: 'column "input_ids" of alice.no_arrays is text, and feature "input_ids" is an array of any length (int64)',
    hint: expect.stringContaining('array[...]::bigint[] as input_ids'),
  });
});

describe.each(vectorModels.map((model) => [model.name, model] as const))('the vector of %s', (name, model) => {
  const expected = model.rows.map((row) =>
    (row['expected_embedding'] as number[]).map((value) => expect.closeTo(value, 5)),
  );
  const { length: width } = expected[0] ?? [];

  beforeAll(async () => {
    await deployBytes(ada, name, arrayBytes(model), { ...model.deploy, expect: model.rows });
    const columns = Object.entries(model.types).map(([column, type]) => ({ name: column, type }));
    const rows = model.rows.map((row, id) => ({ id, ...row }));
    await loadRows(alice, name, [{ name: 'id', type: 'int' }, ...columns], rows);
    await scoreTable(alice, name, name);
  });

  test('is shown in pgscore.models, and is one column of a target', async () => {
    const { rows } = await alice.query('select task, outputs from pgscore.models where model = $1', [name]);
    expect(rows).toEqual([{ task: 'embedding', outputs: `embedding of ${width} numbers` }]);
    const columns = await alice.query(
      `select attname as column, format_type(atttypid, null) as type, col_description(attrelid, attnum) as comment
         from pg_attribute where attrelid = $1::regclass and attnum between 2 and 3 order by attnum`,
      [`${name}_scores`],
    );
    expect(columns.rows).toEqual([
      { column: 'embedding', type: 'real[]', comment: 'The vector of the row. NULL if it could not be computed.' },
      expect.objectContaining({ column: 'error_code' }),
    ]);
  });

  test('is the same by every way', async () => {
    const ways = [
      `select embedding as value from ${name}_scores order by id`,
      `select pgscore.embed('${name}', t) as value from ${name} t order by id`,
      `select pgscore.embed('${name}', to_jsonb(t)) as value from ${name} t order by id`,
      `select pgscore.embed('${name}', to_json(t)::text) as value from ${name} t order by id`,
      `select pgscore.predict('${name}', t) -> 'embedding' as value from ${name} t order by id`,
      `select s.outputs -> 'embedding' as value from pgscore.score_rows('${name}', array(select t from ${name} t order by id)) s`,
    ];
    for (const way of ways) expect(await valuesOf(way)).toEqual(expected);
    await run(`select pgscore.bind('${name}', '${name}')`);
    expect(await valuesOf(`select pgscore_models.${name}(t) as value from ${name} t order by id`)).toEqual(expected);
  });

  test('is kept of calls', async () => {
    await waitFor(
      async () =>
        (await valuesOf(`select 1 as value from pgscore.online_predictions where model = '${name}' and error is null`))
          .length >= model.rows.length,
      { timeout: 10_000, message: 'calls to be kept' },
    );
    const [kept] = await valuesOf(
      `select outputs -> 'embedding' as value from pgscore.online_predictions
        where model = '${name}' and error is null order by prediction_id limit 1`,
    );
    expect(kept).toEqual(expected[0]);
  });

  test('is no score and no label, and labels do not judge it', async () => {
    const row = `(select t from ${name} t where id = 0)`;
    const refused = (call: string): Promise<unknown> => refusal(alice, `select ${call}`);
    const vector = { code: '22023', hint: `pgscore.embed('${name}', row) gives the vector.` };
    expect(await refused(`pgscore.score('${name}', ${row})`)).toMatchObject({
      ...vector,
      message: `model "${name}" gives a vector: it has no score`,
    });
    expect(await refused(`pgscore.score('${name}', ${row}, class => 'a')`)).toMatchObject(vector);
    expect(await refused(`pgscore.classify('${name}', ${row})`)).toMatchObject(vector);
    expect(await refused(`pgscore.score_or_null('${name}', ${row})`)).toMatchObject(vector);
    expect(await refused(`pgscore.set_labels('${name}', '${name}', key => 'id', label => 'id')`)).toMatchObject({
      code: '0A000',
      message: `model "${name}" gives a vector, which no label judges`,
    });
  });

  test('is NULL of a NULL row', async () => {
    const query = `select pgscore.embed('${name}', t) as value from (values (1)) one left join ${name} t on false`;
    expect(await valuesOf(query)).toEqual([null]);
  });
});

describe('vectors', () => {
  test('of a row that fails are NULL, with the reason; only rows that changed are computed again', async () => {
    await alice.query('create table some_texts as select id, input_ids, attention_mask from encoder where id < 3');
    await alice.query('alter table some_texts add primary key (id)');
    await alice.query(`update some_texts set input_ids = '{999}', attention_mask = '{1}' where id = 1`);
    await scoreTable(alice, 'encoder', 'some_texts', { target: 'some_vectors', only_changed: true });
    const read = 'select cardinality(embedding) as size, error_code from some_vectors order by id';
    const [good, bad] = [
      { size: 16, error_code: null },
      { size: null, error_code: 'refused_by_model' },
    ];
    expect((await alice.query(read)).rows).toEqual([good, bad, good]);
    await alice.query(`update some_texts set input_ids = '{9}' where id = 1`);
    const again = await scoreTable(alice, 'encoder', 'some_texts', { target: 'some_vectors', only_changed: true });
    expect(again).toMatchObject({ state: 'done' });
    expect((await alice.query(read)).rows).toEqual([good, good, good]);
  });

  test('are counted by the monitor', async () => {
    const counted = `select from pgscore_bi.current_model_health where model_name = 'encoder' and task = 'embedding' and n_24h >= $1`;
    await waitFor(async () => (await superuser.query(counted, [vectorModels[0]?.rows.length])).rowCount === 1, { timeout: 30_000, message: 'vectors to be counted' });
  });

  test('are given by no other model', async () => {
    const refused = await refusal(alice, `select pgscore.embed('price', t) from price t`);
    expect(refused).toMatchObject({
      code: '22023',
      message: 'model "price" gives no vector: its task is regression',
      hint: `pgscore.predict('price', row) gives all that it says.`,
    });
  });
});

test('texts of char(n) are refused, as their padding would be another text', async () => {
  await alice.query("create table padded as select '{aisle,noon,JFK}'::char(8)[] as choices");
  for (const source of ['padded', "(select '{aisle,noon,JFK}'::char(8)[] as choices)"]) {
    expect(await refusal(alice, `select pgscore.score('cabin', r) from ${source} r`)).toMatchObject({ code: '42804', hint: expect.stringContaining('::text[]') });
  }
});
