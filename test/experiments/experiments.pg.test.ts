import { beforeAll, expect, test } from '@jest/globals';

import { addMonitoredModel, addVersion } from '../monitor/monitored-model.ts';
import { cloneDatabase } from '../support/database.ts';
import { refusal } from '../support/refusal.ts';

const database = await cloneDatabase();
const [superuser, ada, alice] = await Promise.all([
  database.client(),
  database.client('ada'),
  database.client('alice'),
]);

/** A model with so many ready versions, of which the first is the champion. */
async function addModel(name: string, versions: number): Promise<void> {
  const first = await addMonitoredModel(superuser, name, 'binary');
  for (let number = 2; number <= versions; number += 1) await addVersion(superuser, first, number);
  await superuser.query('select pgscore_data._set_alias($1, $2)', [first.versionId, 'champion']);
}

function start(model: string, arms: object, more = `split_by => '{id}'`, kind = 'canary'): Promise<unknown> {
  const text = `select pgscore.start_experiment($1, kind => $2, arms => $3, ${more}) as experiment`;
  return ada.query(text, [model, kind, arms]);
}

beforeAll(async () => {
  await addModel('churn', 6);
  await addModel('other', 2);
});

test('an experiment is started, grows, and is stopped by a promotion; all of it is on record', async () => {
  await addModel('told', 3);
  await start('told', { 'told@2': 10, 'told@3': 0.5 }, `split_by => '{id}', until => now() + interval '14 days'`);
  const grown = await ada.query(`select pgscore.set_arms('told', '{"told@2": 25}') as arms`);
  expect(grown.rows).toEqual([{ arms: { 'told@2': 25, 'told@3': 0.5 } }]);

  const [running] = (await alice.query(`select * from pgscore.experiments where model = 'told'`)).rows;
  expect(running).toMatchObject({
    kind: 'canary',
    is_running: true,
    champion: 'told@1',
    arms: { 'told@2': 25, 'told@3': 0.5 },
    split_by: ['id'],
    sampling: 1,
    salt: `told/${running.experiment_id}`,
    started_by: 'ada',
    stopped_at: null,
    promoted: null,
  });

  await ada.query(`select pgscore.promote('told@1')`);
  for (const change of [
    `pgscore.promote('told@2')`,
    `pgscore.rollback('told')`,
    `pgscore.set_alias('told@2', 'champion')`,
    `pgscore.drop_version('told@3')`,
    `pgscore.drop_model('told')`,
  ]) {
    expect(await refusal(ada, `select ${change}`)).toMatchObject({
      code: '55000',
      message: 'model "told" has an experiment that is running',
      hint: expect.stringContaining(`select pgscore.stop_experiment('told'`),
    });
  }

  const stopped = await ada.query(`select pgscore.stop_experiment('told', promote => 'told@2') as champion`);
  expect(stopped.rows).toEqual([{ champion: 'told@2' }]);
  const audit = await ada.query(
    `select action, actor, detail - 'until' as detail from pgscore.audit where model = 'told' order by at`,
  );
  const experiment = running.experiment_id;
  expect(audit.rows).toEqual([
    {
      action: 'start_experiment',
      actor: 'ada',
      detail: { kind: 'canary', arms: { 'told@2': 10, 'told@3': 0.5 }, split_by: ['id'], experiment },
    },
    { action: 'set_arms', actor: 'ada', detail: { arms: { 'told@2': 25 }, experiment } },
    { action: 'promote', actor: 'ada', detail: {} },
    { action: 'stop_experiment', actor: 'ada', detail: { argument: 'told@2', experiment } },
    { action: 'promote', actor: 'ada', detail: {} },
  ]);
  const { rows } = await alice.query(
    `select is_running, promoted, stopped_at is not null as ended from pgscore.experiments where model = 'told'`,
  );
  expect(rows).toEqual([{ is_running: false, promoted: 'told@2', ended: true }]);
});

