import { expect, test } from '@jest/globals';
import { Client } from 'pg';
import { ident } from '../../src/lib/text.ts';
import { cloneDatabase, emptyDatabase } from '../support/database.ts';
import { deployBytes } from '../support/deploy.ts';
import { prepareClone } from '../support/prepare-clone.ts';
import { READER_PASSWORD, SERVICE_PASSWORD } from '../support/service-passwords.ts';
import { refusal } from '../support/refusal.ts';
import { startTestService } from '../support/service.ts';
import { waitFor } from '../support/wait-for.ts';
import { weightedModel } from '../support/weighted-model.ts';

const original = await cloneDatabase();
const aside = await emptyDatabase();
const service = await startTestService(original);

const CALL = `select score('sum', '{"a": 1, "b": 2}') as score`;

/** The original's address and password are in the backup, as fresh as the backup is. */
async function restore(): Promise<string> {
  const ada = new Client({ connectionString: original.url('ada') });
  await ada.connect();
  await deployBytes(ada, 'sum', weightedModel({ a: 'float32', b: 'float32' }));
  await ada.end();
  expect(await service.stop()).toBe(0);
  const superuser = await aside.client();
  const name = `${original.name}_restored`;
  const create = `create database ${ident(name)} template ${ident(original.name)}`;
  await superuser.query(create);
  return name;
}

test('a restored copy computes native models, asks no service until it is adopted, and then its own', async () => {
  const name = await restore();
  const superuser = await aside.client();
  const at = (url: string): string => {
    const other = new URL(url);
    other.pathname = name;
    return other.href;
  };
  const again = await startTestService(original);
  const paused = await startTestService(original, {
    PGSCORE_DATABASE_URL: at(original.url({ user: 'pgscore_service', password: SERVICE_PASSWORD })),
    PGSCORE_READER_URL: at(original.url({ user: 'pgscore_reader', password: READER_PASSWORD })),
  });
  const [alice, owner] = [
    new Client({ connectionString: at(original.url('alice')) }),
    new Client({ connectionString: at(original.url()) }),
  ];
  await Promise.all([alice.connect(), owner.connect()]);
  try {
    // A dump that was taken while the original served carries its gateway.
    const theirs = (await again.gateway())!;
    await owner.query(
      `with w as (insert into pgscore_data.service (service_id, host, pid, version, scorers, state) values ($1, 'h', 1, '0', 1, 'running') returning service_id)
       insert into pgscore_data.gateway (service_id, host, port, tls, login, password) select service_id, $2, $3, false, $4, $5 from w`,
      [again.id, theirs.host, theirs.port, theirs.user, theirs.password],
    );
    expect((await alice.query(CALL)).rows).toEqual([{ score: 21 }]);
    await alice.query('set pgscore.execution = online');
    expect(await refusal(alice, CALL)).toMatchObject({
      code: '55000',
      message: 'this database is a restored copy of another and asks no service yet',
      hint: expect.stringContaining('pgscore adopt'),
    });
    await prepareClone(at(original.url()));
    const state = `select from pgscore_data.service where service_id = $1 and state = 'running'`;
    await waitFor(async () => (await owner.query(state, [paused.id])).rows.length > 0, {
      message: 'the copy to be served',
    });
    for (let session = 0; session < 10; session += 1) {
      const client = new Client({ connectionString: at(original.url('alice')) });
      await client.connect();
      await client.query(`set pgscore.execution = online; set pgscore.request_id = 'of the copy'`);
      await waitFor(async () => (await client.query(CALL)).rows.length === 1, { message: 'an answer' });
      await client.end();
    }
    const logged = `select from pgscore.online_predictions where request_id = 'of the copy'`;
    await waitFor(async () => (await owner.query(logged)).rows.length === 10, { message: 'the log of the copy' });
    const originals = await original.client();
    expect((await originals.query(logged)).rows).toEqual([]);
  } finally {
    await Promise.all([alice.end(), owner.end()]);
    await Promise.all([paused.stop(), again.stop()]);
    const drop = `drop database ${ident(name)} with (force)`;
    await superuser.query(drop);
  }
});
