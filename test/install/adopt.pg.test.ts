import { expect, test } from '@jest/globals';
import { Client } from 'pg';
import { ident } from '../../src/lib/text.ts';
import { adopt, installationState } from '../../src/install/installation.ts';
import { cloneDatabase, emptyDatabase } from '../support/database.ts';

const database = await cloneDatabase();
const empty = await emptyDatabase();

test('a database is an original until it is copied, and the copy is one until it is adopted', async () => {
  const superuser = await empty.client();
  const copy = `${database.name}_copy`;
  const create = `create database ${ident(copy)} template ${ident(database.name)}`;
  const drop = `drop database ${ident(copy)} with (force)`;
  const original = await database.client();
  expect(await installationState(original)).toBe('original');
  expect(await adopt(original)).toBe('original');
  await original.end();
  await superuser.query(create);
  const url = new URL(database.url());
  url.pathname = copy;
  const client = new Client({ connectionString: url.href });
  client.on('error', () => undefined);
  await client.connect();
  try {
    expect(await installationState(client)).toBe('copy');
    const keys = 'select inner_key, outer_key from pgscore_data.signing_keys';
    const theirs = (await client.query<{ inner_key: Buffer; outer_key: Buffer }>(keys)).rows;
    expect(await adopt(client)).toBe('copy');
    const own = (await client.query<{ inner_key: Buffer; outer_key: Buffer }>(keys)).rows;
    expect(own).toHaveLength(1);
    expect([own[0]?.inner_key, own[0]?.outer_key].map((key) => key?.length)).toEqual([64, 64]);
    expect(own[0]?.inner_key).not.toEqual(theirs[0]?.inner_key);
    expect(own[0]?.outer_key).not.toEqual(theirs[0]?.outer_key);
    expect(await installationState(client)).toBe('original');
  } finally {
    await client.end();
    await superuser.query(drop);
  }
});

test('a database without pgscore cannot be adopted', async () => {
  await expect(adopt(await empty.client())).rejects.toMatchObject({ code: 'not_installed' });
});

test('an ordinary role cannot adopt', async () => {
  await expect(adopt(await database.client('alice'))).rejects.toMatchObject({ code: 'missing_right' });
});