test('shares are right to a tenth of a point over a million keys, and an arm keeps its entities while it grows', async () => {
  await addModel('grown', 3);
  await start('grown', { 'grown@2': 1, 'grown@3': 5 });
  await superuser.query(
    `create temporary table key as select pgscore.bucket(salt, k) as bucket, count(*)::int as n
       from pgscore.experiments, generate_series(1, 1000000::bigint) k where model = 'grown' group by 1`,
  );
  type Share = { bucket: number; n: number; arm: number | null };
  const read = async () =>
    (
      await superuser.query<Share>(
        `select k.bucket, k.n, v.number as arm from key k cross join pgscore.experiments e
           left join pgscore_data.experiment_arm a on a.experiment_id = e.experiment_id and a.buckets @> k.bucket
           left join pgscore_data.version v using (version_id) where e.model = 'grown'`,
      )
    ).rows;
  const share = (keys: readonly Share[], arm: number) =>
    keys.reduce((total, key) => total + (key.arm === arm ? key.n : 0), 0) / 10_000;
  let before = await read();
  expect(before.length).toBe(10_000);
  for (const [two, three] of [
    [1, 5],
    [10, 5],
    [50, 20],
    [60, 40],
  ] as const) {
    await ada.query(`select pgscore.set_arms('grown', $1)`, [{ 'grown@2': two, 'grown@3': three }]);
    const now = await read();
    expect(Math.abs(share(now, 2) - two)).toBeLessThan(0.1);
    expect(Math.abs(share(now, 3) - three)).toBeLessThan(0.1);
    const armOf = new Map(now.map(({ bucket, arm }) => [bucket, arm]));
    expect(before.filter(({ bucket, arm }) => arm !== null && armOf.get(bucket) !== arm)).toEqual([]);
    before = now;
  }
  expect(before.filter(({ arm }) => arm === null)).toEqual([]);
});

test('the arm of a key is that of its bucket, for each type of key', async () => {
  await addModel('armed', 2);
  const armOf = async (key: string | null) =>
    (await alice.query(`select pgscore.arm('armed', $1::text) as arm`, [key])).rows[0]?.arm;
  expect(await armOf('42')).toBe('armed@1');
  await start('armed', { 'armed@2': 50 });
  const { rows } = await alice.query(
    `select count(*)::int as wrong from generate_series(1, 1000::bigint) k, pgscore.experiments e where e.model = 'armed'
       and (pgscore.arm('armed', k) = 'armed@2') <> (pgscore.bucket(e.salt, k) < 5000)
        or pgscore.arm('armed', k) <> pgscore.arm('armed', k::text) or pgscore.arm('armed', md5(k::text)::uuid) <> pgscore.arm('armed', md5(k::text)::uuid::text)
        or pgscore.arm('armed', array[k::text]) <> pgscore.arm('armed', k)`,
  );
  expect(rows).toEqual([{ wrong: 0 }]);
  expect(await armOf(null)).toBe('armed@1');
  expect((await alice.query(`select pgscore.arm('armed@2', '42') as arm`)).rows).toEqual([{ arm: 'armed@2' }]);
  expect(await refusal(alice, `select pgscore.arm('armed', array['a', 'b'])`)).toMatchObject({
    code: '22023',
    message: 'the experiment of model "armed" splits by id',
  });
  expect(await refusal(alice, `select pgscore.arm('absent', '42')`)).toMatchObject({ code: '42704' });
});

test('a shadow leaves all entities with the champion', async () => {
  await addModel('shadowed', 3);
  await start('shadowed', { 'shadowed@2': 100, 'shadowed@3': 100 }, 'sampling => 0.2', 'shadow');
  const { rows } = await alice.query(
    `select sampling, (select count(distinct pgscore.arm('shadowed', k))::int from generate_series(1, 100::bigint) k) as arms
       from pgscore.experiments where model = 'shadowed'`,
  );
  expect(rows).toEqual([{ sampling: 0.2, arms: 1 }]);
});

