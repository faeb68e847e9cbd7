import { expect, test } from '@jest/globals';

import { cloneDatabase } from '../support/database.ts';
import { deployBytes, deployModel } from '../support/deploy.ts';
import { goldenModel, goldenRows } from '../support/golden-models.ts';
import { loadRows } from '../support/load-rows.ts';
import { floats, integers, node, onnxModel, tensorValue } from '../support/onnx-builder.ts';
import { refusal } from '../support/refusal.ts';
import { scoreTable } from '../support/run.ts';
import { startTestService } from '../support/service.ts';
import { weightedModel } from '../support/weighted-model.ts';

const database = await cloneDatabase();
await startTestService(database);
const [superuser, ada, alice] = await Promise.all([database.client(), database.client('ada'), database.client('alice')]);

const january = goldenModel('air_time_january');
const rows = goldenRows(january);
await loadRows(alice, 'flights', [january.key, ...january.features], rows);
await deployModel(ada, 'air_time', 'demo/models/air_time_january.onnx');
await deployModel(ada, 'air_time', 'demo/models/air_time_spring.onnx');

async function aliases(): Promise<Record<string, string[]>> {
  const found = await alice.query<{ version: number; aliases: string[] }>(
    `select version, aliases from pgscore.models where model = 'air_time'`,
  );
  return Object.fromEntries(found.rows.map((row) => [row.version, row.aliases]));
}

async function versionsIn(view: string): Promise<string[]> {
  const text = `select model_version, count(*) from ${view} group by 1 order by 1`;
  const found = await alice.query<{ model_version: string; count: string }>(text);
  return found.rows.map((row) => `${row.count} by ${row.model_version}`);
}

const target = { target: 'air_times' };

test('the first ready version is champion, and a bare name means it', async () => {
  expect(await aliases()).toEqual({ 1: ['champion'], 2: [] });
  expect(await scoreTable(alice, 'air_time', 'flights', target)).toMatchObject({
    model: 'air_time@1',
    published: true,
  });
  expect(await versionsIn('air_times')).toEqual(['200 by air_time@1']);
});

test('a version that is not champion goes to the history only', async () => {
  const run = await scoreTable(alice, 'air_time@2', 'flights', target);
  expect(run).toMatchObject({ model: 'air_time@2', state: 'done', published: false });
  expect(await versionsIn('air_times')).toEqual(['200 by air_time@1']);
  expect(await versionsIn('air_times_history')).toEqual(['200 by air_time@1', '200 by air_time@2']);
  const told = new Promise((resolve) => alice.once('notice', ({ message }) => resolve(message)));
  await alice.query('call pgscore.wait_for_run($1)', [run.run]);
  expect(await told).toMatch(/is done: 200 rows, 0 failed, .+; the history alone shows its predictions$/);
});

test('unless its publication is asked for; and a champion may be kept out', async () => {
  expect(await scoreTable(alice, 'air_time@2', 'flights', { ...target, publish: true })).toMatchObject({
    published: true,
  });
  expect(await versionsIn('air_times')).toEqual(['200 by air_time@2']);
  expect(await scoreTable(alice, 'air_time', 'flights', { ...target, publish: false })).toMatchObject({
    published: false,
  });
  expect(await versionsIn('air_times')).toEqual(['200 by air_time@2']);
  expect(await versionsIn('air_times_history')).toEqual(['400 by air_time@1', '400 by air_time@2']);
});

test('an alias names a version, and moves', async () => {
  await ada.query(`select pgscore.set_alias('air_time@2', 'challenger')`);
  expect(await aliases()).toEqual({ 1: ['champion'], 2: ['challenger'] });
  expect(await scoreTable(alice, 'air_time@challenger', 'flights', target)).toMatchObject({ model: 'air_time@2' });
  await ada.query(`select pgscore.set_alias('air_time@1', 'challenger')`);
  expect(await aliases()).toEqual({ 1: ['challenger', 'champion'], 2: [] });
});

test('a promoted version is champion from then on, and a rollback goes back', async () => {
  expect((await ada.query(`select pgscore.promote('air_time@2') as version`)).rows).toEqual([
    { version: 'air_time@2' },
  ]);
  expect(await scoreTable(alice, 'air_time', 'flights', target)).toMatchObject({
    model: 'air_time@2',
    published: true,
  });
  expect(await versionsIn('air_times')).toEqual(['200 by air_time@2']);
  expect((await ada.query(`select pgscore.rollback('air_time') as version`)).rows).toEqual([{ version: 'air_time@1' }]);
  expect(await scoreTable(alice, 'air_time', 'flights', target)).toMatchObject({
    model: 'air_time@1',
    published: true,
  });
  expect(await versionsIn('air_times')).toEqual(['200 by air_time@1']);
  const refused = await refusal(ada, `select pgscore.rollback('air_time')`);
  expect(refused.message).toBe('model "air_time" has no earlier champion to go back to');
});

