import { beforeAll, describe, expect, test } from '@jest/globals';
import { arrayBytes, arrayModels, type ArrayModel } from '../support/array-models.ts';
import { deployBytes } from '../support/deploy.ts';
import { loadRows } from '../support/load-rows.ts';
import { refusal } from '../support/refusal.ts';
import { scoreTable } from '../support/run.ts';
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
async function run(text: string): Promise<void> {
  await alice.query(text);
}

async function valuesOf(query: string): Promise<unknown[]> {
  const { rows } = await alice.query<{ value: unknown }>(query);
  return rows.map(({ value }) => value);
}

const TYPES: Readonly<Record<string, string>> = {
  tone: 'input_ids int64[], attention_mask int64[]',
  delay: 'measurements float32[][3]',
  cabin: 'choices string[3]',
  digit: 'pixels uint8[8][8]',
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
