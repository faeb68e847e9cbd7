import { expect, test } from '@jest/globals';

import { deployBytes } from '../support/deploy.ts';
import { scoreFixture } from '../support/score-fixture.ts';
import { weightedModel } from '../support/weighted-model.ts';

const { superuser, ada } = await scoreFixture();

test('a compiled function is proven on the rows that came with expected predictions too, however they are written', async () => {
  const model = weightedModel({ a: 'float32', n: 'int64', flag: 'bool', word: 'string' });
  const expected = [
    { A: '1.5', n: '2.0', flag: 'T', word: 'red', expected_value: '1121.5' },
    { A: 2, n: -1, flag: '0', word: 'none of them', expected_value: -1008 },
    { A: ' 3 ', n: '4', flag: true, word: '', expected_value: null },
  ];
  await deployBytes(ada, 'mixed', model);
  await deployBytes(ada, 'mixed', model, { expect: expected });
  const { rows } = await superuser.query(
    `select e.native, (e.evidence ->> 'rows')::int - lag((e.evidence ->> 'rows')::int) over (order by e.version_id) as more, e.reason
       from pgscore_data.execution e order by e.version_id`,
  );
  expect(rows).toEqual([
    { native: true, more: null, reason: null },
    { native: true, more: 3, reason: null },
  ]);
});
