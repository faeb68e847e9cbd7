import { describe, expect, test } from '@jest/globals';

import { ROLES } from '../../src/install/roles.ts';
import { SCHEMAS } from '../../src/install/schemas.ts';
import { cloneDatabase } from '../support/database.ts';
import { ORDINARY_ROLES } from '../support/ordinary-roles.ts';

const database = await cloneDatabase();
const superuser = await database.client();
/** dblink is an extension's, which nobody but the owner calls: see below. */
const OURS = Object.keys(SCHEMAS).filter((name) => name !== 'pgscore_dblink');

/**
 * They are put into the caller's query, which a pinned path would prevent: they name every schema. So are expressions with
 * a parsed body, whose names were looked up when they were made.
 */
const INLINED = [
  'pgscore.classify',
  'pgscore.embed',
  'pgscore.predict',
  'pgscore.score',
  'pgscore.score_or_null',
  'pgscore.why_not',
  'pgscore_models._array_column',
  'pgscore_models._flag_column',
  'pgscore_models._number_column',
  'pgscore_models._score',
  'pgscore_models._score_routed',
  'pgscore_models._small_whole_column',
  'pgscore_models._text_column',
  'pgscore_models._whole_column',
];

/** Each call of score() goes through them, and a setting that changes twice took as long as what they do: they name every schema, too. See unpinned.e2e. */
const QUALIFIED = ['pgscore_models._relation', 'pgscore_models._score_json', 'pgscore_models._score_row'];

/** Asks the catalogue for what must not be there. */
async function offenders(query: string, values: unknown[] = [OURS]): Promise<string[]> {
  const { rows } = await superuser.query<{ offender: string }>(query, values);
  return rows.map(({ offender }) => offender);
}

const FUNCTIONS = `select p.oid::regprocedure::text as offender
  from pg_proc p join pg_namespace n on n.oid = p.pronamespace where n.nspname = any ($1)`;

describe('functions', () => {
  test('all pin their search path, with pg_temp last, where no caller can put a table in front', async () => {
    const unpinned = `${FUNCTIONS} and not exists (
      select from unnest(p.proconfig) c where c = 'search_path=pg_catalog, pg_temp')
      and not (n.nspname || '.' || p.proname = any ($2) and p.prolang = (select l.oid from pg_language l where l.lanname = 'sql') and not p.prosecdef)
      and not (n.nspname || '.' || p.proname = any ($3) and not p.prosecdef)
      and not (p.prosqlbody is not null and not p.prosecdef and p.provolatile in ('i', 's'))`;
    expect(await offenders(unpinned, [OURS, INLINED, QUALIFIED])).toEqual([]);
  });

  test('none can be executed by PUBLIC', async () => {
    const open = `${FUNCTIONS} and (p.proacl is null or exists (select from aclexplode(p.proacl) a where a.grantee = 0))`;
    expect(await offenders(open)).toEqual([]);
  });

  test('none that is made later can be executed by PUBLIC', async () => {
    await superuser.query('set role pgscore_owner');
    await superuser.query('create function pgscore.later() returns int language sql return 1');
    await superuser.query('reset role');
    const alice = await database.client('alice');
    const { rows } = await alice.query("select has_function_privilege('pgscore.later()', 'execute') as may");
    await superuser.query('drop function pgscore.later()');
    expect(rows).toEqual([{ may: false }]);
  });

  test('those of dblink in pgscore_dblink cannot be called by PUBLIC, nor by any role but the owner', async () => {
    const { rows } = await superuser.query<{ count: number }>(
      `select count(*)::int from pg_proc where pronamespace = 'pgscore_dblink'::regnamespace`,
    );
    expect(rows[0]!.count).toBeGreaterThan(0);
    // Two roles of PostgreSQL's may use every schema. Those of other tests come and go.
    const callable = `select p.oid::regprocedure || ' by ' || r.name as offender
      from pg_proc p cross join (select 'public' union all select rolname from pg_roles
        where not rolsuper and rolname not in ('pgscore_owner', 'pg_read_all_data', 'pg_write_all_data')
          and (rolname like 'pg\\_%' or rolname = any ($1))) r (name)
      where p.pronamespace = 'pgscore_dblink'::regnamespace
        and has_schema_privilege(r.name, p.pronamespace, 'usage') and has_function_privilege(r.name, p.oid, 'execute')`;
    const staying = [...ROLES.map(({ name }) => name), ...ORDINARY_ROLES];
    expect(await offenders(callable, [staying])).toEqual([]);
  });

  test('of those that act as the owner, users call only those that look things up', async () => {
    const definers = `${FUNCTIONS} and p.prosecdef and p.prorettype <> 'trigger'::regtype and has_function_privilege('pgscore_deployer', p.oid, 'execute') order by 1`;
    expect(await offenders(definers)).toEqual([
      'pgscore._experiment_of(text,integer)',
      'pgscore._find_version(text)',
      'pgscore._gate_verdicts(text,name)',
      'pgscore._is_uncommitted(bigint)',
      'pgscore._ready_version(text)',
      'pgscore._replayable_calls(integer)',
      'pgscore._segments_of(integer)',
      'pgscore.arm(text,bigint)',
      'pgscore.arm(text,text)',
      'pgscore.arm(text,text[])',
      'pgscore.arm(text,uuid)',
      'pgscore_data._better_versions(integer,integer,text)',
      'pgscore_data._outdated(bigint,integer,text)',
      'pgscore_models._arm(integer[],jsonb)',
      'pgscore_models._arm_versions(integer)',
      'pgscore_models._columns_writer(integer,regtype)',
      'pgscore_models._model_name(integer)',
      'pgscore_models._refuse_binding(integer)',
      'pgscore_models._refuse_column(regtype,text,text)',
      'pgscore_models._route(text)',
      'pgscore_models._rows_writer(integer,regtype)',
      'pgscore_models._version(integer[])',
      'pgscore_models._version_name(integer)',
    ]);
  });
});

