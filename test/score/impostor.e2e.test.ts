import { once } from 'node:events';
import { createServer, type AddressInfo } from 'node:net';

import { afterAll, beforeAll, expect, test } from '@jest/globals';

import { deployBytes } from '../support/deploy.ts';
import { refusal } from '../support/refusal.ts';
import { scoreFixture } from '../support/score-fixture.ts';
import { serverVersionOf } from '../support/server-version.ts';
import { waitFor } from '../support/wait-for.ts';
import { weightedModel } from '../support/weighted-model.ts';

const PASSWORD = 'canary-of-the-gateway';
/** AuthenticationCleartextPassword. */
const ASKS_FOR_PASSWORD = Buffer.from([0x52, 0, 0, 0, 8, 0, 0, 0, 3]);

const { superuser, ada, alice } = await scoreFixture({ PGSCORE_GATEWAY_PASSWORD: PASSWORD });

let told = '';
const impostor = createServer((socket) => {
  socket.on('error', () => undefined);
  socket.once('data', () => socket.write(ASKS_FOR_PASSWORD));
  socket.on('data', (data) => {
    told += data.toString('latin1');
  });
});

beforeAll(async () => {
  await deployBytes(ada, 'sum', weightedModel({ a: 'float64' }));
  impostor.listen(0, '127.0.0.1');
  await once(impostor, 'listening');
});
afterAll(() => {
  impostor.close();
});

async function takeThePort(): Promise<void> {
  const { port } = impostor.address() as AddressInfo;
  const move = `create function public.move() returns trigger language plpgsql as 'begin new.port := ${port}; return new; end'`;
  await superuser.query(move);
  await superuser.query(
    'create trigger move before insert or update on pgscore_data.gateway for each row execute function public.move()',
  );
  await superuser.query('update pgscore_data.gateway set since = since');
}

test('who takes the port of the gateway and asks for its password is not told it, from PostgreSQL 16 on', async () => {
  await takeThePort();
  await alice.query('set pgscore.execution = online; set pgscore.deadline = 1000; set statement_timeout = 5000');
  const refused = await refusal(alice, `select score('sum', '{"a": 3}')`);
  await waitFor(() => told.includes('pgscore'), { message: 'the impostor to be told the name' });
  if ((await serverVersionOf(superuser)) < 160_000) return;
  expect(told).not.toContain(PASSWORD);
  expect(refused).toMatchObject({ code: '08001', message: 'the service does not answer' });
});
