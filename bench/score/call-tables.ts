import { readFile } from 'node:fs/promises';
import type pg from 'pg';
import type { ScorePlan } from '../plan.ts';
import { makeSource } from '../stage.ts';

const LOGISTIC = new URL('../logistic.onnx', import.meta.url);
const TREES = new URL('../trees.onnx', import.meta.url);
/** Each with two versions of the same file, of which an experiment gives each half of the rows. */
const SPLIT = [
  ['split_trees', TREES],
  ['split_logistic', LOGISTIC],
] as const;
const BOUND = [
  ['trees', 'bound'],
  ['logistic', 'bound'],
  ['logistic', 'large'],
  ['split_trees', 'bound'],
  ['split_logistic', 'bound'],
];

/**
 * The models beside `trees`, and their tables: `bound` has typed functions of all, `large` of the logistic model, `loose` has none,
 * `documents` are jsonb.
 */
export async function makeCallTables(
  owner: pg.Client,
  requester: pg.Client,
  { tableRows, largeRows }: ScorePlan,
): Promise<void> {
  const deploy = `select pgscore.deploy('logistic', $1)`;
  await requester.query(deploy, [await readFile(LOGISTIC)]);
  await requester.query(`call pgscore.wait_for_version('logistic@1')`);
  for (const [model, file] of SPLIT) await startExperiment(requester, model, await readFile(file));
  await owner.query('grant usage on schema pgscore_bench to pgscore_owner');
  for (const name of ['bound', 'loose']) await makeSource(requester, name, tableRows);
  await makeSource(requester, 'large', largeRows);
  for (const [model, table] of BOUND) await requester.query('select pgscore.bind($1, $2::regclass)', [model, table]);
  await requester.query('create table documents as select to_jsonb(l) as features from loose l');
  await owner.query('vacuum (analyze) pgscore_bench.documents');
  // So that no checkpoint of the tables just written meets the first of the ways.
  await owner.query('checkpoint');
}

async function startExperiment(requester: pg.Client, model: string, bytes: Buffer): Promise<void> {
  for (const version of [1, 2]) {
    await requester.query('select pgscore.deploy($1, $2)', [model, bytes]);
    await requester.query('call pgscore.wait_for_version($1)', [`${model}@${version}`]);
  }
  const start = `select pgscore.start_experiment($1, kind => 'ab', arms => $2, split_by => '{id}')`;
  await requester.query(start, [model, { [`${model}@2`]: 50 }]);
}