describe('tables, views and schemas', () => {
  test('PUBLIC has no right on any of them', async () => {
    const open = `select c.oid::regclass::text as offender
        from pg_class c join pg_namespace n on n.oid = c.relnamespace cross join lateral aclexplode(c.relacl) a
       where n.nspname = any ($1) and a.grantee = 0
      union all
      select c.oid::regclass || '.' || t.attname from pg_attribute t
        join pg_class c on c.oid = t.attrelid join pg_namespace n on n.oid = c.relnamespace cross join lateral aclexplode(t.attacl) a
       where n.nspname = any ($1) and a.grantee = 0
      union all
      select n.nspname from pg_namespace n cross join lateral aclexplode(n.nspacl) a where n.nspname = any ($1) and a.grantee = 0`;
    expect(await offenders(open)).toEqual([]);
  });

  test('nobody but the owner can create in them, apart from read handles', async () => {
    const creators = `select r.rolname || ' in ' || n.nspname as offender
      from pg_namespace n cross join (values ('alice'), ('ada'), ('pgscore_service'), ('pgscore_reader'), ('pgscore_analyst')) r (rolname)
      where n.nspname = any ($1) and has_schema_privilege(r.rolname, n.oid, 'create') order by 1`;
    expect(await offenders(creators)).toEqual(['ada in pgscore_sources', 'alice in pgscore_sources']);
  });

  test('views that choose rows for the caller are security barriers', async () => {
    const leaky = `select c.oid::regclass::text as offender from pg_class c join pg_namespace n on n.oid = c.relnamespace
      where n.nspname = any ($1) and c.relkind = 'v' and pg_get_viewdef(c.oid) ~ 'pg_has_role|CURRENT_USER'
        and not coalesce('security_barrier=true' = any (c.reloptions), false)`;
    expect(await offenders(leaky)).toEqual([]);
  });

  test('users hold no right on a table of pgscore_data', async () => {
    const open = `select c.oid::regclass::text as offender from pg_class c
      where c.relnamespace = 'pgscore_data'::regnamespace and c.relkind in ('r', 'p', 'S')
        and (has_table_privilege('ada', c.oid, 'select, insert, update, delete, truncate, references, trigger'))`;
    const kinds = open.replace("in ('r', 'p', 'S')", "in ('r', 'p')");
    expect(await offenders(kinds, [])).toEqual([]);
  });

  test('the service can change these tables only', async () => {
    const changed = `select c.relname as offender from pg_class c
      where c.relnamespace = 'pgscore_data'::regnamespace and c.relkind in ('r', 'p') and not c.relispartition
        and (has_table_privilege('pgscore_service', c.oid, 'update') or has_any_column_privilege('pgscore_service', c.oid, 'update'))
      order by 1`;
    expect(await offenders(changed, [])).toEqual([
      'cell_score',
      'cell_volume',
      'compared_label',
      'comparison_request',
      'day_tally',
      'gateway',
      'generation',
      'known_plan',
      'label_source',
      'online_batch',
      'run',
      'run_error',
      'schedule',
      'service',
      'shard',
      'target',
      'version',
    ]);
  });

  test('nobody can write who makes a request', async () => {
    const writable = `select c.oid::regclass || '.' || a.attname || ' by ' || r.rolname as offender
      from pg_attribute a join pg_class c on c.oid = a.attrelid
      cross join (values ('alice'), ('ada'), ('pgscore_service')) r (rolname)
      where c.relnamespace = 'pgscore'::regnamespace and a.attname in ('requested_by', 'owner', 'deployed_by', 'actor')
        and (has_column_privilege(r.rolname, c.oid, a.attnum, 'insert') or has_column_privilege(r.rolname, c.oid, a.attnum, 'update'))`;
    expect(await offenders(writable, [])).toEqual([]);
  });
});

