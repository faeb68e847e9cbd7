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
