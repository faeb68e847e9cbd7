import { beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import type { Signature } from '../../src/inference/signature.ts';
import { cloneDatabase } from '../support/database.ts';
import { deployBytes } from '../support/deploy.ts';
import { hostileBytes } from '../support/golden-models.ts';
import { refusal } from '../support/refusal.ts';
import { startTestService } from '../support/service.ts';
import { waitFor } from '../support/wait-for.ts';
import { weightedModel } from '../support/weighted-model.ts';
import { addVersion } from '../online/online.ts';

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
const ONE = { PGSCORE_SCORERS: '1' };
let models = 0;
const services = await Promise.all([startTestService(database, ONE), startTestService(database, ONE)]);
const alice = await database.client('alice');

beforeAll(async () => {
  await deployBytes(await database.client('ada'), 'sum', weightedModel({ a: 'float32' }));
  await waitFor(async () => (await superuser.query('select from pgscore_data.gateway')).rows.length === 2, {
    message: 'both gateways',
  });
  await alice.query('set pgscore.execution = online');
});

async function gateways(): Promise<number[]> {
  const found = await Promise.all(
    services.map((service) => waitFor(() => service.gateway(), { message: 'the gateway of each service' })),
  );
  return found.map(({ pid }) => pid);
}

describe.each(['score', 'predict'])('%s() of a row that hangs in its model', (name) => {
  const call = `select pgscore.${name}($1, $2::jsonb)`;
  const answer = `select pgscore.score('sum', '{"a": 1}') as score`;
  let model = '';

  beforeEach(async () => {
    model = `endless_${name}_${(models += 1)}`;
    await addVersion(superuser, model, hostileBytes('endless_loop.onnx'), ENDLESS);
    expect((await alice.query(answer)).rows).toEqual([{ score: 1 }]);
  });

  test('ends at its deadline, and ends no gateway', async () => {
    const before = await gateways();
    await alice.query('set pgscore.deadline = 1500');
    expect(await refusal(alice, call, [`${model}@1`, ROW])).toMatchObject({ code: '57014' });
    // A runner in the place of the hung one has to start first.
    await alice.query('reset pgscore.deadline');
    expect((await alice.query(answer)).rows).toEqual([{ score: 1 }]);
    expect(await gateways()).toEqual(before);
  });

  test('is not sent again where its gateway dies after more than a second', async () => {
    await alice.query('set pgscore.deadline = 20000');
    const { rows } = await alice.query<{ pid: number }>('select pg_backend_pid() as pid');
    const refused = refusal(alice, call, [`${model}@1`, ROW]);
    const waiting = `select from pg_stat_activity where pid = $1 and state = 'active' and wait_event_type = 'Extension'`;
    await waitFor(async () => (await superuser.query(waiting, [rows[0]?.pid])).rows.length > 0, {
      message: 'the call to wait for its answer',
    });
    const began = performance.now();
    await waitFor(async () => performance.now() - began > 1200, { message: 'more than a second' });
    for (const pid of await gateways()) process.kill(pid, 'SIGKILL');
    expect(await refused).toMatchObject({
      code: '08006',
      message: 'the service went away in the middle of the call',
      hint: expect.stringContaining('not repeated'),
    });
    expect((await alice.query(answer)).rows).toEqual([{ score: 1 }]);
  });
});
