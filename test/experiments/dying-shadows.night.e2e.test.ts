import { expect, test } from '@jest/globals';

import { deployBytes } from '../support/deploy.ts';
import { cloneDatabase } from '../support/database.ts';
import { startTestService } from '../support/service.ts';
import { waitFor } from '../support/wait-for.ts';
import { weightedModel } from '../support/weighted-model.ts';
import { shadowIs, startShadow } from './shadowed-calls.ts';

const database = await cloneDatabase();
// What a dead process leased is due again after some times this timeout.
const SETTINGS = { PGSCORE_POLL: '0.2', PGSCORE_BATCH_TIMEOUT: '1' };
let service = await startTestService(database, SETTINGS);
const [ada, bob] = await Promise.all([database.client('ada'), database.client('bob')]);

test('calls are shadowed once each, though the service dies again and again', async () => {
  await bob.query('set pgscore.execution = online');
  await deployBytes(ada, 'dying', weightedModel({ x: 'float32' }));
  await deployBytes(ada, 'dying', weightedModel({ x: 'float32' }));
  await ada.query(`select pgscore.log_calls('dying', key => array['id'])`);
  await startShadow(ada, 'dying');
  let goesOn = true;
  const load = (async () => {
    for (let id = 0; goesOn; id += 20) {
      const row = `jsonb_build_object('id', n, 'x', n % 100)`;
      const text = `select score('dying', ${row}) from generate_series($1::int, $1::int + 19) n`;
      await bob.query(text, [id]).catch(() => undefined);
    }
  })();
  const scored = async (): Promise<number> => (await shadowIs(ada, 'dying', () => true)).scored;
  try {
    for (let death = 0; death < 10; death += 1) {
      const before = await scored();
      await waitFor(async () => (await scored()) > before, { message: 'calls that are shadowed' });
      await service.kill();
      service = await startTestService(database, SETTINGS);
    }
  } finally {
    goesOn = false;
    await load;
  }
  // What the gateway has still to keep is queued with it.
  await service.stop();
  service = await startTestService(database, SETTINGS);
  const { scored: all, skipped, failed } = await shadowIs(ada, 'dying', ({ waiting }) => waiting === 0);
  expect({ skipped, failed }).toEqual({ skipped: 0, failed: 0 });
  const counts = `select count(*) filter (where is_shadow)::int as shadowed, count(distinct key) filter (where is_shadow)::int as keys,
                         count(*) filter (where not is_shadow)::int as answered
                    from pgscore.online_predictions where model = 'dying'`;
  const [row] = (await ada.query<{ shadowed: number; keys: number; answered: number }>(counts)).rows;
  expect(row).toEqual({ shadowed: all, keys: all, answered: all });
}, 300_000);
