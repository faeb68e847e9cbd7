import { beforeAll, describe, expect, test } from '@jest/globals';

import { deployBytes } from '../support/deploy.ts';
import { refusal } from '../support/refusal.ts';
import { scoreFixture } from '../support/score-fixture.ts';
import { weightedModel } from '../support/weighted-model.ts';

const { database, service, ada, alice } = await scoreFixture();

beforeAll(async () => {
  await deployBytes(ada, 'sum', weightedModel({ a: 'float32', b: 'float32' }));
  await alice.query('create table rows as select n as id, n as a, 1 as b from generate_series(1, 2900) n');
  await alice.query('create table withs as select id, a, b, to_json(id) as more from rows');
  await alice.query('create table texts as select id, a, b, repeat(md5(id::text), 100) as long from rows');
});

function ask(element: string, source: string): string {
  return `select count(s.score) from pgscore.score_rows('sum', array(select ${element} from ${source} order by id)) s`;
}

/** Of a table, whose rows go as numbers; with one that goes as JSON; and as JSON that has no type. */
const FORMS = {
  numbers: ['r', 'rows r'],
  JSON: ['r', 'texts r'],
  jsonb: ['to_jsonb(r)', 'rows r'],
} as const;

describe.each(['native', 'online'] as const)('an error of score_rows() answered %s', (way) => {
  beforeAll(async () => {
    await alice.query("select set_config('pgscore.execution', $1, false)", [way]);
  });

  test.each(
    Object.entries(FORMS).flatMap(([form, parts]) => [1, 1500, 2001, 2900].map((row) => [form, row, parts] as const)),
  )('says which row of the whole array it is about: %s, row %i', async (_, row, [element, source]) => {
    await alice.query('begin');
    await alice.query('update rows set b = null where id = $1', [row]);
    await alice.query('update texts set b = null where id = $1', [row]);
    const refused = await refusal(alice, ask(element, source));
    await alice.query('rollback');
    expect(refused).toMatchObject({ code: '22004' });
    expect(refused.detail).toMatch(new RegExp(`(?:^|\\. )Row ${row} of 2900\\.$`));
  });

  test('says which where the row is alone in what is sent', async () => {
    await alice.query('begin; update rows set b = null where id = 1001');
    expect((await refusal(alice, ask('r', 'rows r where id < 1002'))).detail).toMatch(/Row 1001 of 1001\.$/);
    await alice.query('rollback');
  });

  test.each([
    ['lacks a feature', `to_jsonb(r) - case id when 1001 then 'b' else '' end`, '42703'],
    ['is no object', `case id when 1001 then '7' else to_jsonb(r) end`, '42804'],
  ])('says which where a row of JSON %s', async (_, element, code) => {
    const refused = await refusal(alice, ask(element, 'rows r'));
    expect(refused).toMatchObject({ code, detail: expect.stringMatching(/Row 1001 of 2900\.$/) });
  });

  test('says nothing of rows where there is one only', async () => {
    const refused = await refusal(alice, ask('jsonb_build_object($$a$$, 1, $$b$$, null)', 'rows r where id = 1'));
    expect(refused.code).toBe('22004');
    expect(refused.detail ?? '').not.toContain('Row');
  });

  test.each([
    [
      'two dimensions',
      'array[array(select r from rows r), array(select r from rows r)]',
      '2202E',
      'score_rows() takes an array of one dimension, not of 2',
    ],
    ['numbers', 'array[1, 2]', '42804', 'score_rows() takes an array of rows, not of integer'],
    ['numbers, the first NULL', 'array[null, 2]', '42804', 'score_rows() takes an array of rows, not of integer'],
    ['JSON of which one is null', `array['{"a": 1, "b": 2}', 'null']::jsonb[]`, '22004', 'row 2 of the array is NULL'],
    ['json, of which one is NULL', `array['{"a": 1, "b": 2}', null]::json[]`, '22004', 'row 2 of the array is NULL'],
    ['rows with json, the only one NULL', 'array[null::withs]', '22004', 'row 1 of the array is NULL'],
    ['texts', `array['{"a": 1, "b": 2}']`, '42804', 'score_rows() takes an array of rows, not of text'],
    ['JSON that is no row', `array['[1]'::jsonb]`, '42804', 'score_rows() takes an array of rows, not of [1]'],
  ])('says what it takes, where it is given an array of %s', async (_, array, code, message) => {
    const refused = await refusal(alice, `select s.score from pgscore.score_rows('sum', ${array}) s`);
    expect(refused).toMatchObject({ code, message, hint: expect.stringContaining('array(select ') });
  });
});

describe('where a model is native, and score_rows() has no service', () => {
  const remedy = { hint: expect.stringContaining('set pgscore.execution = native') };

  test('for lack of dblink, or as none runs, the error says what does without', async () => {
    const superuser = await database.client();
    await alice.query('reset pgscore.execution');
    await superuser.query('alter extension dblink set schema public');
    const fresh = await database.client('alice');
    expect(await refusal(fresh, ask('r', 'rows r'))).toMatchObject({ code: '0A000', ...remedy });
    await superuser.query('alter extension dblink set schema pgscore_dblink');
    await service.stop();
    expect(await refusal(fresh, ask('r', 'rows r'))).toMatchObject({ code: '08001', ...remedy });
    await fresh.query('set pgscore.execution = native');
    expect((await fresh.query(ask('r', 'rows r'))).rows).toEqual([{ count: '2900' }]);
  });
});
