import { describe, expect, test } from '@jest/globals';
import type { Client } from 'pg';

import { SCHEMAS } from '../../src/install/schemas.ts';
import { cloneDatabase } from '../support/database.ts';
import { addReadyModel } from '../support/ready-model.ts';
import { submitRun } from '../support/run.ts';

/** What users may lock there is their own: read handles. */
const OURS = Object.keys(SCHEMAS).filter((name) => name !== 'pgscore_sources');
const KEEPERS = ['pgscore_owner', 'pgscore_service'];

const database = await cloneDatabase();
const superuser = await database.client();
const alice = await database.client('alice');
const ada = await database.client('ada');
await addReadyModel(superuser, 'model');
await alice.query('create table source (id int primary key, x real)');
await submitRun(alice, 'model', 'source');
await alice.query('create view mine as select r.run, s.name from pgscore.runs r, pgscore.schedules s');
await alice.query("select pgscore.schedule('yearly', '0 0 1 1 *', 'model', 'source')");

const { rows: relations } = await superuser.query<{ name: string }>(
  `select c.oid::regclass::text as name from pg_class c join pg_namespace n on n.oid = c.relnamespace
    where n.nspname = any ($1) and c.relkind in ('r', 'p', 'v', 'm', 'f') order by 1`,
  [OURS],
);
const names = [
  ...relations.map(({ name }) => name),
  'alice.source_scores',
  'alice.source_scores_history',
  'alice.mine',
];

async function offenders(query: string): Promise<unknown[]> {
  return (await superuser.query(query, [OURS, KEEPERS])).rows;
}

/** The statements that somebody may execute, each in a transaction that is rolled back. */
async function allowed(client: Client, statements: string[]): Promise<string[]> {
  const may: string[] = [];
  for (const statement of statements) {
    await client.query('begin');
    const refused = await client.query(statement).then(
      () => undefined,
      (error: unknown) => error,
    );
    await client.query('rollback');
    if (refused === undefined) may.push(statement);
    else expect(refused).toMatchObject({ code: '42501' });
  }
  return may;
}

describe.each([
  ['a user', alice],
  ['a deployer', ada],
])('%s', (_, client) => {
  test.each(['row share', 'row exclusive', 'share', 'access exclusive'])(
    'cannot lock a relation of pgscore, nor what her own views stand on, in %s mode',
    async (mode) => {
      expect(
        await allowed(
          client,
          names.map((name) => `lock table ${name} in ${mode} mode nowait`),
        ),
      ).toEqual([]);
    },
  );

  test.each(['update', 'key share'])('cannot lock a row of one for %s', async (strength) => {
    expect(
      await allowed(
        client,
        names.map((name) => `select from ${name} for ${strength} nowait`),
      ),
    ).toEqual([]);
  });
});

test('nobody but the owner and the service has a right on a whole relation besides SELECT', async () => {
  const strong = `select c.oid::regclass::text as relation, a.grantee::regrole::text as grantee, a.privilege_type
    from pg_class c join pg_namespace n on n.oid = c.relnamespace cross join lateral aclexplode(c.relacl) a
    where n.nspname = any ($1) and a.privilege_type <> 'SELECT' and a.grantee <> all ($2::regrole[])`;
  expect(await offenders(strong)).toEqual([]);
});

test('nobody but the owner and the service has a right on a column besides SELECT and INSERT', async () => {
  const strong = `select c.oid::regclass::text as relation, t.attname, a.grantee::regrole::text as grantee, a.privilege_type
    from pg_attribute t join pg_class c on c.oid = t.attrelid join pg_namespace n on n.oid = c.relnamespace
    cross join lateral aclexplode(t.attacl) a
    where n.nspname = any ($1) and a.privilege_type not in ('SELECT', 'INSERT') and a.grantee <> all ($2::regrole[])`;
  expect(await offenders(strong)).toEqual([]);
});

test('a cancellation that is not committed locks nothing that the service needs', async () => {
  await superuser.query("update pgscore_data.run set state = 'running'");
  await alice.query('begin');
  await alice.query('select pgscore.cancel_run(run) from pgscore.runs');
  const service = await database.client();
  await service.query("set role pgscore_service; set lock_timeout = '2s'");
  for (const table of ['run', 'target', 'generation']) {
    const take = `select from pgscore_data.${table} for no key update`;
    expect(await service.query(take).then(() => undefined, String)).toBeUndefined();
  }
  await alice.query('rollback');
});
