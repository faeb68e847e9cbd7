import { readFile } from 'node:fs/promises';
import type pg from 'pg';
import type { ScorePlan } from '../plan.ts';
import { makeSource } from '../stage.ts';
import type { Repeated } from './calls.ts';

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

/**
 * What score() cannot be faster than: the same request for a row by dblink in plain SQL, without a function of pgscore
 * around it and without a log. Only a superuser may.
 */
export const BARE: Repeated = {
  settings: { 'pgscore.execution': 'online' },
  call: `select case when 'pgscore' = any (pgscore_dblink.dblink_get_connections()) then pgscore_bench.bare(row_to_json(t)::text)
                else pgscore.score('trees', t)::text end
           from pgscore_bench.loose t where t.id = $1`,
};

/** Creates what BARE calls. PostgreSQL puts its body into the query. */
export async function makeBareExchange(owner: pg.Client): Promise<void> {
  const create = `do $do$
  begin
    execute format('create function pgscore_bench.bare(given text) returns text language sql volatile as %L',
      format('select pgscore_dblink.dblink_exec(''pgscore'', %L || given)',
        format(E'score {"version":%s,"reply":"score","role":%s}\\n',
          (select v.version_id from pgscore_data.version v join pgscore_data.model m using (model_id) where m.name = 'trees'),
          to_json(current_user::text))));
  end $do$`;
  await owner.query(create);
}
