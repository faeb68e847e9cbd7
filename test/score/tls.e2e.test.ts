import { expect, test } from '@jest/globals';

import { cloneDatabase } from '../support/database.ts';
import { deployBytes } from '../support/deploy.ts';
import { startTestService } from '../support/service.ts';
import { weightedModel } from '../support/weighted-model.ts';
import { makeCertificate } from '../online/certificate.ts';

const certificate = makeCertificate();
const database = await cloneDatabase();
const [superuser, ada, alice] = await Promise.all([
  database.client(),
  database.client('ada'),
  database.client('alice'),
]);

(certificate ? test : test.skip)('where the service has a certificate, PostgreSQL asks it under TLS', async () => {
  await startTestService(database, {
    PGSCORE_GATEWAY_TLS_CERT: certificate?.cert ?? '',
    PGSCORE_GATEWAY_TLS_KEY: certificate?.key ?? '',
  });
  // On the same machine it would be asked without TCP.
  await superuser.query(
    `create function public.by_tcp() returns trigger language plpgsql as 'begin new.socket_folder := null; return new; end'`,
  );
  await superuser.query(
    'create trigger by_tcp before insert or update on pgscore_data.gateway for each row execute function public.by_tcp()',
  );
  await superuser.query('update pgscore_data.gateway set since = since');
  await deployBytes(ada, 'sum', weightedModel({ a: 'float64' }));
  await alice.query('set pgscore.execution = online');
  expect((await alice.query(`select score('sum', '{"a": 3}') as score`)).rows).toEqual([{ score: 3 }]);
  // With it goes sslmode=require, under which libpq says nothing to a server that declines.
  expect((await superuser.query('select tls from pgscore_data.gateway')).rows).toEqual([{ tls: true }]);
});