describe('ownership', () => {
  test('everything belongs to pgscore_owner', async () => {
    const foreign = `select pg_describe_object(classid, objid, 0) as offender from (
        select 'pg_class'::regclass::oid as classid, oid as objid, relnamespace as namespace, relowner as owner from pg_class
        union all select 'pg_proc'::regclass, oid, pronamespace, proowner from pg_proc
        union all select 'pg_type'::regclass, oid, typnamespace, typowner from pg_type
        union all select 'pg_namespace'::regclass, oid, oid, nspowner from pg_namespace
      ) o join pg_namespace n on n.oid = o.namespace
      where n.nspname = any ($1) and o.owner <> 'pgscore_owner'::regrole`;
    expect(await offenders(foreign)).toEqual([]);
  });

  test('nothing of ours stands in public', async () => {
    const strays = `select c.oid::regclass::text as offender from pg_class c
      where c.relnamespace = 'public'::regnamespace and c.relowner = 'pgscore_owner'::regrole`;
    expect(await offenders(strays, [])).toEqual([]);
  });

  test('the service and the reader own nothing', async () => {
    const owned = `select pg_describe_object(d.classid, d.objid, 0) as offender from pg_shdepend d
      where d.deptype = 'o' and d.dbid in (0, (select oid from pg_database where datname = current_database()))
        and d.refobjid in ('pgscore_service'::regrole, 'pgscore_reader'::regrole)`;
    expect(await offenders(owned, [])).toEqual([]);
  });
});

describe('roles', () => {
  test('none has a power beyond an ordinary role', async () => {
    const powerful = `select rolname as offender from pg_roles
      where rolname like 'pgscore\\_%' and (rolsuper or rolbypassrls or rolcreaterole or rolcreatedb or rolreplication)`;
    expect(await offenders(powerful, [])).toEqual([]);
  });

  test('only the two of the service can log in', async () => {
    const logins = `select rolname as offender from pg_roles
      where rolname = any ($1) and rolcanlogin order by rolname`;
    const names = ['owner', 'service', 'reader', 'user', 'deployer', 'analyst'].map((name) => `pgscore_${name}`);
    expect(await offenders(logins, [names])).toEqual(['pgscore_reader', 'pgscore_service']);
  });

  test('the service and the reader are members of nothing', async () => {
    const groups = `select m.roleid::regrole::text as offender from pg_auth_members m
      where m.member in ('pgscore_service'::regrole, 'pgscore_reader'::regrole)`;
    expect(await offenders(groups, [])).toEqual([]);
  });

  test('the reader can read no table or view of pgscore', async () => {
    const readable = `select c.oid::regclass::text as offender from pg_class c join pg_namespace n on n.oid = c.relnamespace
      where n.nspname = any ($1) and c.relkind in ('r', 'p', 'v', 'm') and has_any_column_privilege('pgscore_reader', c.oid, 'select')`;
    expect(await offenders(readable)).toEqual([]);
  });

  test('the service can read no table of users', async () => {
    const alice = await database.client('alice');
    await alice.query('create table alice.secrets (id int primary key)');
    const readable = `select c.oid::regclass::text as offender from pg_class c join pg_namespace n on n.oid = c.relnamespace
      where n.nspname <> all ($1) and n.nspname not in ('pg_catalog', 'information_schema') and c.relkind in ('r', 'p', 'v', 'm', 'f')
        and has_any_column_privilege('pgscore_service', c.oid, 'select')`;
    expect(await offenders(readable)).toEqual([]);
  });
});

describe('comments', () => {
  test('every function, table, view and schema says what it is', async () => {
    const silent = `
      ${FUNCTIONS} and obj_description(p.oid, 'pg_proc') is null
      union all
      select c.oid::regclass::text from pg_class c join pg_namespace n on n.oid = c.relnamespace
       where n.nspname = any ($1) and c.relkind in ('r', 'p', 'v', 'm') and obj_description(c.oid, 'pg_class') is null
      union all
      select n.nspname from pg_namespace n where n.nspname = any ($1) and obj_description(n.oid, 'pg_namespace') is null`;
    expect(await offenders(silent)).toEqual([]);
  });

  test('every column of a view that users read says what it holds', async () => {
    const silent = `select c.relname || '.' || a.attname as offender from pg_attribute a join pg_class c on c.oid = a.attrelid
      where c.relnamespace in ('pgscore'::regnamespace, 'pgscore_bi'::regnamespace) and c.relkind = 'v' and c.relname !~ '^_'
        and a.attnum > 0 and col_description(c.oid, a.attnum) is null order by c.relname, a.attnum`;
    expect(await offenders(silent, [])).toEqual([]);
  });
});
