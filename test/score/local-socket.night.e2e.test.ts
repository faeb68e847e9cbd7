import { chmodSync, existsSync, mkdirSync, mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterEach, beforeAll, expect, test } from '@jest/globals';

import { deployBytes } from '../support/deploy.ts';
import { refusal } from '../support/refusal.ts';
import { scoreFixture } from '../support/score-fixture.ts';
import { startTestService } from '../support/service.ts';
import { waitFor } from '../support/wait-for.ts';
import { weightedModel } from '../support/weighted-model.ts';

const { database, service, superuser, ada } = await scoreFixture();
const CALL = `select score('sum', '{"a": 3}') as score`;

beforeAll(async () => {
  await deployBytes(ada, 'sum', weightedModel({ a: 'float64' }));
});

afterEach(async () => {
  await superuser.query('drop function if exists public.change() cascade');
  await superuser.query('delete from pgscore_data.gateway');
  await waitFor(async () => (await superuser.query('select from pgscore_data.gateway')).rows.length > 0, {
    message: 'the gateway is told of again',
  });
});

/** Has the service tell the database something else of its gateway. */
async function tellOtherwise(assignments: string): Promise<void> {
  const change = `create function public.change() returns trigger language plpgsql as 'begin ${assignments} return new; end'`;
  await superuser.query(change);
  await superuser.query(
    'create trigger change before insert or update on pgscore_data.gateway for each row execute function public.change()',
  );
  await superuser.query('update pgscore_data.gateway set since = since');
}

async function answer(): Promise<unknown> {
  const client = await database.client('alice');
  await client.query('set pgscore.execution = online');
  return client.query(CALL).then(
    ({ rows }) => rows,
    async () => refusal(client, CALL),
  );
}

async function folder(): Promise<string> {
  const { rows } = await superuser.query<{ socket_folder: string }>('select socket_folder from pgscore_data.gateway');
  return rows[0]?.socket_folder ?? '';
}

/** An address for documentation, which nobody has. */
const NOBODY_THERE = `new.host := ''192.0.2.1'';`;

test('a gateway on the machine of PostgreSQL is asked without TCP', async () => {
  await tellOtherwise(NOBODY_THERE);
  expect(await answer()).toEqual([{ score: 3 }]);
});

test('a socket of somebody else is shunned, and the gateway asked by TCP', async () => {
  await tellOtherwise(`new.socket_owner := ''nobody'';`);
  expect(await answer()).toEqual([{ score: 3 }]);
});

test('where neither way leads to it, the last says why', async () => {
  await tellOtherwise(`new.port := 1; new.socket_owner := ''nobody'';`);
  expect(await answer()).toMatchObject({ code: '08001', message: 'the service does not answer' });
});

test('nobody but the service can write where its socket is', async () => {
  expect(statSync(await folder()).mode & 0o777).toBe(0o711);
});

test('the folder of a gateway that is killed goes, and another is told of', async () => {
  const first = await folder();
  process.kill((await service.gateway())!.pid, 'SIGKILL');
  await waitFor(async () => !existsSync(first) && existsSync(await folder()) && (await folder()) !== first, {
    timeout: 20_000,
    message: 'a new folder',
  });
  expect(await answer()).toEqual([{ score: 3 }]);
});

test('where temporary files are to be elsewhere its socket is there, whatever that folder is called', async () => {
  const base = mkdtempSync(join(tmpdir(), 'odd-'));
  chmodSync(base, 0o755);
  const elsewhere = join(base, `it's "here" \\`);
  mkdirSync(elsewhere, { mode: 0o755 });
  const second = await startTestService(database, { TMPDIR: elsewhere });
  const ofSecond = `select socket_folder from pgscore_data.gateway where starts_with(socket_folder, $1)`;
  const { rows } = await superuser.query(ofSecond, [elsewhere]);
  expect(rows).toHaveLength(1);
  await superuser.query('delete from pgscore_data.gateway where not starts_with(socket_folder, $1)', [elsewhere]);
  await tellOtherwise(NOBODY_THERE);
  expect(await answer()).toEqual([{ score: 3 }]);
  await second.stop();
  rmSync(base, { recursive: true });
});

test('where the folder was cleared away under it, it is asked by TCP', async () => {
  rmSync(await folder(), { recursive: true });
  expect(await answer()).toEqual([{ score: 3 }]);
});
