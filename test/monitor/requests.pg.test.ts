import { expect, test } from '@jest/globals';

import { cloneDatabase } from '../support/database.ts';
import { refusal } from '../support/refusal.ts';
import { addMonitoredModel, addVersion, type MonitoredModel } from './monitored-model.ts';

const database = await cloneDatabase();
const [superuser, ada, alice] = await Promise.all([
  database.client(),
  database.client('ada'),
  database.client('alice'),
]);

await addVersion(superuser, await addMonitoredModel(superuser, 'few', 'binary'), 3);
const tiny = await addMonitoredModel(superuser, 'tiny', 'binary');
await ada.query(`select pgscore.monitor('tiny', segments => '{region}')`);
await ada.query(
  `select pgscore.set_gate('few', 'not_worse', metric => 'accuracy', margin => 0.05, minimum_labels => 500)`,
);

test('gates are set in place of those of their name, listed for users, dropped, and written to the audit', async () => {
  await ada.query(`select pgscore.set_gate('few', 'not_worse', metric => 'f1', margin => 0.1)`);
  const list = `select gate, kind, metric, against, margin, minimum_labels::int, set_by from pgscore.gates where model = 'few' order by gate`;
  const same = { kind: 'not_worse', against: 'champion', set_by: 'ada' };
  const accuracy = { gate: 'not_worse_accuracy', metric: 'accuracy', margin: 0.05, minimum_labels: 500, ...same };
  const f1 = { gate: 'not_worse_f1_score', metric: 'f1_score', margin: 0.1, minimum_labels: 30, ...same };
  expect((await alice.query(list)).rows).toEqual([accuracy, f1]);
  const drop = await ada.query(`select pgscore.drop_gate('few', 'not_worse_f1_score') as gate`);
  expect(drop.rows).toEqual([{ gate: 'not_worse_f1_score' }]);
  expect((await alice.query(list)).rows).toEqual([accuracy]);
  const audit = `select actor, action, detail from pgscore.audit where model = 'few' and action like '%gate' order by at desc limit 2`;
  expect((await ada.query(audit)).rows).toEqual([
    { actor: 'ada', action: 'drop_gate', detail: { argument: 'not_worse_f1_score' } },
    {
      actor: 'ada',
      action: 'set_gate',
      detail: { argument: 'not_worse_f1_score', kind: 'not_worse', metric: 'f1', margin: 0.1 },
    },
  ]);
});

test('gates are for those who may promote', async () => {
  for (const call of [
    `pgscore.set_gate('few', 'not_worse', metric => 'accuracy', margin => 0.1)`,
    `pgscore.drop_gate('few', 'not_worse_accuracy')`,
    `pgscore.check_gates('few@1')`,
  ]) {
    expect((await refusal(alice, `select ${call}`)).code).toBe('42501');
  }
});

test.each([
  [`'few', 'better', metric => 'accuracy', margin => 0`, 'there is no such kind', 'Kinds are golden'],
  [`'few', 'not_worse', metric => 'accuracy'`, 'it needs margin', 'It needs metric and margin'],
  [`'few', 'not_worse', margin => 0.1`, 'it needs metric', 'It needs metric and margin'],
  [`'few', 'not_worse', metric => 'accuracy', margin => 0.1, by => 'x'`, 'it takes no by', 'against, minimum_labels'],
  [`'few', 'not_worse', metric => 'mae', margin => 0.1`, `versions are not compared by 'mae'`, 'Use one of accuracy,'],
  [`'few', 'not_worse', metric => 'accuracy', margin => -1`, 'margin is a number from 0 on', 'Leave out'],
  [`'few', 'not_worse', metric => 'accuracy', margin => 'NaN'`, 'margin is a number from 0 on', 'Leave out'],
  [`'few', 'not_worse', metric => 'accuracy', margin => 0, against => 'x'`, 'against is champion', 'Leave out'],
  [`'few', 'not_worse', metric => 'accuracy', margin => 0, minimum_labels => 0`, 'minimum_labels is 1', 'Leave out'],
  [`'few', 'not_worse', metric => 'accuracy', margin => 0, name => '1 x'`, 'a name begins with', 'Leave out'],
  [`'few', 'no_segment_worse', metric => 'accuracy', margin => 0`, 'the model has no segments', 'pgscore.monitor'],
  [`'tiny', 'no_segment_worse', metric => 'accuracy', margin => 0, by => 'x'`, 'x is no segment column', 'region.'],
])('a gate with %s is refused', async (call, message, hint) => {
  expect(await refusal(ada, `select pgscore.set_gate(${call})`)).toMatchObject({
    code: '22023',
    message: expect.stringContaining(message),
    hint: expect.stringContaining(hint),
  });
});