test('the service stops an experiment at its time', async () => {
  await addModel('timed', 2);
  await start('timed', { 'timed@2': 50 }, `split_by => '{id}', until => now() + interval '50 milliseconds'`);
  await superuser.query('select pg_sleep(0.06)');
  await superuser.query('set role pgscore_service');
  const stopped = await superuser.query('select model from pgscore_data._stop_due_experiments() model');
  expect(stopped.rows).toEqual([{ model: 'timed' }]);
  expect((await superuser.query('select from pgscore_data._stop_due_experiments()')).rowCount).toBe(0);
  await superuser.query('reset role');
  const audit = await ada.query(`select actor from pgscore.audit where model = 'timed' and action = 'stop_experiment'`);
  expect(audit.rows).toEqual([{ actor: 'pgscore_owner' }]);
});

test('an experiment that makes no sense is refused, with the way out', async () => {
  await addMonitoredModel(superuser, 'unready', 'binary');
  await superuser.query(
    `update pgscore_data.execution e set class_labels = case v.number when 4 then '{no,maybe}' else e.class_labels end,
            task = case v.number when 5 then 'regression' else e.task end
       from pgscore_data.version v join pgscore_data.model m using (model_id) where v.version_id = e.version_id and m.name = 'churn'`,
  );
  await ada.query(`select pgscore.drop_version('churn@6')`);
  await superuser.query(
    `update pgscore_data.version set state = 'checking' where model_id = (select model_id from pgscore_data.model where name = 'churn') and number = 3`,
  );
  const refused = (arms: object | string | null, more = `split_by => '{id}'`, kind = 'canary', model = 'churn') =>
    refusal(ada, `select pgscore.start_experiment($1, kind => $2, arms => $3, ${more})`, [
      model,
      kind,
      arms === null ? null : JSON.stringify(arms),
    ]);
  const two = { 'churn@2': 10 };
  const cannot = 'an experiment of model "churn" cannot be started: ';
  const noArm = (version: string) => `version "${version}" cannot be an arm of an experiment of model "churn": `;
  expect(
    [
      await refused(two, `split_by => '{id}'`, 'trial'),
      await refused(two, `split_by => null`),
      await refused(two, `split_by => '{id,id}'`),
      await refused(two, `split_by => '{id,null}'`),
      await refused(two, `split_by => '{id}', sampling => 0.5`),
      await refused(two, `split_by => '{id}', until => '2020-01-01'`),
      await refused({ 'churn@2': 100 }, `split_by => '{id}'`, 'shadow'),
      await refused({ 'churn@2': 100 }, `sampling => 1.5`, 'shadow'),
      await refused(two, `sampling => 0.5`, 'shadow'),
      await refused(null),
      await refused([]),
      await refused({}),
      await refused({ 'churn@2': '10' }),
      await refused({ 'churn@2': 101 }),
      await refused({ 'churn@2': 0.001 }),
      await refused({ 'churn@2': 10, 'churn@champion': null }),
      await refused({ 'other@2': 10 }),
      await refused({ churn: 10 }),
      await refused({ 'churn@1': 10 }),
      await refused({ 'churn@champion': 10 }),
      await refused({ 'churn@3': 10 }),
      await refused({ 'churn@4': 10 }),
      await refused({ 'churn@5': 10 }),
      await refused({ 'churn@6': 10 }),
      await refused({ 'churn@9': 10 }),
      await refused(two, `split_by => '{id}'`, 'canary', 'churn@2'),
      await refused(two, `split_by => '{id}'`, 'canary', 'absent'),
      await refused({ 'unready@1': 10 }, `split_by => '{id}'`, 'canary', 'unready'),
    ].map(({ code, message }) => `${code} ${message}`),
  ).toEqual([
    `22023 ${cannot}there is no kind 'trial'`,
    `22023 ${cannot}it needs split_by`,
    `22023 ${cannot}split_by names a column twice, or one without a name`,
    `22023 ${cannot}split_by names a column twice, or one without a name`,
    `22023 ${cannot}only a shadow has sampling`,
    `22023 ${cannot}until has passed`,
    `22023 ${cannot}a shadow has no split_by`,
    `22023 ${cannot}sampling is a share above 0, at most 1`,
    `22023 ${noArm('churn@2')}a shadow has a weight of 100`,
    `22023 arms is no JSON object of versions and percents`,
    `22023 arms is no JSON object of versions and percents`,
    `22023 arms is no JSON object of versions and percents`,
    `22023 the weight of an arm is a percent from 0.01 to 100 with two decimals at most`,
    `22023 the weight of an arm is a percent from 0.01 to 100 with two decimals at most`,
    `22023 the weight of an arm is a percent from 0.01 to 100 with two decimals at most`,
    `22023 the weight of an arm is a percent from 0.01 to 100 with two decimals at most`,
    `22023 ${noArm('other@2')}it is no version of this model`,
    `22023 ${noArm('churn')}it is no version of this model`,
    `22023 ${noArm('churn@1')}it is the champion`,
    `22023 ${noArm('churn@champion')}it is the champion`,
    `55000 version "churn@3" is checking, not ready`,
    `22023 ${noArm('churn@4')}it says no, maybe, and the champion no, yes`,
    `22023 ${noArm('churn@5')}its task is regression, and that of the champion binary`,
    `42704 model "churn" has no version or alias "6"`,
    `42704 model "churn" has no version or alias "9"`,
    `22023 start_experiment takes a whole model, not version churn@2`,
    `42704 model "absent" does not exist`,
    `55000 model "unready" has no champion yet`,
  ]);
});

