import { expect, test } from '@jest/globals';

import { layCable } from '../support/cable.ts';
import { deployBytes } from '../support/deploy.ts';
import { refusal } from '../support/refusal.ts';
import { scoreFixture } from '../support/score-fixture.ts';
import { waitFor } from '../support/wait-for.ts';
import { weightedModel } from '../support/weighted-model.ts';
import { gatewayOf } from '../online/online.ts';

const SCORE = `select score('sum', '{"a": 3}') as score`;
const ANSWER = [{ score: 3 }];
/** Three to four seconds until TCP gives the connection up, three more for a new one. */
const MOST_MS = 15_000;

const { service, superuser, ada, alice } = await scoreFixture({ PGSCORE_GATEWAY_TIMEOUT: '60' });
const { pid, port } = await gatewayOf(service);
const cable = await layCable(port);

async function reachByCable(host: string, through: number): Promise<void> {
  const byCable = `create function public.by_cable() returns trigger language plpgsql as
    'begin new.host := ''${host}''; new.port := ${through}; return new; end'`;
  await superuser.query(byCable);
  await superuser.query(
    'create trigger by_cable before insert or update on pgscore_data.gateway for each row execute function public.by_cable()',
  );
  await superuser.query('update pgscore_data.gateway set since = since');
}

async function isAsking(): Promise<boolean> {
  const { rows } = await superuser.query(
    `select from pg_stat_activity where usename = 'alice' and datname = current_database() and state = 'active'`,
  );
  return rows.length > 0;
}

async function failed(call: ReturnType<typeof refusal>): Promise<void> {
  const began = performance.now();
  expect((await call).code).toMatch(/^08/);
  expect(performance.now() - began).toBeLessThan(MOST_MS);
}

(cable ? test : test.skip)(
  `a network that is cut in the middle of a call, or before it, ends the call by itself${cable ? '' : ': skipped, as this user may not make a namespace of the network'}`,
  async () => {
    if (cable === undefined) return;
    await deployBytes(ada, 'sum', weightedModel({ a: 'float64' }));
    await reachByCable(cable.host, cable.port);
    await alice.query('set pgscore.execution = online');
    expect((await alice.query(SCORE)).rows).toEqual(ANSWER);
    process.kill(pid, 'SIGSTOP');
    try {
      const call = refusal(alice, SCORE);
      await waitFor(isAsking, { message: 'the call to wait for its answer' });
      cable.pull();
      await failed(call);
    } finally {
      process.kill(pid, 'SIGCONT');
    }
    cable.plug();
    expect((await alice.query(SCORE)).rows).toEqual(ANSWER);
    cable.pull();
    await failed(refusal(alice, SCORE));
    cable.plug();
    expect((await alice.query(SCORE)).rows).toEqual(ANSWER);
  },
);