test.each([
  ['binary', true, 'x', 'column "x" of ada.golden is a feature of model "tiny"', 'a column of its own'],
  ['binary', true, 'Is it?', 'column "Is it?" of ada.golden is a feature of model "tiny"', 'a column of its own'],
  ['binary', false, 'n', 'n holds numbers, and the model, whose task is binary, has no score', 'texts with the label'],
  ['embedding', true, 'n', 'n holds numbers, and the model, whose task is embedding, has no score', 'deploy() checks'],
  [
    'multilabel',
    true,
    'text',
    'text holds labels, and the model, whose task is multilabel, has no label',
    'deploy() checks',
  ],
])(
  'a golden gate of a %s model (probabilities: %s) by %s is refused',
  async (task, probabilities, expected, message, hint) => {
    await superuser.query('begin');
    await superuser.query(
      `update pgscore_data.version set signature = signature || '{"features": [
       {"name": "X", "type": "float32", "width": 1}, {"name": "Is_it_", "type": "float32", "width": 1}]}' where version_id = $1`,
      [tiny.versionId],
    );
    await superuser.query(`insert into pgscore_data.alias (model_id, alias, version_id) values ($1, 'champion', $2)`, [
      tiny.modelId,
      tiny.versionId,
    ]);
    const execution = 'update pgscore_data.execution set task = $2, probabilities = $3 where version_id = $1';
    await superuser.query(execution, [tiny.versionId, task, probabilities]);
    await superuser.query(`create table ada.golden as select 1 as x, 2 as "Is it?", 3 as n, 'a' as text`);
    const call = `select pgscore.set_gate('tiny', 'golden', source => 'ada.golden', expected => '${expected}')`;
    expect(await refusal(superuser, call)).toMatchObject({
      code: '22023',
      message: expect.stringContaining(message),
      hint: expect.stringContaining(hint),
    });
    await superuser.query('rollback');
  },
);

test('clusters, which no label judges, are not compared, so that no gate bars every version', async () => {
  await superuser.query('begin');
  await superuser.query(`update pgscore_data.execution set task = 'multiclass', positive_class = null, threshold = null, score_unit = 'distance'
     where version_id in (select v.version_id from pgscore_data.version v join pgscore_data.model m using (model_id) where m.name = 'few')`);
  await superuser.query('set local role ada');
  expect(
    await refusal(superuser, `select pgscore.set_gate('few', 'not_worse', metric => 'accuracy', margin => 0)`),
  ).toMatchObject({ code: '22023', hint: 'Of a model whose task is clustering, versions are not compared.' });
  await superuser.query('rollback');
});

test('of a version, a model or a gate that is not there, they say so', async () => {
  expect(await refusal(ada, `select pgscore.drop_gate('few', 'x')`)).toMatchObject({
    code: '42704',
    hint: `It has 'not_worse_accuracy'.`,
  });
  expect(
    await refusal(ada, `select pgscore.set_gate('few@2', 'not_worse', metric => 'accuracy', margin => 0)`),
  ).toMatchObject({
    code: '22023',
    hint: `Name the model: 'few'.`,
  });
  await ada.query(`select pgscore.drop_version('few@3')`);
  for (const version of ['few@3', 'nobody']) {
    expect((await refusal(ada, `select * from pgscore.check_gates('${version}')`)).code).toBe('42704');
  }
});

await superuser.query(`set lock_timeout = '2s'`);

const ask = `insert into pgscore._baseline_request (model, action, settings) values ($1, $2, $3) returning outcome`;
const SAMPLES = JSON.stringify([{ feature: 1, numbers: [0.1, 2, 3] }]);

async function addModel(name: string): Promise<MonitoredModel> {
  const model = await addMonitoredModel(superuser, name, 'binary');
  await superuser.query(
    `update pgscore_data.version set signature = jsonb_set(signature, '{features}', '[{"name": "x", "type": "float32", "width": 1}]') where version_id = $1`,
    [model.versionId],
  );
  await superuser.query(`insert into pgscore_data.alias (model_id, alias, version_id) values ($1, 'champion', $2)`, [
    model.modelId,
    model.versionId,
  ]);
  return model;
}

test('who counts a table for long holds up neither refreshes nor the runs of its model, and is told where these were first', async () => {
  const { versionId } = await addModel('counted');
  await ada.query('begin');
  await ada.query('set local extra_float_digits = -10');
  for (const [samples, bins] of [
    [null, { frozen: false, low: null }],
    [SAMPLES, { frozen: false, low: 0.1, high: 3, edges: '{2,3}' }],
  ]) {
    const { rows } = await ada.query<{ outcome: unknown }>(ask, ['counted', 'plan', samples]);
    expect(rows[0]?.outcome).toMatchObject([bins]);
  }
  expect((await superuser.query(`select pgscore_data._take_turn('cells') as mine`)).rows).toEqual([{ mine: true }]);
  await superuser.query('select pgscore_data._freeze_bins($1, $2)', [versionId, SAMPLES]);
  const counts = {
    counts: [{ feature: 1, slot: 3, n: 5, measured: 5, sum: 1 }],
    samples: JSON.parse(SAMPLES) as unknown,
  };
  await expect(ada.query(ask, ['counted', 'count', JSON.stringify(counts)])).rejects.toMatchObject({ code: '40001' });
  await ada.query('rollback');
});

test.each([
  ['negative', { n: -5, measured: 0, sum: 0 }],
  ['too many', { n: 9e18, measured: 0, sum: 0 }],
  ['NULL', { n: null, measured: 0, sum: 0 }],
  ['of a sum that is no number', { n: 5, measured: 5, sum: 'NaN' }],
])('counts that are %s are refused', async (what, count) => {
  const name = `refused_${what.replaceAll(' ', '_')}`.toLowerCase();
  await addModel(name);
  const counts = JSON.stringify({
    counts: [{ feature: 1, slot: 3, ...count }],
    samples: JSON.parse(SAMPLES) as unknown,
  });
  await expect(ada.query(ask, [name, 'count', counts])).rejects.toMatchObject({ code: '22023' });
});
