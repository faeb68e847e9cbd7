import { expect, test } from '@jest/globals';

import { cloneDatabase } from '../support/database.ts';
import { addMonitoredModel, addRun, addVersion, type MonitoredModel } from './monitored-model.ts';

const database = await cloneDatabase();
const superuser = await database.client();

const DAY = '2026-03-01 00:00+00';

/** A model with a prediction of one entity, whose labels are keyed as it is. */
async function addModel(name: string): Promise<MonitoredModel> {
  const model = await addMonitoredModel(superuser, name, 'binary');
  const keyed = `update pgscore_data.monitor set key_types = '{bigint}' where model_id = $1`;
  await superuser.query(keyed, [model.modelId]);
  await addRun(superuser, model, [{ id: 1, at: DAY, score: 0.7, label: 'yes' }]);
  return model;
}

/** Says what is true of that entity; null withdraws it. */
async function say({ modelId }: MonitoredModel, label: string | null, knownAt: string | null = null): Promise<void> {
  const insert = `insert into pgscore_data.label_change (model_id, key, known_at, label, retracted) values ($1, '{1}', $2, $3, $3::text is null)`;
  await superuser.query(insert, [modelId, knownAt, label]);
}

async function refreshed<Row>({ modelId }: MonitoredModel, read: string): Promise<Row[]> {
  await superuser.query('select pgscore.refresh()');
  return (await superuser.query(read, [modelId])).rows as Row[];
}

const LABELS = 'select label from pgscore_data.evaluation where model_id = $1';

test('a label that is given and withdrawn before a refresh is not there after it', async () => {
  const model = await addModel('withdrawn');
  await say(model, 'yes');
  await say(model, null);
  expect(await refreshed(model, LABELS)).toEqual([]);
});

test('a label without a time that is corrected before a refresh is one label after it', async () => {
  const model = await addModel('corrected');
  await say(model, 'yes');
  await say(model, 'no');
  expect(await refreshed(model, LABELS)).toEqual([{ label: 'no' }]);
});

test('a label that only says something else is corrected beside the prediction of each version', async () => {
  const model = await addModel('challenged');
  const second = await addVersion(superuser, model, 2);
  await addRun(superuser, second, [{ id: 1, at: DAY, score: 0.2, label: 'no' }]);
  await say(model, 'yes', DAY);
  const pairs = `select number, label, actual_class, round(p_actual::numeric, 3)::float8 as p_actual from pgscore_data.evaluation e join pgscore_data.version v using (version_id) where e.model_id = $1 order by number`;
  expect(await refreshed(model, pairs)).toEqual([
    { number: 1, label: 'yes', actual_class: 1, p_actual: 0.7 },
    { number: 2, label: 'yes', actual_class: 1, p_actual: 0.2 },
  ]);
  await say(model, 'no', DAY);
  expect(await refreshed(model, pairs)).toEqual([
    { number: 1, label: 'no', actual_class: 0, p_actual: 0.3 },
    { number: 2, label: 'no', actual_class: 0, p_actual: 0.8 },
  ]);
  const log = `select labels_changed::int, entities::int, pairs_removed::int, pairs_added::int from pgscore_data.refresh_log where $1::int > 0 order by refresh_id desc limit 1`;
  expect(await refreshed(model, log)).toEqual([{ labels_changed: 1, entities: 1, pairs_removed: 2, pairs_added: 2 }]);
});

test('a label that is corrected together with another label of its entity, or with a new prediction, judges what it judged', async () => {
  const model = await addModel('together');
  await say(model, 'yes', DAY);
  await refreshed(model, LABELS);
  await say(model, 'no', DAY);
  await say(model, 'yes', '2026-03-02 00:00+00');
  await addRun(superuser, model, [{ id: 1, at: '2026-03-01 12:00+00', score: 0.9, label: 'yes' }]);
  const pairs = `select label, score from pgscore_data.evaluation where model_id = $1 order by known_at`;
  const together = [
    { label: 'no', score: 0.7 },
    { label: 'yes', score: 0.9 },
  ];
  expect(await refreshed(model, pairs)).toEqual(together);
  await say(model, 'no', '2026-03-02 00:00+00');
  await addRun(superuser, model, [{ id: 1, at: '2026-03-01 13:00+00', score: 0.6, label: 'yes' }]);
  expect(await refreshed(model, pairs)).toEqual([together[0], { label: 'no', score: 0.6 }]);
  const cells = `select actual_class, predicted_class, n::int from pgscore_data.cell_outcome join pgscore_data.version using (version_id) where model_id = $1 and n <> 0`;
  expect(await refreshed(model, cells)).toEqual([{ actual_class: 0, predicted_class: 1, n: 2 }]);
});

test('a corrected label meets the prediction of each version that knows its class', async () => {
  const model = await addModel('versions');
  const second = await addVersion(superuser, model, 2);
  const classes = `update pgscore_data.execution set class_labels = '{no,maybe}' where version_id = $1`;
  await superuser.query(classes, [second.versionId]);
  await addRun(superuser, second, [{ id: 1, at: DAY, score: 0.2, label: 'no' }]);
  const pairs = `select array_agg(v.number order by v.number) as versions from pgscore_data.evaluation e join pgscore_data.version v using (version_id) where e.model_id = $1`;
  const versions: unknown[] = [];
  for (const label of ['yes', 'no', 'maybe', 'no', 'neither', 'yes']) {
    await say(model, label, DAY);
    versions.push([
      label,
      ...(await refreshed<{ versions: number[] | null }>(model, pairs)).map((row) => row.versions),
    ]);
  }
  expect(versions).toEqual([
    ['yes', [1]],
    ['no', [1, 2]],
    ['maybe', [2]],
    ['no', [1, 2]],
    ['neither', null],
    ['yes', [1]],
  ]);
});

test('a label of what a dropped version said, too, is corrected once beside the others', async () => {
  const model = await addModel('dropped');
  const second = await addVersion(superuser, model, 2);
  await addRun(superuser, second, [{ id: 1, at: DAY, score: 0.2, label: 'no' }]);
  await say(model, 'yes', DAY);
  await refreshed(model, LABELS);
  const drop = 'delete from pgscore_data.execution where version_id = $1';
  await superuser.query(drop, [second.versionId]);
  await say(model, 'no', DAY);
  const pairs = `select number, label from pgscore_data.evaluation e join pgscore_data.version v using (version_id) where e.model_id = $1 order by number`;
  expect(await refreshed(model, pairs)).toEqual([{ number: 1, label: 'no' }]);
  const cells = `select number, actual_class, n::int from pgscore_data.cell_outcome join pgscore_data.version v using (version_id) where v.model_id = $1 and n <> 0`;
  expect(await refreshed(model, cells)).toEqual([{ number: 1, actual_class: 0, n: 1 }]);
});

test('a label was received when it was first captured, however much later it is counted, and when it is corrected, too', async () => {
  const model = await addModel('captured');
  const capture = `insert into pgscore_data.label_change (model_id, key, known_at, label, captured_at) values ($1, '{1}', $2, $3, $4)`;
  const received = `select label, received_at from pgscore_data.evaluation where model_id = $1`;
  for (const [label, at] of [
    ['yes', '2026-03-02T10:00:00Z'],
    ['no', '2026-03-03T10:00:00Z'],
  ] as const) {
    await superuser.query(capture, [model.modelId, DAY, label, at]);
    expect(await refreshed(model, received)).toEqual([{ label, received_at: new Date('2026-03-02T10:00:00Z') }]);
  }
});
