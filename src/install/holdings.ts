import type pg from 'pg';
import { statement } from '../db/statement.ts';
import { SCHEMAS } from './schemas.ts';

/** What an installation holds, and what outside of it hangs on it. */
export type Holdings = {
  readonly models: number;
  readonly versions: number;
  readonly runs: number;
  readonly schedules: number;
  readonly targets: number;
  readonly predictions: number;
  /** Services that showed a sign of life in the last 30 seconds. */
  readonly services: number;
  /** Views, functions and the like of users that would go with it, as PostgreSQL describes them. */
  readonly dependents: string[];
};

type Counts = Omit<Holdings, 'dependents'>;

const readCounts = statement<[], Counts>(
  'read_holdings',
  `select (select count(*)::int from pgscore_data.model) as models,
          (select count(*)::int from pgscore_data.version where state <> 'dropped') as versions,
          (select count(*)::int from pgscore_data.run) as runs,
          (select count(*)::int from pgscore_data.schedule) as schedules,
          (select count(*)::int from pgscore_data.target) as targets,
          (select coalesce(sum(current_rows), 0)::float8 from pgscore_data.target) as predictions,
          (select count(*)::int from pgscore_data.worker
            where state <> 'stopped' and heartbeat_at > clock_timestamp() - interval '30 seconds') as services`,
);

/** Follows pg_depend as DROP … CASCADE does: what depends on an object, and what an internal part belongs to. */
const readDependents = statement<[schemas: readonly string[]], { description: string }>(
  'read_dependents',
  `with recursive falls (classid, objid) as (
     select 'pg_namespace'::regclass::oid, oid from pg_namespace where nspname = any ($1)
     union
     select next.classid, next.objid from falls cross join lateral (
       select d.classid, d.objid from pg_depend d
        where d.refclassid = falls.classid and d.refobjid = falls.objid and d.deptype in ('n', 'a', 'i', 'P', 'S')
       union all
       select d.refclassid, d.refobjid from pg_depend d
        where d.classid = falls.classid and d.objid = falls.objid and d.deptype = 'i'
     ) next
   )
   select pg_describe_object(classid, objid, 0) as description
     from falls cross join lateral pg_identify_object(classid, objid, 0) o
    where classid not in ('pg_namespace'::regclass, 'pg_type'::regclass, 'pg_rewrite'::regclass)
      and o.schema is not null and o.schema <> all ($1) and o.schema <> 'pg_toast'
    order by 1`,
);

/** Looks at an installation, as pgscore_owner. */
export async function readHoldings(client: pg.ClientBase): Promise<Holdings> {
  const [counts] = await readCounts(client);
  const dependents = await readDependents(client, Object.keys(SCHEMAS));
  const nothing = { models: 0, versions: 0, runs: 0, schedules: 0, targets: 0, predictions: 0, services: 0 };
  return { ...(counts ?? nothing), dependents: dependents.map(({ description }) => description) };
}