test('a second one, weights over 100, a shrunken or new arm and another promotion are refused', async () => {
  await addModel('full', 4);
  expect((await refusal(ada, `select pgscore.set_arms('full', '{"full@2": 5}')`)).message).toBe(
    'model "full" has no experiment that is running',
  );
  expect(
    await refusal(ada, `select pgscore.start_experiment('full', 'ab', '{"full@2": 60, "full@3": 41}', '{id}')`),
  ).toEqual({
    code: '22023',
    message: 'the arms of model "full" would have 101 % of entities',
    detail: undefined,
    hint: 'The weights of all arms are percents, 100 together at most; the champion has the rest.',
  });
  await start('full', { 'full@2': 60, 'full@3': 30 });
  await ada.query(`select pgscore.set_alias('full@2', 'challenger')`);
  const messages: string[] = [];
  for (const call of [
    `start_experiment('full', 'canary', '{"full@4": 1}', '{id}')`,
    `set_arms('full', '{"full@3": 41}')`,
    `set_arms('full', '{"full@2": 59}')`,
    `set_arms('full', '{"full@4": 1}')`,
    `set_arms('full', '{"full@2": 60, "full@challenger": 60}')`,
    `stop_experiment('full', promote => 'full@4')`,
  ]) {
    messages.push((await refusal(ada, `select pgscore.${call}`)).message);
  }
  expect(messages).toEqual([
    'model "full" has an experiment that is running already',
    'the arms of model "full" would have 101 % of entities',
    'arm "full@2" has 60 % of entities already: an arm only grows',
    'version "full@4" is no arm of the experiment of model "full"',
    'version "full@challenger" cannot be an arm of an experiment of model "full": it is named twice',
    'version "full@4" is no arm of the experiment of model "full"',
  ]);
  await ada.query(`select pgscore.set_arms('full', '{"full@challenger": 70}')`);
  await ada.query(`select pgscore.stop_experiment('full')`);
});

test('only a deployer starts, changes and stops one', async () => {
  for (const call of [
    `start_experiment('other', 'canary', '{"other@2": 1}', '{id}')`,
    `set_arms('other', '{"other@2": 1}')`,
    `stop_experiment('other')`,
  ]) {
    expect(await refusal(alice, `select pgscore.${call}`)).toMatchObject({ code: '42501' });
  }
});
