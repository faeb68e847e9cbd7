import { expect, test } from '@jest/globals';

import { bucket, type KeyPart } from '../../src/lib/bucket.ts';
import { cloneDatabase } from '../support/database.ts';
import { refusal } from '../support/refusal.ts';

const database = await cloneDatabase();
const alice = await database.client('alice');

const KEYS: Readonly<Record<string, string>> = {
  bigint: `(n * 7919 - 5000000) * 1000003`,
  integer: `(n - 5000)::int`,
  text: `case n % 4 when 0 then '' when 1 then 'Grün ☃ ' || n else md5(n::text) end`,
  uuid: `md5(n::text)::uuid`,
};

test.each(Object.entries(KEYS))(
  'ten thousand keys of type %s are in the same buckets as in TypeScript',
  async (_type, key) => {
    const read = `select salt, (${key})::text as key, pgscore.bucket(salt, ${key}) as bucket
      from generate_series(1, 10000::bigint) n, lateral (select 'salt ' || n % 3 as salt) s`;
    const { rows } = await alice.query<{ salt: string; key: string; bucket: number }>(read);
    expect(rows.length).toBe(10_000);
    expect(rows.filter((row) => row.bucket !== bucket(row.salt, row.key))).toEqual([]);
  },
);

test('so are keys of several columns, whose order counts', async () => {
  const read = `select pgscore.bucket('s', array['a', 'b']) as two, pgscore.bucket('s', array['a', 'b', 7::text]) as three, pgscore.bucket('s', '{b,a}'::text[]) as other`;
  const of = (...key: KeyPart[]) => bucket('s', ...key);
  expect((await alice.query(read)).rows).toEqual([{ two: of('a', 'b'), three: of('a', 'b', 7), other: of('b', 'a') }]);
});

test('a key that is NULL has no bucket', async () => {
  const read = `select pgscore.bucket('s', null::text) as text, pgscore.bucket('s', null::bigint) as number, pgscore.bucket('s', array['a', null]) as part, pgscore.bucket(null, 'a') as salt`;
  expect((await alice.query(read)).rows).toEqual([{ text: null, number: null, part: null, salt: null }]);
});

test('keys of types that are not written alike everywhere are refused', async () => {
  for (const key of ['1.0', 'now()', 'true', `'{}'::jsonb`]) {
    expect((await refusal(alice, `select pgscore.bucket('s', ${key})`)).code).toBe('42883');
  }
});

test('it is put into the query, so that a row costs no call', async () => {
  const { rows } = await alice.query<{ 'QUERY PLAN': string }>(
    `explain (verbose) select pgscore.bucket('s', n) from generate_series(1, 10::bigint) n`,
  );
  const plan = rows.map((row) => row['QUERY PLAN']).join('\n');
  expect(plan).toContain('sha256');
  expect(plan).not.toContain('bucket(');
});
