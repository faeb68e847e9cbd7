import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { createServer, type AddressInfo } from 'node:net';

import { expect, test } from '@jest/globals';

import { cloneDatabase, emptyDatabase, restoredDatabase } from '../support/database.ts';
import { prepareClone } from '../support/prepare-clone.ts';
import { submitDeploy } from '../support/deploy.ts';
import { scoreTable } from '../support/run.ts';
import { startTestService } from '../support/service.ts';
import { waitFor } from '../support/wait-for.ts';
import { createSource, PACE, PATIENCE_MS } from './long-run.ts';

const database = await cloneDatabase();
const empty = await emptyDatabase();
const restored = await restoredDatabase();

test('a service refuses a database without pgscore, and says what to run', async () => {
  const started = startTestService(empty, {
    PGSCORE_DATABASE_URL: empty.url(),
    PGSCORE_READER_URL: empty.url(),
  });
  await expect(started).rejects.toThrow(/not_installed.*this database has no pgscore/s);
});

test.each(['PGSCORE_DATABASE_URL', 'PGSCORE_READER_URL'])('a wrong password in %s ends a start', async (setting) => {
  const user = setting === 'PGSCORE_READER_URL' ? 'pgscore_reader' : 'pgscore_service';
  const started = startTestService(database, { [setting]: database.url({ user, password: 'wrong' }) });
  await expect(started).rejects.toThrow(/password authentication failed/);
  await expect(started).rejects.not.toThrow(/:wrong@/);
  if (user === 'pgscore_reader')
    await expect(started).rejects.toThrow(/Give the password of pgscore_reader.*PGSCORE_READER_PASSWORD/s);
});

test('a password that is missing ends a start', async () => {
  const url = new URL(database.url({ user: 'pgscore_service', password: '' }));
  await expect(startTestService(database, { PGSCORE_DATABASE_URL: url.href })).rejects.toThrow(/database_refused/);
});

test('a port that is taken ends a start before anything is claimed', async () => {
  const other = createServer().listen(0, '127.0.0.1');
  await once(other, 'listening');
  const { port } = other.address() as AddressInfo;
  await expect(startTestService(database, { PGSCORE_HTTP_PORT: String(port) })).rejects.toThrow(/EADDRINUSE/);
  other.close();
});

test('a service does nothing on a restored copy until it is adopted', async () => {
  const service = await startTestService(restored, PACE);
  const ada = await restored.client('ada');
  const alice = await restored.client('alice');
  const superuser = await restored.client();
  const bytes = await readFile(new URL('../../bench/trees.onnx', import.meta.url));
  await submitDeploy(ada, 'trees', bytes, { native: false });
  const stateOfVersion = async (): Promise<string | undefined> =>
    (await ada.query<{ state: string }>('select state from pgscore.models')).rows[0]?.state;

  const beats = new Set<string>();
  await waitFor(async () => {
    const { rows } = await superuser.query<{ state: string; at: string }>(
      'select state, heartbeat_at::text as at from pgscore_data.service',
    );
    for (const { state, at } of rows) beats.add(`${state} ${at}`);
    return beats.size > 3;
  });
  expect([...beats].every((beat) => beat.startsWith('paused'))).toBe(true);
  expect(await stateOfVersion()).toBe('checking');
  const readiness = await fetch(`${service.url}/readyz`);
  const paused = { ready: false, state: 'paused', listening: true, gateway: true };
  expect([readiness.status, await readiness.json()]).toEqual([503, paused]);

  await prepareClone(restored.url());
  await waitFor(async () => (await stateOfVersion()) === 'ready', { timeout: PATIENCE_MS });
  await createSource(alice, 'small', 100);
  expect(await scoreTable(alice, 'trees', 'small')).toMatchObject({ state: 'done', rows_done: '100' });
  expect(await service.stop()).toBe(0);
});

test('a start that failed leaves nothing in the database', async () => {
  const superuser = await database.client();
  const { rows } = await superuser.query('select count(*)::int as workers from pgscore_data.service');
  expect(rows).toEqual([{ workers: 0 }]);
});
