import { afterAll, expect, test } from '@jest/globals';
import type { Client } from 'pg';
import { connect, discardAll } from '../../src/postgres/connect.ts';
import { emptyDatabase } from '../support/database.ts';
import { serverVersionOf } from '../support/server-version.ts';

const TIMEOUTS = [
  'statement_timeout',
  'lock_timeout',
  'idle_in_transaction_session_timeout',
  'idle_session_timeout',
  'transaction_timeout',
];

const database = await emptyDatabase();
const superuser = await database.client();
const version = await serverVersionOf(superuser);
const known = TIMEOUTS.filter((name) => name !== 'transaction_timeout' || version >= 170_000);
for (const name of known) {
  const tune = `do $$begin execute format('alter database %I set ${name} = ''1h''', current_database()); end$$`;
  await superuser.query(tune);
}
await superuser.query(`do $$begin execute format('alter database %I set jit = on', current_database()); end$$`);
const client = await connect({ url: database.url(), applicationName: 'tuned' });
afterAll(() => client.end());

async function timeoutsOf(session: Client): Promise<Record<string, string>> {
  const { rows } = await session.query<{ name: string; setting: string }>(
    'select name, setting from pg_settings where name = any($1)',
    [TIMEOUTS],
  );
  return Object.fromEntries(rows.map(({ name, setting }) => [name, setting]));
}

const none = Object.fromEntries(known.map((name) => [name, '0']));

test('no timeout that a DBA gave the database for people holds for a session of ours', async () => {
  expect(await timeoutsOf(client)).toEqual(none);
});

test('nor once all that was in the session is discarded', async () => {
  await client.query("set statement_timeout = '5s'");
  await discardAll(client);
  expect(await timeoutsOf(client)).toEqual(none);
});

test('no statement of ours is compiled where a DBA set JIT for the database', async () => {
  const { rows } = await client.query('show jit');
  expect(rows).toEqual([{ jit: 'off' }]);
});

test('options of a URL hold beside ours, and not in their place', async () => {
  const options = encodeURIComponent('-c role=pg_monitor -c search_path=elsewhere -c application_name=x');
  const session = await connect({ url: `${database.url()}?options=${options}`, applicationName: 'with options' });
  const { rows } = await session.query(`select current_user::text as role, current_setting('search_path') as path`);
  await session.end();
  expect(rows).toEqual([{ role: 'pg_monitor', path: 'pg_catalog, pg_temp' }]);
});
