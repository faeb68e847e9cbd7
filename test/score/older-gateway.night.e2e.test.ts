import { afterEach, beforeAll, expect, test } from '@jest/globals';

import { migrate } from '../../src/install/migrate.ts';
import { gatewayOf } from '../online/online.ts';
import { startOlderGateway } from '../online/older-gateway.ts';
import { cloneDatabase } from '../support/database.ts';
import { deployBytes } from '../support/deploy.ts';
import { floats, node, onnxModel, tensorValue } from '../support/onnx-builder.ts';
import { refusal } from '../support/refusal.ts';
import { startTestService } from '../support/service.ts';
import { weightedModel } from '../support/weighted-model.ts';

const database = await cloneDatabase();
const service = await startTestService(database);
const gateway = await startOlderGateway((await gatewayOf(service)).port);
const [superuser, ada, alice] = await Promise.all([
  database.client(),
  database.client('ada'),
  database.client('alice'),
]);

/** Predicts a + b, with an operator that is not compiled to SQL. */
const ONLINE_ONLY = onnxModel({
  metadata: { 'pgscore.features': JSON.stringify(['a', 'b']) },
  inputs: [tensorValue('a', [null, 1]), tensorValue('b', [null, 1])],
  tensors: [floats('none', [1], [0])],
  nodes: [
    node('Erf', ['a'], ['e']),
    node('Mul', ['e', 'none'], ['nothing']),
    node('Add', ['a', 'nothing'], ['same']),
    node('Add', ['same', 'b'], ['y']),
  ],
});

/** One row, in each of the ways that ask for no more than one. */
const ONE = [
  `select score('plus', '{"a": 1, "b": 2, "note": "};"}') as answer`,
  `select score('plus', r) as answer from rows r where id = 1`,
  `select (pgscore.predict('plus', '{"a": 1, "b": 2}') ->> 'value')::float8 as answer`,
];
const sumOf = (element: string, most: number): string =>
  `select sum(s.score) as answer from pgscore.score_rows('plus', array(select ${element} from rows r where id <= ${most})) s`;
/** Many, as numbers, as JSON of a type, and as any, with a text that looks like the end of a statement. */
const MANY = [sumOf('r', 1200), sumOf('r', 2), sumOf(`to_jsonb(r) || '{"note": "};x"}'`, 2)];
const SUMS = [720_600 + 2400, 7, 7];

beforeAll(async () => {
  await deployBytes(ada, 'plus', ONLINE_ONLY);
  await deployBytes(ada, 'sum', weightedModel({ a: 'float32', b: 'float32' }));
  await alice.query('create table rows as select n as id, n as a, 2 as b from generate_series(1, 1200) n');
  await alice.query('set pgscore.execution = online');
  const byWayOf = `create function public.by_way_of() returns trigger language plpgsql as 'begin new.port := ${gateway.port}; new.socket_folder := null; return new; end'`;
  await superuser.query(byWayOf);
  await superuser.query(
    'create trigger by_way_of before insert or update on pgscore_data.gateway for each row execute function public.by_way_of()',
  );
  await superuser.query('update pgscore_data.gateway set since = since');
});

async function answer(text: string): Promise<unknown> {
  return (await alice.query<{ answer: unknown }>(text)).rows[0]?.answer;
}

/** After the service was restarted, in the same session. */
afterEach(async () => {
  gateway.become('this');
  for (const text of ONE) expect(await answer(text)).toBe(3);
  for (const [index, text] of MANY.entries()) expect(await answer(text)).toBe(SUMS[index]);
});

const otherRelease = {
  code: '55000',
  message: 'the service is of another release than the functions in the database',
  detail: 'It says: the request of score is not JSON.',
  hint: expect.stringContaining('pgscore migrate, and restart the service'),
};

test('a service of another release gives one row its number, and says of many what is to be done', async () => {
  gateway.become('another');
  for (const many of MANY) {
    for (const one of ONE) expect(await answer(one)).toBe(3);
    expect(await refusal(alice, many)).toMatchObject(otherRelease);
  }
});

test('it may be done without where the model is native, which the error says', async () => {
  gateway.become('another');
  const native = MANY[0]!.replace('plus', 'sum');
  expect(await refusal(alice, native)).toMatchObject({
    code: '55000',
    detail: expect.stringContaining('pgscore migrate, and restart the service'),
    hint: expect.stringContaining('set pgscore.execution = native'),
  });
  await alice.query('set pgscore.execution = native');
  expect(await answer(native)).toBe(720_600 + 1200 * 20);
  await alice.query('set pgscore.execution = online');
});

test('it says so where requests are signed, too', async () => {
  await superuser.query('drop extension dblink cascade; create extension dblink schema public');
  expect((await migrate({ url: database.url() })).dblink).toEqual({ state: 'signed', schema: 'public' });
  gateway.become('another');
  for (const one of ONE) expect(await answer(one)).toBe(3);
  for (const many of MANY) expect(await refusal(alice, many)).toMatchObject(otherRelease);
});
