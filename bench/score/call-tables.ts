import { readFile } from 'node:fs/promises';
import type pg from 'pg';
import type { ScorePlan } from '../plan.ts';
import { makeSource } from '../stage.ts';

const LOGISTIC = new URL('../logistic.onnx', import.meta.url);
const BOUND = [
  ['trees', 'bound'],
  ['logistic', 'bound'],
  ['logistic', 'large'],
];

/**
 * The models beside `trees`, and their tables: `bound` has typed functions of both, `large` of the logistic model, `loose` has none,
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
  await owner.query('grant usage on schema pgscore_bench to pgscore_owner');
  for (const name of ['bound', 'loose']) await makeSource(requester, name, tableRows);
  await makeSource(requester, 'large', largeRows);
  for (const [model, table] of BOUND) await requester.query('select pgscore.bind($1, $2::regclass)', [model, table]);
  await requester.query('create table documents as select to_jsonb(l) as features from loose l');
  await owner.query('vacuum (analyze) pgscore_bench.documents');
  // So that no checkpoint of the tables just written meets the first of the ways.
  await owner.query('checkpoint');
}
