import { expect, test } from '@jest/globals';
import { failRun } from '../../src/runs/record-failures.ts';
import { cloneDatabase } from '../support/database.ts';
import { SERVICE_PASSWORD } from '../support/service-passwords.ts';
import { addReadyModel } from '../support/ready-model.ts';
import { submitRun } from '../support/run.ts';

const database = await cloneDatabase();
const superuser = await database.client();
const alice = await database.client('alice');
const service = await database.client({ user: 'pgscore_service', password: SERVICE_PASSWORD });
await addReadyModel(superuser, 'model');
await alice.query('create table source (id int primary key, x real)');

type Planned = { run_id: string; known: boolean; planned: boolean };

async function planOf(run: string): Promise<Planned | undefined> {
  const { rows } = await superuser.query<Planned>(
    `select r.run_id, r.plan is null as known, coalesce(r.plan, k.plan) is not null as planned
       from pgscore_data.run r left join pgscore_data.known_plan k using (plan_id) where r.run_id = $1`,
    [run],
  );
  return rows[0];
}

test('a plan that a run failed by is made anew, and stays with what waits', async () => {
  await submitRun(alice, 'model', 'source');
  const [failing, waiting] = [await submitRun(alice, 'model', 'source'), await submitRun(alice, 'model', 'source')];
  await superuser.query(`update pgscore_data.run set state = 'running', attempt = 1 where run_id = $1`, [failing]);
  await failRun(service, failing, 1, 'source_changed', 'its column x is another', null, 0, 0);
  expect(await planOf(await submitRun(alice, 'model', 'source'))).toMatchObject({ known: false });
  expect(await planOf(await submitRun(alice, 'model', 'source'))).toMatchObject({ known: true });
  expect(await planOf(waiting)).toMatchObject({ known: true, planned: true });
});
