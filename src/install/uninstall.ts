import type pg from 'pg';
import { clearNodes, keepDdlLocal } from '../citus/nodes.ts';
import { transaction, statement } from '../postgres/statement.ts';
import { ident, qualified } from '../lib/text.ts';
import { asOwner } from './installation.ts';
import { SCHEMAS } from './schemas.ts';
import { sqlState } from '../postgres/sqlstate.ts';
import { PgscoreError } from '../errors.ts';
import { ROLES } from './roles.ts';

/**
 * Drops the schemas of pgscore with everything in them and everything that depends on them, and public.score and
 * public.score_or_null where they are pgscore's. Interrupted, it can be run again.
 */
export async function uninstall(client: pg.Client): Promise<void> {
  await keepDdlLocal(client);
  await clearNodes(client);
  await asOwner(client, async () => {
    await dropStorage(client);
    await transaction(client, () => dropSchemas(client));
  });
}

/** One target at a time: a drop locks every partition, and one transaction can hold only so many locks. */
async function dropStorage(client: pg.Client): Promise<void> {
  const { rows } = await client.query<{ name: string }>(
    "select c.relname as name from pg_class c where c.relnamespace = to_regnamespace('pgscore_predictions') and c.relkind = 'p'",
  );
  for (const { name } of rows) {
    const line = `drop table ${qualified('pgscore_predictions', name)} cascade`;
    await client.query(line);
  }
}

async function dropSchemas(client: pg.Client): Promise<void> {
  for (const signature of await publicFunctions(client)) {
    const line = `drop function ${signature} cascade`;
    await client.query(line);
  }
  const line = `drop schema if exists ${Object.keys(SCHEMAS).map(ident).join(', ')} cascade`;
  await client.query(line);
  await client.query('alter default privileges for role pgscore_owner grant execute on functions to public');
}

