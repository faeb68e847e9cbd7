import { beforeAll, expect, test } from '@jest/globals';

import type { Signature } from '../../src/model/signature.ts';
import { cloneDatabase } from '../support/database.ts';
import { deployBytes } from '../support/deploy.ts';
import { hostileBytes } from '../support/golden-models.ts';
import { refusal } from '../support/refusal.ts';
import { startTestService } from '../support/service.ts';
import { waitFor } from '../support/wait-for.ts';
import { weightedModel } from '../support/weighted-model.ts';
import { addVersion } from '../gateway/online.ts';

const NAMES = ['a', 'b', 'c', 'd', 'e'];
const ENDLESS: Signature = {
  task: 'regression',
  inputs: [{ name: 'X', type: 'float32', width: 5, shape: [null, 5] }],
  features: NAMES.map((name, position) => ({ name, input: 'X', position, type: 'float32', width: 1, nulls: 'error' })),
  outputs: { value: { name: 'score' } },
  classLabels: [],
  batch: null,
};

const ROW = JSON.stringify(Object.fromEntries(NAMES.map((name) => [name, 1])));

const database = await cloneDatabase();
const superuser = await database.client();
const QUICK = { PGSCORE_GATEWAY_TIMEOUT: '2', PGSCORE_SCORERS: '1' };
const services = await Promise.all([startTestService(database, QUICK), startTestService(database, QUICK)]);
const alice = await database.client('alice');

beforeAll(async () => {
  await deployBytes(await database.client('ada'), 'sum', weightedModel({ a: 'float32' }));
  await waitFor(async () => (await superuser.query('select from pgscore_data.gateway')).rows.length === 2, {
    message: 'both gateways',
  });
  await alice.query('set pgscore.execution = online');
});

function deaths(): number {
  return services.reduce((sum, service) => sum + service.log().split('the gateway was silent').length - 1, 0);
}

test.each(['score', 'predict'])(
  '%s() of a row that hangs ends one gateway, and is not sent to the next',
  async (name) => {
    const model = `endless_${name}`;
    await addVersion(superuser, model, hostileBytes('endless_loop.onnx'), ENDLESS);
    const answer = `select pgscore.score('sum', '{"a": 1}') as score`;
    expect((await alice.query(answer)).rows).toEqual([{ score: 1 }]);
    const before = deaths();
    expect(await refusal(alice, `select pgscore.${name}($1, $2::jsonb)`, [`${model}@1`, ROW])).toMatchObject({
      code: '08006',
      message: 'the service went away in the middle of the call',
      hint: expect.stringContaining('not sent again'),
    });
    expect(deaths()).toBe(before + 1);
    expect((await alice.query(answer)).rows).toEqual([{ score: 1 }]);
    expect(deaths()).toBe(before + 1);
  },
);
