import { expect, test } from '@jest/globals';

import { cloneDatabase } from '../support/database.ts';
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

/** A block of three predictions, about these. */
async function addBlock(versionId: number, keys: string, askedAt: string): Promise<void> {
  await superuser.query(
    `insert into pgscore_data.online_block (version_id, requested_by, asked_at, duration_ms, n_predictions, scores, labels, later_ms, keys)
     values ($1, 'alice', $3, 1, 3, '{0.1,0.2,0.3}', '{1,2,1}', '{0,4,9}', $2)`,
    [versionId, keys, askedAt],
  );
}

const listed = async (): Promise<unknown[]> => {
  const { rows } = await superuser.query(
    `select key, score, predicted_class as class, extract(milliseconds from asked_at)::int as ms from pgscore_data.online_key order by prediction_id`,
  );
  return rows;
};

test('keys are listed once, with what was said and when, a block at a time', async () => {
  const { modelId, versionId } = await addMonitoredModel(superuser, 'asked', 'binary');
  await addBlock(versionId, '{{a,1},{NULL,NULL},{c,3}}', '2026-03-01 00:00:00+00');
  await addBlock(versionId, '{{a},{b},{NULL}}', '2026-03-02 00:00:00+00');
  const list = async (most: number): Promise<unknown> =>
    (await superuser.query('select pgscore_data._list_keys(array[$1::int], $2) as more', [modelId, most])).rows;
  const first = [
    { key: ['a', '1'], score: 0.1, class: 0, ms: 0 },
    { key: ['c', '3'], score: 0.3, class: 0, ms: 9 },
  ];
  expect(await list(2)).toEqual([{ more: true }]);
  expect(await listed()).toEqual(first);
  const all = [...first, { key: ['a'], score: 0.1, class: 0, ms: 0 }, { key: ['b'], score: 0.2, class: 1, ms: 4 }];
  for (const more of [true, false, false]) {
    expect((await superuser.query('select pgscore_data._list_some_keys() as more')).rows).toEqual([{ more }]);
    expect(await listed()).toEqual(all);
  }
  const { rows } = await superuser.query<{ key: string[] | null }>(
    `select key from pgscore.online_predictions where model = 'asked' order by prediction_id`,
  );
  expect(rows.map(({ key }) => key)).toEqual([['a', '1'], null, ['c', '3'], ['a'], ['b'], null]);
});

test('keys of blocks that somebody deleted are let go of', async () => {
  await superuser.query(`delete from pgscore_data.online_block where asked_at < '2026-03-02'`);
  await superuser.query('select pgscore_data._forget_monitoring()');
  expect((await listed()).length).toBe(2);
  await superuser.query('delete from pgscore_data.online_block');
  await superuser.query('select pgscore_data._forget_monitoring()');
  expect(await listed()).toEqual([]);
});
