import { describe, expect, test } from '@jest/globals';

import { cloneDatabase } from '../support/database.ts';

const database = await cloneDatabase();
const ada = await database.client('ada');

describe('pgscore.deploy() refuses at once', () => {
  test.each([
    ['a rule for NULL that is none', `nulls => 'zero'`, "nulls => 'zero' is not known"],
    ['a task that is none', `task => 'ranking'`, "task => 'ranking' is not known"],
    ['a threshold that is no probability', `threshold => 1`, 'threshold => 1 is not between 0 and 1'],
    ['defaults for NULL without features', `null_values => '[0]'`, 'null_values => [0] is no object'],
    ['a feature without a name', `features => array['x', null]`, 'features => {x,NULL} is no list of names'],
    ['features in lists', `features => array[['x', 'y']]`, 'features => {{x,y}} is no list of names'],
    ['a class without a name', `class_labels => array['a', null]`, 'class_labels => {a,NULL} is no list of names'],
    ['one expected row', `expect => '{"a": 1}'`, 'expect is no array of rows'],
    ['expected rows without columns', `expect => '[1, 2]'`, 'expect is no array of rows'],
  ])('%s', async (_, option, message) => {
    const deploy = `select pgscore.deploy('m', '\\x01', ${option})`;
    await expect(ada.query(deploy)).rejects.toMatchObject({ code: '22023', message, hint: expect.any(String) });
  });

  test('nothing about options that can be right', async () => {
    const deploy = `select pgscore.deploy('m', '\\x01', null_values => '{"a": 0}', expect => '[{"a": 1, "expected_score": 0}]') as version`;
    expect((await ada.query(deploy)).rows).toEqual([{ version: 'm@1' }]);
  });
});
