import { expect, test } from '@jest/globals';

import { cloneDatabase } from '../support/database.ts';
import { addBlocks } from './add-calls.ts';
import { addMonitoredModel } from './monitored-model.ts';

const database = await cloneDatabase();
const superuser = await database.client();

test.each([
  ['{{a},{NULL},{c}}', [['a'], null, ['c']]],
  ['{{a,1},{NULL,NULL},{c,3}}', [['a', '1'], null, ['c', '3']]],
  [
    '{{v,w,x},{v,w,y}}',
    [
      ['v', 'w', 'x'],
      ['v', 'w', 'y'],
    ],
  ],
  [null, []],
])('the keys of a block %s are one for each of its predictions', async (keys, expected) => {
  const listed = 'select key from pgscore_data._key_rows($1::text[]) key';
  const { rows } = await superuser.query<{ key: unknown }>(listed, [keys]);
  expect(rows.map(({ key }) => key)).toEqual(expected);
});

const listed = async (): Promise<unknown[]> => {
  const { rows } = await superuser.query<{ ids: number[] }>(
    'select array_agg((key)[1]::int order by prediction_id) as ids from pgscore_data.online_key',
  );
  return rows[0]?.ids ?? [];
};

test('keys are listed once, some blocks at a time, and what has none is left out', async () => {
  const model = await addMonitoredModel(superuser, 'asked', 'binary');
  const ids = Array.from({ length: 150 }, (_, n) => n);
  const at = (n: number): string => new Date(Date.UTC(2026, 2, 1, 0, n)).toISOString();
  await addBlocks(
    superuser,
    model,
    ids.map((id) => ({ id, at: at(id), score: 0.5, label: 'yes' })),
  );
  await superuser.query('update pgscore_data.online_block set keys = null where asked_at = $1', [at(7)]);
  const list = 'select pgscore_data._list_some_keys() as more';
  expect((await superuser.query(list)).rows).toEqual([{ more: true }]);
  expect(await listed()).toHaveLength(100);
  for (let again = 0; again < 2; again += 1) {
    expect((await superuser.query(list)).rows).toEqual([{ more: false }]);
    expect(await listed()).toEqual(ids.filter((id) => id !== 7));
  }
});