test('the two versions predict what their frameworks did, which differs', async () => {
  const text = `select abs(a.score - b.score) as difference from air_times_history a join air_times_history b using (flight_id)
    where a.model_version = 'air_time@1' and b.model_version = 'air_time@2'`;
  const { rows: differences } = await alice.query<{ difference: number }>(text);
  expect(Math.max(...differences.map(({ difference }) => difference))).toBeGreaterThan(1);
});

test.each([
  `drop_model('air_time@2')`,
  `rename_model('air_time@2', 'flight_time')`,
  `rollback('air_time@2')`,
  `grant_model('air_time@2', 'bob')`,
  `revoke_model('air_time@challenger', 'bob')`,
  `log_calls('air_time@2', 0)`,
])('what is of a whole model is not done to one that is named by a version: %s', async (call) => {
  const text = `select pgscore.${call}`;
  expect(await refusal(ada, text)).toMatchObject({
    code: '22023',
    message: expect.stringMatching(/ takes a whole model, not version air_time@/),
    hint: expect.stringContaining("Name the model: 'air_time'."),
  });
});

test('what is in use is not dropped; what is not goes, and its predictions stay', async () => {
  expect((await refusal(ada, `select pgscore.drop_version('air_time@1')`)).code).toBe('2BP01');
  await ada.query(`select pgscore.drop_version('air_time@2')`);
  expect(await aliases()).toEqual({ 1: ['challenger', 'champion'] });
  expect(await versionsIn('air_times_history')).toEqual(
    expect.arrayContaining([expect.stringMatching(/by air_time@2$/)]),
  );
  expect((await refusal(alice, `select pgscore.score_table('air_time@2', 'flights')`)).code).toBe('42704');
});

test('every step is in the audit with its actor and the digest of the file', async () => {
  const { rows: steps } = await ada.query(
    `select actor, action, version, length(sha256) as digest from pgscore.audit where model = 'air_time' order by at`,
  );
  expect(steps.map(({ actor, action, version, digest }) => `${actor} ${action} ${version} ${digest}`)).toEqual([
    'ada deploy 1 64',
    'ada deploy 2 64',
    'ada set_alias 2 64',
    'ada set_alias 1 64',
    'ada promote 2 64',
    'ada rollback 1 64',
    'ada drop_version 2 64',
  ]);
});

const PLACES = 5_000_000;

/** Predicts x, which it looks up in 20 MB of numbers. Fixed to one row at a time, so that the check rewrites it. */
const lookup = (): Uint8Array =>
  onnxModel({
    metadata: { 'pgscore.features': JSON.stringify(['x']) },
    inputs: [tensorValue('x', [1, 1])],
    outputs: [tensorValue('y', [1, 1])],
    tensors: [
      floats(
        'numbers',
        [PLACES],
        Array.from({ length: PLACES }, (_, place) => place),
      ),
      integers('places', [1], [PLACES]),
    ],
    nodes: [
      node('Cast', ['x'], ['whole'], { to: 7 }),
      node('Mod', ['whole', 'places'], ['place']),
      node('Gather', ['numbers', 'place'], ['y']),
    ],
  });

test('a large model is stored in pieces, which go without a word when it is dropped', async () => {
  const stored = async () =>
    (
      await superuser.query(
        `select is_served, count(*)::int as pieces, encode(sha256(string_agg(bytes, '' order by piece)), 'hex') = sha256 as as_deployed
           from pgscore_data.artifact join pgscore_data.version using (version_id) join pgscore_data.model using (model_id)
          where name = 'lookup' group by is_served, sha256 order by is_served`,
      )
    ).rows;
  await deployBytes(ada, 'lookup', lookup());
  expect(await stored()).toEqual([
    { is_served: false, pieces: 10, as_deployed: true },
    { is_served: true, pieces: 10, as_deployed: false },
  ]);
  await alice.query('create table places as select x::int from generate_series(0, 4999999, 997) x');
  expect(await scoreTable(alice, 'lookup', 'places', { key: 'x' })).toMatchObject({ state: 'done', rows_failed: '0' });
  const { rows: other } = await alice.query('select x, score from places_scores where score is distinct from x');
  expect(other).toEqual([]);
  expect((await alice.query(`select score('lookup', '{"x": 4999999}') as y`)).rows).toEqual([{ y: 4_999_999 }]);
  const notices: (string | undefined)[] = [];
  ada.on('notice', ({ message }) => notices.push(message));
  await ada.query(`select pgscore.drop_model('lookup')`);
  expect(notices).toEqual([]);
  expect(await stored()).toEqual([]);
}, 60_000);

test('a file may say until when its model was trained; the argument of deploy() goes before it', async () => {
  const dated = weightedModel({ a: 'float32' }, { 'pgscore.trained_until': '2026-01-11' });
  await deployBytes(ada, 'dated', dated);
  await deployBytes(ada, 'dated', dated, { trained_until: '2026-02-01Z' });
  const { rows } = await ada.query(
    `select trained_until from pgscore.models where model = 'dated' order by version`,
  );
  expect(rows).toEqual(['2026-01-11Z', '2026-02-01Z'].map((day) => ({ trained_until: new Date(day) })));
});
