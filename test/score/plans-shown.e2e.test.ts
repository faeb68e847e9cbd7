import { expect, test } from '@jest/globals';

import { migrate } from '../../src/install/migrate.ts';
import { deployBytes } from '../support/deploy.ts';
import { asPlanned, showPlans } from '../support/plans-shown.ts';
import { scoreFixture } from '../support/score-fixture.ts';
import { weightedModel } from '../support/weighted-model.ts';

const { database, superuser, ada } = await scoreFixture();
await deployBytes(ada, 'sum', weightedModel({ a: 'float64' }));

async function secrets(): Promise<string[]> {
  const { rows } = await superuser.query<{ secret: Buffer }>(
    `select convert_to(password, 'UTF8') as secret from pgscore_data.gateway
     union all select unnest(array[inner_key, outer_key]) from pgscore_data.signing_keys`,
  );
  return rows.map(({ secret }) => asPlanned(secret));
}

async function expectNothingShown(): Promise<void> {
  const client = await database.client('alice');
  await client.query('set pgscore.execution = online');
  const shown = await showPlans(client);
  for (const call of [
    `select score('sum', '{"a": 3}')`,
    `select score('sum', r) from (select 3 as a) r`,
    `select pgscore.predict('sum', '{"a": 3}')`,
    `select * from pgscore.score_rows('sum', array(select to_jsonb(r) from (select n as a from generate_series(1, 2500) n) r))`,
  ]) {
    await client.query(call);
  }
  expect(shown()).toContain(asPlanned(Buffer.from('tcp_user_timeout')));
  const known = await secrets();
  expect(known).toHaveLength(3);
  expect(known.filter((secret) => shown().includes(secret))).toEqual([]);
}

test('who has the plans of her session shown sees no password of the gateway in them', async () => {
  await expectNothingShown();
});

test('and none of the keys where requests are signed', async () => {
  await superuser.query('drop extension dblink; create extension dblink schema public');
  expect((await migrate({ url: database.url() })).dblink.state).toBe('signed');
  await expectNothingShown();
});
