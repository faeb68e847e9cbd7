import { expect, test } from '@jest/globals';

import { createLogger } from '../../src/log.ts';
import { MonitorLoops } from '../../src/monitor/loops.ts';
import { openConnections } from '../../src/service/connections.ts';
import { cloneDatabase } from '../support/database.ts';
import { SERVICE_PASSWORD } from '../support/service-passwords.ts';
import { waitFor } from '../support/wait-for.ts';
import { addMonitoredModel, addRun } from './monitored-model.ts';

const database = await cloneDatabase();
const superuser = await database.client();

test('the nightly audit runs though what is too old cannot be forgotten', async () => {
  const model = await addMonitoredModel(superuser, 'churn', 'binary');
  await addRun(superuser, model, [{ id: 1, at: '2026-03-02 12:00+00', score: 0.75, label: 'yes' }]);
  await superuser.query(`select pgscore.record_label('churn', '1', 'yes', '2026-03-02 13:00+00'), pgscore.refresh()`);
  await superuser.query('alter function pgscore_data._delete_monitoring() rename to _delete_nothing');
  const databaseUrl = database.url({ user: 'pgscore_service', password: SERVICE_PASSWORD });
  const connections = openConnections({ databaseUrl, leaseMs: 10_000 });
  const loops = new MonitorLoops(
    {
      connections,
      readerUrl: undefined,
      alertWebhook: undefined,
      pollMs: 60_000,
      goesOn: () => true,
      isBehind: () => false,
    },
    createLogger('silent', false),
  );
  loops.start();
  const audited = async (): Promise<boolean> => {
    const { rowCount } = await superuser.query('select from pgscore_data.rollup_audit');
    return rowCount !== 0;
  };
  await expect(waitFor(audited)).resolves.toBe(true);
  await loops.stop();
  await Promise.all(Object.values(connections).map((connection) => connection.end()));
});