async function publicFunctions(client: pg.Client): Promise<string[]> {
  const { rows } = await client.query<{ signature: string }>(
    `select p.oid::regprocedure::text as signature from pg_proc p
      where p.pronamespace = to_regnamespace('public') and p.proname in ('score', 'score_or_null') and p.proowner = 'pgscore_owner'::regrole`,
  );
  return rows.map(({ signature }) => signature);
}

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
          (select count(*)::int from pgscore_data.service
            where state <> 'stopped' and heartbeat_at > clock_timestamp() - interval '30 seconds') as services`,
);

/**
 * Follows pg_depend as DROP … CASCADE does: what depends on an object or a column of it, and what an internal part belongs
 * to. Of what falls it tells neither parts of other things that fall, nor what is of pgscore: objects of its owner, the
 * members of its extension, and read handles and fire functions, which stand in users' names.
 */
const readDependents = statement<[schemas: readonly string[]], { description: string }>(
  'read_dependents',
  `with recursive falls (classid, objid, objsubid) as (
     select 'pg_namespace'::regclass::oid, oid, 0 from pg_namespace where nspname = any ($1)
     union
     select 'pg_proc'::regclass, oid, 0 from pg_proc where proname = 'score' and pronamespace = to_regnamespace('public') and proowner = 'pgscore_owner'::regrole
     union
     select next.classid, next.objid, next.objsubid from falls cross join lateral (
       select d.classid, d.objid, d.objsubid from pg_depend d
        where d.refclassid = falls.classid and d.refobjid = falls.objid and falls.objsubid in (0, d.refobjsubid) and d.deptype in ('n', 'a', 'i', 'P', 'S')
       union all
       select d.refclassid, d.refobjid, d.refobjsubid from pg_depend d
        where d.classid = falls.classid and d.objid = falls.objid and d.objsubid = falls.objsubid and d.deptype = 'i'
     ) next
   ), whole as (
     select f.* from falls f
      where f.classid <> 'pg_namespace'::regclass and f.classid <> 'pg_extension'::regclass
        and not exists (
          select from pg_depend d join falls p on p.classid = d.refclassid and p.objid = d.refobjid and p.objsubid in (0, d.refobjsubid)
           where d.classid = f.classid and d.objid = f.objid and d.objsubid = f.objsubid and d.deptype in ('a', 'i', 'P'))
        and not exists (select from falls p where p.classid = f.classid and p.objid = f.objid and p.objsubid = 0 and f.objsubid <> 0)
        and not exists (select from pg_depend d where d.classid = f.classid and d.objid = f.objid and d.deptype = 'e')
   )
   select pg_describe_object(classid, objid, objsubid) as description
     from whole w
     left join lateral (
       select c.relowner as owner, c.relname as name, c.relnamespace as namespace from pg_class c where w.classid = 'pg_class'::regclass and c.oid = w.objid
       union all
       select p.proowner, p.proname, p.pronamespace from pg_proc p where w.classid = 'pg_proc'::regclass and p.oid = w.objid
       union all
       select t.typowner, t.typname, t.typnamespace from pg_type t where w.classid = 'pg_type'::regclass and t.oid = w.objid
       union all
       select p.oprowner, p.oprname, p.oprnamespace from pg_operator p where w.classid = 'pg_operator'::regclass and p.oid = w.objid
     ) o on true
    where o.owner is distinct from 'pgscore_owner'::regrole
      and not (coalesce(o.namespace = to_regnamespace('pgscore_sources'), false)
        and (exists (select from pgscore_data.handle h where h.name = o.name) or exists (select from pgscore_data.schedule s where s.handle = o.name)))
    order by 1`,
);

/** Looks at an installation, as pgscore_owner. */
export async function readHoldings(client: pg.ClientBase): Promise<Holdings> {
  const [counts] = await readCounts(client);
  const dependents = await readDependents(client, Object.keys(SCHEMAS));
  const nothing = { models: 0, versions: 0, runs: 0, schedules: 0, targets: 0, predictions: 0, services: 0 };
  return { ...(counts ?? nothing), dependents: dependents.map(({ description }) => description) };
}

export type DroppedRoles = { readonly dropped: string[]; readonly kept: readonly { role: string; reason: string }[] };

/** Drops the roles of pgscore that nothing needs any more; one that another database needs is kept, with the reason. */
export async function dropRoles(client: pg.Client): Promise<DroppedRoles> {
  const dropped: string[] = [];
  const kept: { role: string; reason: string }[] = [];
  for (const { name } of ROLES.toReversed()) {
    if (!(await exists(client, name))) continue;
    const reason = await transaction(client, () => dropRole(client, name)).then(() => undefined, reasonOf(name));
    if (reason === undefined) dropped.push(name);
    else kept.push({ role: name, reason });
  }
  return { dropped, kept };
}

async function dropRole(client: pg.Client, role: string): Promise<void> {
  await joinRole(client, role);
  const lines = [`drop owned by ${ident(role)}`, `drop role ${ident(role)}`];
  for (const line of lines) await client.query(line);
}

/** DROP OWNED asks for the rights of the role, which its creator has to grant to itself first. */
async function joinRole(client: pg.Client, role: string): Promise<void> {
  const { rows } = await client.query<{ me: string; usable: boolean }>(
    "select current_user as me, pg_has_role($1, 'usage') as usable",
    [role],
  );
  const [found] = rows;
  if (found === undefined || found.usable) return;
  const line = `grant ${ident(role)} to ${ident(found.me)}`;
  await client.query(line);
}

async function exists(client: pg.Client, role: string): Promise<boolean> {
  const { rowCount } = await client.query('select from pg_roles where rolname = $1', [role]);
  return rowCount === 1;
}

function reasonOf(role: string) {
  return (error: unknown): string => {
    const state = sqlState(error);
    const { message, detail } = error as { message: string; detail?: string };
    if (state === '2BP01') return detail ?? message;
    if (state !== '42501') throw error;
    throw new PgscoreError('missing_right', `this role may not drop role "${role}"`, {
      remedy: `As the role that created it, or a superuser, run: drop owned by ${ident(role)}; drop role ${ident(role)};`,
      cause: error,
    });
  };
}
