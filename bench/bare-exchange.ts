import type pg from 'pg';
import type { Repeated } from './call-rate.ts';

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
